// SMTP replies, for both ends: text with codes, one line or many. RFC 5321 §4.2, RFC 2034 §3

export function formatReply(code: number, enhanced: string | undefined, ...lines: readonly string[]): string {
  const status = enhanced === undefined ? '' : `${enhanced} `;
  let text = '';
  for (let i = 0; i < lines.length; i++) text += `${code}${i === lines.length - 1 ? ' ' : '-'}${status}${lines[i]}\r\n`;
  return text;
}

/** One line of a peer's reply; `more` when others follow. Undefined when it is no reply line. */
export function parseReplyLine(line: string): { code: number; more: boolean; text: string } | undefined {
  const code = Number(line.slice(0, 3));
  if (!(code >= 200 && code <= 599) || line.length < 3) return undefined;
  const separator = line.charAt(3);
  if (separator !== '' && separator !== ' ' && separator !== '-') return undefined;
  return { code, more: separator === '-', text: line.slice(4) };
}

/** Takes the enhanced status off the text, when it begins with one of the code's class. RFC 2034 §4 */
export function splitEnhanced(code: number, text: string): { enhanced: string | undefined; text: string } {
  const match = /^([245])\.(\d{1,3})\.(\d{1,3})(?: |$)/.exec(text.slice(0, 16));
  if (match === null || match[1] !== String(Math.floor(code / 100))) return { enhanced: undefined, text };
  return { enhanced: `${match[1]}.${match[2]}.${match[3]}`, text: text.slice(match[0].length) };
}
