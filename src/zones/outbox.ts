// Domains whose records are to be written at somebody else's primary: a row in the transaction that changes the domain.

import type { Transaction } from '../database/operation.ts';
import { authorityIn } from './authority.ts';
import type { DomainChange } from './names.ts';
import { pathOf } from './path.ts';
import type { ZoneSite } from './settings.ts';
import { beginWatch, endWatch } from './watch.ts';

/** Follows the change of a domain's row, in its transaction: what others publish is watched. */
export async function noteDesired(
  tx: Transaction,
  { before, after, now }: DomainChange & { readonly now: number },
  site: ZoneSite,
): Promise<void> {
  const isLeft = before?.row.domain !== undefined && (after?.row.domain === undefined || after.name !== before.name);
  if (isLeft) await endWatch(tx, pathOf(before.name));
  if (after?.row.domain === undefined) return;
  const { authority } = await authorityIn(tx, after, site);
  const path = pathOf(after.name);
  if (authority === 'theirs') await beginWatch(tx, { path, now });
  else if (authority === 'ours' && before?.row.domain !== undefined) await endWatch(tx, path);
}
