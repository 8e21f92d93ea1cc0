// A user who is added without a mailHost gets the one that the domain prefers (preferredMailHost), by whatever door: so the
// mailbox stays on its host when the domain prefers another one later.
//
// In      a user's entry as an add has made it; in its transaction
// Out     the same add with the host written in, as one change to all that follow from it

import type { Transaction } from '../database/operation.ts';
import { type ApplyOptions, applyChange } from '../directory/apply-change.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import { type ChangedEntry, type Entry, hasClass, type Modification, textValue } from '../directory/entry.ts';
import { tryParseAddress } from '../message/address.ts';
import { recipientKindOf } from '../routing/compile.ts';
import { stateIn } from '../routing/generation.ts';
import { ownerIn } from '../routing/tables.ts';

/** The class that has mailHost: it comes along. */
const HOST_CLASS = 'inetLocalMailRecipient';

export async function withPreferredHost(
  tx: Transaction,
  added: ChangedEntry,
  options: ApplyOptions,
): Promise<ChangedEntry> {
  const { kind, after } = added;
  if (kind !== 'add' || after === undefined || after.attributes.has('mailhost')) return added;
  if (recipientKindOf(after) !== 'user') return added;
  const host = await preferredHost(tx, after);
  if (host === undefined) return added;
  const modifications: Modification[] = [{ operation: 'add', attribute: 'mailHost', values: [host] }];
  if (!hasClass(after, HOST_CLASS.toLowerCase()))
    modifications.push({ operation: 'add', attribute: 'objectClass', values: [HOST_CLASS] });
  const given = await applyChange(tx, { kind: 'modify', dn: after.dn, modifications }, options);
  return { ...given, kind: 'add', before: undefined };
}

/** Of the domains whose base holds the entry the one of its address, else the first that prefers a host. */
export async function preferredHost(
  tx: Transaction,
  user: Pick<Entry, 'normalizedDn' | 'attributes'>,
): Promise<string | undefined> {
  const { generation } = await stateIn(tx);
  const { domains } = await ownerIn(tx, generation, user.normalizedDn);
  const own = domains.length > 1 ? tryParseAddress(textValue(user, 'mail')?.trim() ?? '')?.domain : undefined;
  const inOrder = own !== undefined && domains.includes(own) ? [own] : domains;
  for (const domain of inOrder) {
    const entry = await findEntryIn(tx, dcDnOfDomain(domain));
    const host = entry && textValue(entry, 'preferredmailhost')?.trim();
    if (host) return host;
  }
  return undefined;
}
