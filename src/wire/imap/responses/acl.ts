// Untagged responses about rights. RFC 4314 §3.6 to §3.8

import { encodeAstring } from './strings.ts';

/** `mailbox` as spelledFor gives it; identifiers and their rights in turn. */
export function encodeAcl(mailbox: string, rows: readonly (readonly [identifier: string, rights: string])[]): string {
  const pairs = rows.map(([identifier, rights]) => ` ${encodeAstring(identifier)} ${encodeAstring(rights)}`).join('');
  return `* ACL ${encodeAstring(mailbox)}${pairs}\r\n`;
}

/** `required`: what the identifier has always; then what can be given, a group of letters each. */
export function encodeListRights(
  mailbox: string,
  identifier: string,
  [required, ...optional]: readonly [required: string, ...optional: string[]],
): string {
  const words = [required, ...optional].map(encodeAstring).join(' ');
  return `* LISTRIGHTS ${encodeAstring(mailbox)} ${encodeAstring(identifier)} ${words}\r\n`;
}

export function encodeMyRights(mailbox: string, rights: string): string {
  return `* MYRIGHTS ${encodeAstring(mailbox)} ${encodeAstring(rights)}\r\n`;
}
