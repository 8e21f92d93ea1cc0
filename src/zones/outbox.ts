// Domains whose records are to be written at somebody else's primary: a row in the transaction that changes the domain.

import type { Transaction } from '../database/operation.ts';
import type { DomainChange } from './names.ts';
import type { ZoneSite } from './settings.ts';

/** Follows the change of a domain's row, in its transaction. */
export async function noteDesired(
  _tx: Transaction,
  _change: DomainChange & { readonly now: number },
  _site: ZoneSite,
): Promise<void> {}
