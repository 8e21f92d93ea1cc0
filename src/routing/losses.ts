// Accounts and lists that a change would leave without any address that routes, though they had one: it is refused.
//
// In      rows as they are written, of entries that move and of those whose domain loses its base or its name
// Out     nothing; or a failure at the end of the whole operation, which names the first one: meanwhile an entry may have moved
//         while its address has not, or the other way about

import type { Transaction } from '../database/operation.ts';
import { entryByIdIn } from '../directory/entries.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { formatAddress } from '../message/address.ts';
import { stateIn } from './generation.ts';
import { addressOfKey, type RecipientRow } from './rows.ts';
import { recipientIn } from './tables.ts';

export class Losses {
  /** By entry: an address that it had, and the change that took the last one. */
  readonly #noted = new Map<number, { readonly address: string; readonly kind: ChangedEntry['kind'] }>();

  note(before: RecipientRow | null | undefined, after: RecipientRow | undefined, kind: ChangedEntry['kind']): void {
    const [address] = before?.addresses ?? [];
    if (before == null || after === undefined || address === undefined || after.addresses.length > 0) return;
    if (!this.#noted.has(before.entry)) this.#noted.set(before.entry, { address, kind });
  }

  async check(tx: Transaction): Promise<void> {
    if (this.#noted.size === 0) return;
    const { generation } = await stateIn(tx);
    for (const [id, { address, kind }] of this.#noted) {
      const entry = await entryByIdIn(tx, id);
      const row = entry && (await recipientIn(tx, generation, entry.normalizedDn));
      if (entry === undefined || row == null || row.addresses.length > 0) continue;
      const text = `${formatAddress(addressOfKey(address))} would route no more, and ${entry.dn} has no other address that does`;
      throw directoryFailure(kind === 'delete' ? 'notAllowedOnNonLeaf' : 'unwillingToPerform', text);
    }
  }
}
