// mailbox check and repair: every row of the store and the queue that is in no legal state; and what can be set right. See docs/states.md.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import { type AccountId, idOf } from '../base/ids.ts';
import type { Reader, Writer } from '../database/operation.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { ChannelKind } from '../routing/compile-channel.ts';
import { readState } from '../routing/generation.ts';
import { SITE_POSTMASTER } from '../routing/rows.ts';
import { entryWithAccount } from '../routing/tables.ts';
import type { CheckProblem } from '../store/check-pages.ts';
import type { Repaired } from '../store/repair.ts';
import { type CheckedChannel, checkMail, repairMail } from '../transfer/check.ts';
import { mailAddressOf } from './naming.ts';
import { adminOperation } from './operation.ts';

export interface CheckParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly routing: RoutingCache;
  /** The directory of the segment files. */
  readonly segments: string;
  /** By kind: the channels that queue rows may name. */
  readonly channels: ReadonlyMap<ChannelKind, CheckedChannel>;
}

/** Beyond this many it is known that something is wrong. */
const PROBLEMS_MAX = 10_000;

const input = z.strictObject({
  /** An address of its user or list, or its number: only what is this account's. */
  account: z.string().min(1).max(320).optional(),
  /** Read every message, too. */
  bytes: z.boolean().optional(),
});

export const mailboxCheck = (parts: CheckParts) =>
  adminOperation('mailbox.check', input, ({ account, bytes = false }): Promise<CheckProblem[]> => {
    const { reader, segments, channels } = parts;
    return atMost(checkMail({ reader, segments, channels, bytes, account: accountOf(parts, account) }));
  });

/** By the parts of a server: it repairs once at a time. */
const repairing = new WeakSet<CheckParts>();

export const mailboxRepair = (parts: CheckParts) =>
  adminOperation('mailbox.repair', input, async ({ account, bytes = false }): Promise<Repaired[]> => {
    const { reader, writer, segments, channels } = parts;
    if (repairing.has(parts)) throw new Failure('conflict', 'a repair is under way: ask again when it has ended');
    repairing.add(parts);
    try {
      const entryOf = (of: AccountId) => entryWithAccount(reader, readState(reader).generation, of);
      const of = accountOf(parts, account);
      const keeper = parts.routing.recipient(SITE_POSTMASTER)?.account || undefined;
      return await atMost(repairMail({ reader, writer, segments, channels, bytes, account: of, entryOf, keeper }));
    } finally {
      repairing.delete(parts);
    }
  });

async function atMost<T>(found: AsyncGenerator<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of found) {
    all.push(each);
    if (all.length >= PROBLEMS_MAX) break;
  }
  return all;
}

const NUMBER = /^\d{1,15}$/;

/** A number may be of rows without an account. Throws `not-found` for an address. */
function accountOf({ routing }: CheckParts, text: string | undefined): AccountId | undefined {
  if (text === undefined) return undefined;
  if (NUMBER.test(text)) return idOf(Number(text));
  const { key, text: address } = mailAddressOf(text);
  const account = routing.recipient(key)?.account;
  if (account === undefined || account === 0)
    throw new Failure('not-found', `no mailbox here has the address ${address}`);
  return account;
}
