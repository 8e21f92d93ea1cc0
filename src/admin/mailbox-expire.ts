// mailbox expire: what the rules of expiry take now, of everybody or of one account; the server does the same each hour.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { type Expired, expireAll, expireOne } from '../provisioning/expiry.ts';
import type { RecipientRow } from '../routing/rows.ts';
import { addressInput, dryRun, type EntryParts } from './entries.ts';
import { mailAddressOf } from './naming.ts';
import { adminOperation, forDomains } from './operation.ts';

export interface ExpireParts extends EntryParts {
  readonly log: Log;
}

export interface ExpiredList {
  /** For each folder what has gone, at most LISTED_MAX. */
  readonly expired: readonly Expired[];
  /** Folders beyond those. */
  readonly others: number;
}

const LISTED_MAX = 10_000;

export const mailboxExpire = (parts: ExpireParts) =>
  forDomains(
    adminOperation(
      'mailbox.expire',
      z.strictObject({ address: addressInput.optional(), dryRun }),
      async (input): Promise<ExpiredList> => {
        const { reader, writer, log, clock } = parts;
        const round = { reader, writer: input.dryRun === true ? undefined : writer, log, now: clock.now() };
        const expired: Expired[] = [];
        let others = 0;
        const gones = input.address === undefined ? expireAll(round) : expireOne(round, rowOf(parts, input.address));
        for await (const gone of gones) {
          if (gone === undefined) await new Promise((turn) => setImmediate(turn));
          else if (expired.length < LISTED_MAX) expired.push(gone);
          else others++;
        }
        return { expired, others };
      },
    ),
    ({ address }) => (address === undefined ? undefined : [address]),
  );

/** Of who has a mailbox here. Throws `not-found`. */
function rowOf(parts: EntryParts, address: string): RecipientRow {
  const { key, text } = mailAddressOf(address);
  const row = parts.routing.recipient(key);
  if (row && row.account !== undefined && row.account !== 0) return row;
  throw new Failure('not-found', `no mailbox here has the address ${text}`);
}
