// Whether an address is one that an account may send as.
//
// In      the keys of the addresses that its entry has; the address
// Out     true for one of them, by another name of its domain too, and with a subaddress as long as nobody claims that: what mail to it would find
// Never   by a catch-all, a list or a rule: mail that comes so is somebody's, the address is not
// RFC 5233 §1, RFC 6409 §6.1

import { type Address, addressKey, withoutSubaddress } from '../message/address.ts';
import type { RoutingCache } from './cache.ts';

/** May throw the tables' failures. */
export function isOwnAddress(
  routing: Pick<RoutingCache, 'route' | 'recipient'>,
  keys: readonly string[],
  address: Address,
): boolean {
  if (keys.includes(addressKey(address))) return true;
  const aliasOf = routing.route(address.domain)?.aliasOf;
  const own = aliasOf === undefined ? address : { localPart: address.localPart, domain: aliasOf };
  const key = addressKey(own);
  if (keys.includes(key)) return true;
  const plain = withoutSubaddress(own);
  return plain !== undefined && keys.includes(addressKey(plain)) && routing.recipient(key) === undefined;
}
