// Attribute and assertion values: text wherever the octets are UTF-8, else the octets. Nothing is lost either way.
//
// RFC 4511 §4.1.2 §4.1.5

import { isUtf8 } from 'node:buffer';

/** Text where the octets are UTF-8, else the octets. */
export type AttributeValue = string | Uint8Array;

/** The value of these octets; what is not UTF-8 is copied, so that it does not hold the buffer it was cut from. */
export function decodeValue(octets: Buffer): AttributeValue {
  return isUtf8(octets) ? octets.toString('utf8') : new Uint8Array(octets);
}
