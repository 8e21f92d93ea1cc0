// sync status, full, domain, verify, digest, rows: the tables made from the directory, and the proof that they are right.
// sync from-dns, from-zone: domain entries made from another server's zone.

import { z } from 'zod';
import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import { ZONE_FILE_BYTES } from '../base/limits.ts';
import type { Reader } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { unfitEntries } from '../directory/unfit-entries.ts';
import { normalizeDomain } from '../message/address.ts';
import type { ZoneServer } from '../net/zone-client.ts';
import type { LdapSource } from '../provisioning/ldap-source.ts';
import type { SourceProbe } from '../provisioning/mirror/probe.ts';
import type { MirrorStatus } from '../provisioning/mirror/source-mirror.ts';
import type { ProviderStatus } from '../provisioning/replica/replica.ts';
import { type ProvisioningParts, submitChange } from '../provisioning/submit.ts';
import { applyZone, type ZoneOutcome } from '../provisioning/zone-changes.ts';
import { mailOfFile } from '../provisioning/zone-from-file.ts';
import { formatZoneServer, parseZoneServer, zoneSourceDn, zoneSourceOf } from '../provisioning/zone-source.ts';
import type { SourceStatus, ZoneSources } from '../provisioning/zone-sources.ts';
import { type Digest, digestLines, digestTables } from '../routing/digest.ts';
import { readState } from '../routing/generation.ts';
import { misplacedDomains } from '../routing/misplaced.ts';
import type { Synchronized, SyncRuns, Verification } from '../routing/sync-runs.ts';
import { countRows, type EntryProblems, readProblems } from '../routing/table-contents.ts';
import { readRoute } from '../routing/tables.ts';
import { unservedShares } from '../routing/unserved.ts';
import { type LeftBehind, leftBehind } from '../zones/left-behind.ts';
import type { ZoneSite } from '../zones/settings.ts';
import { adminOperation } from './operation.ts';
import type { OtherServersStatus } from './status.ts';

/** Sources of entries, in their own thread. */
export interface DirectorySources {
  status(): Promise<readonly MirrorStatus[]>;
  /** All that a source has lost may go. */
  acceptRemovals(source: string): Promise<void>;
  /** What a source brings, or would bring. */
  probe(source: LdapSource): Promise<SourceProbe>;
}

export interface SyncParts extends ProvisioningParts {
  readonly reader: Reader;
  readonly syncRuns: SyncRuns;
  readonly zoneSources: ZoneSources;
  readonly directory: DirectorySources;
  readonly otherServers: OtherServersStatus;
  readonly zoneSite: ZoneSite;
  /** This host's name and its former ones. */
  readonly hostnames: readonly string[];
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
  /** The server that this one follows; null: the directory is its own. */
  readonly provider: ProviderStatus | null;
  readonly sources: readonly (SourceStatus | MirrorStatus)[];
  readonly problems: readonly EntryProblems[];
  /** Entries that do not fit the schema: `directory check` names them. */
  readonly unfit: number;
}

export const syncStatus = ({ reader, syncRuns, zoneSources, directory, otherServers, zoneSite }: SyncParts) =>
  adminOperation('sync.status', z.strictObject({}), async (): Promise<SyncStatus> => {
    const stays = (await leftBehind(reader, zoneSite)).map(leftBehindProblem);
    const others = [...(await misplacedDomains(reader)), ...(await unservedShares(reader)), ...stays];
    const { unfit } = await unfitEntries(reader);
    const mirrors = await directory.status();
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
        provider: otherServers.provider ?? null,
        sources: [...zoneSources.status(), ...mirrors],
        problems: [...readProblems(reader), ...others],
        unfit,
      };
    });
  });

function leftBehindProblem({ domain, zone }: LeftBehind): EntryProblems {
  const reason = `it stays in our zone ${zone}: no nSRecord of it names other name servers`;
  return { dn: dcDnOfDomain(domain), problems: [{ attribute: 'nSRecord', value: '', reason }] };
}

export const syncFull = ({ syncRuns }: SyncParts) =>
  adminOperation('sync.full', z.strictObject({}), (): Promise<Synchronized> => syncRuns.full());

const domainName = z.string().min(1).max(1000);

export const syncDomain = ({ syncRuns }: SyncParts) =>
  adminOperation('sync.domain', z.strictObject({ domain: domainName }), ({ domain }): Promise<Synchronized> => {
    return syncRuns.domain(nameOf(domain));
  });

export const syncVerify = ({ syncRuns }: SyncParts) =>
  adminOperation('sync.verify', z.strictObject({}), (): Promise<Verification> => syncRuns.verify());

export const syncDigest = ({ reader }: SyncParts) =>
  adminOperation('sync.digest', z.strictObject({ domain: domainName.optional() }), ({ domain }): Promise<Digest> => {
    const name = domain === undefined ? undefined : knownDomain(reader, domain);
    return digestTables(reader, name, () => new Promise((resolve) => setImmediate(resolve)));
  });

/** The lines behind the digest, a thousand at most behind `after`, the last one of the answer before. */
export const syncRows = ({ reader }: SyncParts) =>
  adminOperation(
    'sync.rows',
    z.strictObject({ domain: domainName.optional(), after: z.string().max(20_000_000).optional() }),
    ({ domain, after = '' }): string[] => {
      const name = domain === undefined ? undefined : knownDomain(reader, domain);
      return digestLines(reader, name, after);
    },
  );

/** A refresh that would remove most of a source's entries waits for this. */
export const syncSource = ({ directory }: SyncParts) =>
  adminOperation(
    'sync.source',
    z.strictObject({ source: z.string().min(1).max(255), acceptRemovals: z.literal(true) }),
    async ({ source }): Promise<{ source: string }> => {
      await directory.acceptRemovals(asciiLower(source));
      return { source };
    },
  );

/** Makes the source, or adds the server to it, and takes the zone now. */
export const syncFromDns = (parts: SyncParts) =>
  adminOperation(
    'sync.from-dns',
    z.strictObject({ zone: domainName, server: z.string().min(1).max(100), dryRun: z.boolean().optional() }),
    async ({ zone: name, server: text, dryRun = false }, caller, peer): Promise<ZoneOutcome> => {
      const zone = nameOf(name);
      const server = parseZoneServer(text);
      if (server === undefined) throw new Failure('invalid', `${text} is not an address of a server`);
      if (!dryRun) await keepSource(parts, { zone, server, caller, peer });
      return parts.zoneSources.synchronize(zone, server, dryRun);
    },
  );

interface AskedSource {
  readonly zone: string;
  readonly server: ZoneServer;
  readonly caller: Caller;
  readonly peer: string;
}

async function keepSource(parts: SyncParts, { zone, server, caller, peer }: AskedSource): Promise<void> {
  const dn = zoneSourceDn(zone);
  const entry = findEntry(parts.reader, dn);
  const source = entry && zoneSourceOf(entry);
  const text = formatZoneServer(server);
  if (source?.servers.some((each) => formatZoneServer(each) === text)) return;
  const value = { attribute: 'waypostZoneServer', values: [text] };
  const change: DirectoryChange =
    entry === undefined
      ? {
          kind: 'add',
          dn,
          attributes: [
            { name: 'objectClass', values: ['waypostZoneSource'] },
            { name: 'cn', values: [zone] },
            { name: value.attribute, values: value.values },
          ],
        }
      : { kind: 'modify', dn, modifications: [{ operation: 'add', ...value }] };
  await submitChange(parts, { changes: [change], caller, peer });
  parts.zoneSources.read();
}

/** Once: the entries carry the zone's mark, and nothing looks at it again. */
export const syncFromZone = (parts: SyncParts) =>
  adminOperation(
    'sync.from-zone',
    z.strictObject({
      /** A master file, a character an octet. */
      text: z.string().max(ZONE_FILE_BYTES),
      zone: domainName.optional(),
      dryRun: z.boolean().optional(),
    }),
    async ({ text, zone: name, dryRun = false }): Promise<ZoneOutcome> => {
      const { zone, mail } = await mailOfFile(text, name === undefined ? undefined : nameOf(name), parts.hostnames);
      return applyZone(parts, { zone, domains: mail.domains(), dryRun, goesOn: () => {} });
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
