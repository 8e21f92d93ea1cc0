// What a client has switched on in its session by ENABLE, or by a command that implies it. RFC 5161 §3.1, RFC 7162 §3.1 §3.2.3, RFC 9586 §3
//
// A name stands here once the program acts on it; nothing is ever switched off again but by UNAUTHENTICATE.

/** As ENABLE names them, in the order in which ENABLED answers. */
const enableNames = [
  'IMAP4REV2',
  'CONDSTORE',
  'QRESYNC',
  'UIDONLY',
  'UTF8=ACCEPT',
] as const satisfies readonly string[];

export type EnableName = (typeof enableNames)[number];

export function isEnableName(name: string): name is EnableName {
  return (enableNames as readonly string[]).includes(name);
}
