// What follows from an entry's change in the tables of others, in its transaction: one line a table.
//
// In      an entry before and after, all that is written along with it included
// Out     rows that have moved in the routing tables

import { noteScramKeys } from '../auth/scram-counter.ts';
import { TENANT } from '../base/tenant.ts';
import type { Awaitable, Transaction } from '../database/operation.ts';
import { isAdministrator } from '../directory/caller.ts';
import { type ChangedEntry, hasClass } from '../directory/entry.ts';
import { changesPassword } from '../directory/scram-values.ts';
import { compileDomain, recipientKindOf } from '../routing/compile.ts';
import { nameIn } from '../routing/containers.ts';
import { synchronizeEntry, type TableChange } from '../routing/synchronize.ts';
import { dropIdentity, moveRights } from '../store/acl.ts';
import { dropReaderMetadata } from '../store/metadata.ts';
import { dropUrlKeysOf } from '../store/url-keys.ts';
import { compileZoneName } from '../zones/compile.ts';
import { noteDomainChange } from '../zones/names.ts';
import { noteDesired } from '../zones/outbox.ts';
import { noteZoneSetting } from '../zones/settings.ts';
import { passwordsOf } from './guards.ts';
import type { WriteOptions } from './write-options.ts';

export type Follower = (
  tx: Transaction,
  changed: ChangedEntry,
  options: WriteOptions,
) => Awaitable<readonly TableChange[] | undefined>;

export const followers: readonly Follower[] = [
  noteAdministrator,
  noteZoneSource,
  noteRefusal,
  noteKeys,
  noteZoneName,
  noteSetting,
  noteRights,
  synchronizeEntry,
];

function noteAdministrator(tx: Transaction, { before, after }: ChangedEntry): undefined {
  if (before === undefined || after === undefined || !isAdministrator(after)) return;
  if (changesPassword(passwordsOf(before), passwordsOf(after))) tx.afterCommit({ kind: 'administrator' });
}

function noteZoneSource(tx: Transaction, { before, after }: ChangedEntry): undefined {
  if ([before, after].some((entry) => entry !== undefined && nameIn('sources', entry) !== undefined))
    tx.afterCommit({ kind: 'zone-sources' });
}

/** Users and lists have rights in mailboxes, and whom `anyone` means is its domain's to say. */
async function noteRights(tx: Transaction, { before, after }: ChangedEntry): Promise<undefined> {
  const entries = [before, after].filter((entry) => entry !== undefined);
  const kinds = entries.map(recipientKindOf);
  if (after === undefined) {
    await dropIdentity(tx, before!.uuid);
    await dropUrlKeysOf(tx, before!.uuid);
    await dropReaderMetadata(tx, { uuid: before!.uuid, tenant: TENANT });
  }
  // Nobody has known a user before who comes now.
  if (kinds.includes('group') || (before !== undefined && kinds.includes('user')) || entries.some(compileDomain))
    moveRights(tx);
}

function noteRefusal(tx: Transaction, { after }: ChangedEntry): undefined {
  if (after !== undefined && hasClass(after, 'wayposttombstone')) tx.afterCommit({ kind: 'tombstone' });
}

function noteKeys(tx: Transaction, { before, after }: ChangedEntry): undefined {
  noteScramKeys(tx, before, after);
}

async function noteZoneName(
  tx: Transaction,
  { before, after, revision }: ChangedEntry,
  { now, site, takenAt }: WriteOptions,
): Promise<undefined> {
  const change = {
    before: before && compileZoneName(before),
    after: after && compileZoneName(after),
    revision,
    takenAt,
  };
  await noteDomainChange(tx, change);
  // Other name servers are the other server's to tell.
  if (takenAt === undefined) await noteDesired(tx, { ...change, now }, site);
}

async function noteSetting(
  tx: Transaction,
  { before, after, revision }: ChangedEntry,
  { takenAt }: WriteOptions,
): Promise<undefined> {
  await noteZoneSetting(tx, { before, after, revision, takenAt });
}
