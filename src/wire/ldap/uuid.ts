// A UUID as synchronization has it: 16 octets on the wire, the text of `entryUUID` here.
//
// RFC 4533 §2.1, RFC 4530 §2.1

import type { BerReader, BerWriter } from './ber.ts';

const UUID_OCTETS = 16;

/** Lower case, with hyphens. */
export function readUuid(reader: BerReader): string {
  const octets = reader.octets();
  if (octets.length !== UUID_OCTETS) reader.fail(`a UUID of ${UUID_OCTETS} octets`);
  const digits = octets.toString('hex');
  return [0, 8, 12, 16, 20].map((from, i, all) => digits.slice(from, all[i + 1])).join('-');
}

export function writeUuid(writer: BerWriter, uuid: string): void {
  writer.octets(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}
