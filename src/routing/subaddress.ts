// The folder that an address asks for: what stands behind the `+`, where nobody claims the address as it is.
//
// In      an entry's row, the row of the domain in which it claims the address, the address by which it was reached
// Out     the folder's name as it is written, `/` between its levels; undefined: INBOX
// Limits  a local part's length; the levels of a mailbox's name, and which names there are, are the store's to say
// Never   says whether there is such a folder, or who may post there (posting.ts)
// RFC 5233 §1

import { type Address, addressKey, subaddressOf } from '../message/address.ts';
import type { RecipientRow, RouteRow } from './rows.ts';

export function folderOf(
  { addresses }: RecipientRow,
  route: RouteRow | undefined,
  address: Address,
): string | undefined {
  const folder = subaddressOf(address);
  if (folder === undefined || route === undefined) return undefined;
  return addresses.includes(addressKey({ localPart: address.localPart, domain: route.domain })) ? undefined : folder;
}
