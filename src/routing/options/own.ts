// What programs and files have of the entry that names them: its domain, and who gets the report of a failure.

import type { Address } from '../../message/address.ts';
import { addressOfKey, type RecipientRow } from '../rows.ts';

/** Of the entry's first address, so that all of its addresses share it; else the one in which it was reached. */
export function ownDomain(row: RecipientRow, reached: string): string {
  const domains = row.addresses.map((key) => addressOfKey(key).domain);
  return domains.find((domain) => domain !== '') ?? reached;
}

/** The user, in whose INBOX the report comes; undefined: the sender. */
export function reportsTo({ options }: RecipientRow, address: Address): Address | undefined {
  return options?.includes('mailbox') ? address : undefined;
}
