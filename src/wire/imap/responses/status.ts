// Status responses: OK, NO, BAD, BYE, tagged and not, and the continuation reply. RFC 3501 §7.1, §7.5

export type ResponseStatus = 'OK' | 'NO' | 'BAD';

/** `code` without its brackets. Text gets no line break, no bracket in front, and is never empty. */
export function encodeTagged(tag: string, status: ResponseStatus, text: string, code?: string): string {
  return `${tag} ${status} ${withCode(text, code)}\r\n`;
}

export function encodeUntagged(status: ResponseStatus | 'BYE', text: string, code?: string): string {
  return `* ${status} ${withCode(text, code)}\r\n`;
}

export function encodeContinuation(text: string): string {
  return `+ ${text}\r\n`;
}

function withCode(text: string, code: string | undefined): string {
  return code === undefined ? cleanText(text) : `[${code}] ${cleanText(text)}`;
}

/** Text may name what a client or an entry holds: only printable ASCII goes out, and no code can be made up. */
function cleanText(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, '?').trimStart();
  if (clean === '') return '-';
  return clean.startsWith('[') ? `-${clean}` : clean;
}
