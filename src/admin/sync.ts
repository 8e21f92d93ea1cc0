// sync status, full, domain, verify, digest, rows: the tables made from the directory, and the proof that they are right.

import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { normalizeDomain } from '../message/address.ts';
import { type Digest, digestLines, digestTables } from '../routing/digest.ts';
import { misplacedDomains } from '../routing/misplaced.ts';
import type { Synchronized, SyncRuns, Verification } from '../routing/sync-runs.ts';
import { countRows, type EntryProblems, readProblems, readRoute, readState } from '../routing/tables.ts';
import { adminOperation } from './operation.ts';

export interface SyncParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly syncRuns: SyncRuns;
}

export interface SyncStatus {
  /** The directory's revision; the tables hold all changes up to it. */
  readonly revision: Revision;
  readonly tableRevision: number;
  /** Of the last change that moved a row of the tables. */
  readonly changedRevision: Revision;
  readonly generation: number;
  readonly domains: number;
  readonly addresses: number;
  /** A full synchronization that is under way, in entries. */
  readonly building: { readonly done: number; readonly of: number } | null;
  readonly lastFull: (Synchronized & { readonly at: string }) | null;
  readonly lastVerify: { readonly at: string; readonly rows: number; readonly differences: number } | null;
  readonly problems: readonly EntryProblems[];
}

export const syncStatus = ({ reader, syncRuns }: SyncParts) =>
  adminOperation('sync.status', z.object({}), async (): Promise<SyncStatus> => {
    const misplaced = await misplacedDomains(reader);
    return reader.snapshot(() => {
      const state = readState(reader);
      return {
        revision: reader.revision(),
        tableRevision: reader.revision(),
        changedRevision: state.revision,
        generation: state.generation,
        ...countRows(reader),
        building: syncRuns.building ?? null,
        lastFull: syncRuns.lastFull() ?? null,
        lastVerify: syncRuns.lastVerify() ?? null,
        problems: [...readProblems(reader), ...misplaced],
      };
    });
  });

export const syncFull = ({ syncRuns }: SyncParts) =>
  adminOperation('sync.full', z.object({}), (): Promise<Synchronized> => syncRuns.full());

const domainName = z.string().min(1).max(1000);

export const syncDomain = ({ syncRuns }: SyncParts) =>
  adminOperation('sync.domain', z.object({ domain: domainName }), ({ domain }): Promise<Synchronized> => {
    return syncRuns.domain(nameOf(domain));
  });

export const syncVerify = ({ syncRuns }: SyncParts) =>
  adminOperation('sync.verify', z.object({}), (): Promise<Verification> => syncRuns.verify());

export const syncDigest = ({ reader }: SyncParts) =>
  adminOperation('sync.digest', z.object({ domain: domainName.optional() }), ({ domain }): Promise<Digest> => {
    const name = domain === undefined ? undefined : knownDomain(reader, domain);
    return digestTables(reader, name, () => new Promise((resolve) => setImmediate(resolve)));
  });

/** The lines behind the digest, a thousand at most behind `after`, the last one of the answer before. */
export const syncRows = ({ reader }: SyncParts) =>
  adminOperation(
    'sync.rows',
    z.object({ domain: domainName.optional(), after: z.string().max(20_000_000).optional() }),
    ({ domain, after = '' }): string[] => {
      const name = domain === undefined ? undefined : knownDomain(reader, domain);
      return digestLines(reader, name, after);
    },
  );

function nameOf(domain: string): string {
  const name = normalizeDomain(domain);
  if (name === undefined) throw new Failure('invalid', `${domain} is not a domain name`);
  return name;
}

function knownDomain(reader: Reader, domain: string): string {
  const name = nameOf(domain);
  if (reader.snapshot(() => readRoute(reader, readState(reader).generation, name)) === null)
    throw new Failure('not-found', `${name} is not a mail domain here`);
  return name;
}
