// status: what runs, since when, on which ports, how far the directory is, how much is queued.

import { z } from 'zod';
import { type ScramSetting, type ScramStatus, scramStatus } from '../auth/scram-offer.ts';
import type { Revision } from '../base/ids.ts';
import { FORMAT } from '../database/format.ts';
import type { Reader } from '../database/operation.ts';
import type { ProviderStatus } from '../provisioning/replica/replica.ts';
import { readState } from '../routing/generation.ts';
import { type IndexFigures, indexFigures } from '../store/search-index/searched.ts';
import { queueFigures } from '../transfer/queue.ts';
import { type WaitingCounts, waitingCounts } from '../zones/outbox.ts';
import type { ZoneSite } from '../zones/settings.ts';
import { adminOperation } from './operation.ts';
import { statusProblems } from './status-problems.ts';

/** A server that follows this one now. */
export interface FollowerStatus {
  readonly hostname: string;
  /** ISO 8601 */
  readonly since: string;
}

/** Who else has this directory. */
export interface OtherServersStatus {
  /** Undefined: this server follows none. */
  readonly provider: ProviderStatus | undefined;
  readonly followers: readonly FollowerStatus[];
}

export interface ServerStatus {
  readonly version: string;
  /** Of the store. */
  readonly format: number;
  readonly startedAt: string;
  readonly hostname: string;
  readonly listeners: Readonly<Record<string, string>>;
  readonly revision: Revision;
  readonly generation: number;
  readonly queued: number;
  /** Whether clients are offered SCRAM, and how many users have a password without keys for it. */
  readonly scram: ScramStatus;
  /** Records at the name servers of others: domains that wait, seconds of the oldest, domains in conflict. */
  readonly publishing: WaitingCounts;
  /** Of mail that is searched: accounts with an index, and how far these are. */
  readonly index: IndexFigures;
  /** The server that this one follows; null: the directory is its own. */
  readonly provider: ProviderStatus | null;
  readonly followers: readonly FollowerStatus[];
  readonly problems: readonly string[];
}

export interface StatusParts {
  readonly zoneSite: ZoneSite;
  readonly reader: Reader;
  readonly version: string;
  readonly startedAt: string;
  readonly hostname: string;
  readonly listeners: Readonly<Record<string, string>>;
  readonly scram: ScramSetting;
  readonly otherServers: OtherServersStatus;
}

export const status = (parts: StatusParts) =>
  adminOperation('status', z.strictObject({}), (): ServerStatus => {
    const { reader, zoneSite, scram, version, startedAt, hostname, listeners, otherServers } = parts;
    const { provider, followers } = otherServers;
    return {
      version,
      format: FORMAT,
      startedAt,
      hostname,
      listeners,
      revision: reader.revision(),
      generation: readState(reader).generation,
      queued: queueFigures(reader).rows,
      scram: scramStatus(reader, scram),
      publishing: waitingCounts(reader, Date.now()),
      index: indexFigures(reader, Date.now()),
      provider: provider ?? null,
      followers,
      problems: [...providerProblems(provider), ...statusProblems(reader, zoneSite)],
    };
  });

function providerProblems(provider: ProviderStatus | undefined): readonly string[] {
  if (provider === undefined || provider.state !== 'retrying') return [];
  const { url, since, lastError } = provider;
  return [`the server that is followed, ${url}, cannot be reached since ${since}: ${lastError ?? 'it is tried'}`];
}
