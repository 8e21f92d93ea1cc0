// What is written along with an entry: further changes in the same transaction, each followed as any other.
//
// In      an entry before and after; `after` is undefined for one that is gone
// Out     the entries that were made or changed along
// One line a kind, in the order in which they are written.

import type { Transaction } from '../database/operation.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { markApexes } from './apexes.ts';
import { addPublicKey } from './dkim/key-check.ts';
import { addContainers } from './generated.ts';
import { markSourceDomains } from './ldap-source.ts';
import { noteTombstone } from './tombstones.ts';
import type { WriteOptions } from './write-options.ts';

export type Along = (tx: Transaction, changed: ChangedEntry, options: WriteOptions) => Promise<readonly ChangedEntry[]>;

export const alongs: readonly Along[] = [markSourceDomains, addContainers, markApexes, addPublicKey, noteTombstone];
