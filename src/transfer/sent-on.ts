// The header field of mail that a user sends on: it is sent before the message, and says in the queue whose it is.
//
// In      who sends it on; or a row's prefix
// Out     the prefix; or who that is

import { type Address, formatAddress } from '../message/address.ts';

const DELIVERED_TO = 'Delivered-To: ';

export function sentOnBy(by: Address): string {
  return `${DELIVERED_TO}${formatAddress(by)}\r\n`;
}

/** `''`: nobody has sent it on. */
export function forwarderIn(prefix: string): string {
  return prefix.startsWith(DELIVERED_TO) ? prefix.slice(DELIVERED_TO.length).trimEnd() : '';
}
