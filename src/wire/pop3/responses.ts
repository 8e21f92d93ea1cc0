// POP3 responses: a status line, perhaps with a response code, and the end of a multi-line one.
// RFC 1939 §3, RFC 2449 §8, RFC 3206 §4

/** What a client may act upon without reading the text. RFC 2449 §8.1, RFC 3206 §4 */
export type ResponseCode = 'IN-USE' | 'AUTH' | 'SYS/TEMP' | 'SYS/PERM';

/** Ends a multi-line response, at the start of a line. */
export const MULTI_LINE_END = '.\r\n';

export function encodeOk(text: string): string {
  return text === '' ? '+OK\r\n' : `+OK ${text}\r\n`;
}

/** `text` does not begin with a bracket: that would be read as a code. */
export function encodeError(text: string, code?: ResponseCode): string {
  return code === undefined ? `-ERR ${text}\r\n` : `-ERR [${code}] ${text}\r\n`;
}

/** A challenge is base64 already. RFC 5034 §4 */
export function encodeContinuation(challenge: string): string {
  return `+ ${challenge}\r\n`;
}
