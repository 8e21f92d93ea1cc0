// What SMTP says of a command or a recipient: RFC 5321 §4.2, RFC 3463. The list of those that routing gives:
// routing/replies.ts.

/** `code` and `enhanced` agree in their first digit. */
export interface Reply {
  /** 200 to 599 */
  readonly code: number;
  /** `class.subject.detail` */
  readonly enhanced: string;
  /** One line, no line break. The peer reads it. */
  readonly text: string;
}

export function isAccepted(reply: Reply): boolean {
  return reply.code < 300;
}

export function isPermanent(reply: Reply): boolean {
  return reply.code >= 500;
}

export function isTemporary(reply: Reply): boolean {
  return reply.code >= 400 && reply.code < 500;
}
