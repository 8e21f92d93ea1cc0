// The untagged response METADATA. RFC 5464 §4.4

import { encodeMailbox } from './mailbox.ts';
import { encodeAstring, encodeNString } from './strings.ts';

/** `mailbox` as spelledFor gives it; entries and their values, as octets, in turn. */
export function encodeMetadata(
  mailbox: string,
  values: readonly (readonly [entry: string, value: string | undefined])[],
): string {
  const pairs = values.map(([entry, value]) => `${encodeAstring(entry)} ${encodeValue(value)}`);
  return `* METADATA ${encodeMailbox(mailbox)} (${pairs.join(' ')})\r\n`;
}

/** A literal8 where it holds what no string can. */
function encodeValue(value: string | undefined): string {
  return value?.includes('\0') === true ? `~{${value.length}}\r\n${value}` : encodeNString(value);
}
