// Publishing: what domains want is written at the primaries that have their zones.
//
// In      the outbox; the notification of a commit that has put a domain there; the time
// Out     one update a domain and primary, and one call to the writer a try, two where something is added
// States  of a domain: due -> tried -> done, or due again after 1 s, 5 s, 30 s, 2 min, then 10 min, for ever, whatever the answer
//         A look is due by a commit's word, the end of a try, or the time that a row waits for: else no statement is made
// Limits  TRIES_MAX domains at once, SERVER_MAX of one primary: one that does not answer leaves turns to the others
// Never   stores what is to be written: it is computed from the directory at the try. Never reads across an await

import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Notification, Reader, Writer } from '../database/operation.ts';
import { DnsClient } from '../net/dns-client.ts';
import type { ChangeSite } from '../provisioning/write-options.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import type { TsigKey } from '../wire/dns/tsig.ts';
import { authorityOf } from '../zones/authority.ts';
import { zoneNames } from '../zones/names.ts';
import { type DueDomain, dueAt, outboxDueAt, waitingServers } from '../zones/outbox.ts';
import { nameOfPath } from '../zones/path.ts';
import { type PublishedAt, type PublishingPlace, publishedOf } from '../zones/published.ts';
import { domainRecords } from '../zones/records.ts';
import type { NameServerRow, ZoneSettings } from '../zones/settings.ts';
import { intend, type TriedArguments, triedOperation } from './outbox-operations.ts';
import type { Conflict } from './plan.ts';
import { type PrimaryOutcome, updatePrimary } from './primary.ts';

export interface PublishingParts {
  readonly reader: Reader;
  readonly writer: Writer & { onNotification(listener: (notification: Notification) => void): () => void };
  readonly log: Log;
  readonly clock: Clock;
  readonly site: ChangeSite;
  readonly settings: () => ZoneSettings;
  /** The key that the primary's entry names, with its secret. */
  readonly keyOf: (server: NameServerRow) => TsigKey | undefined;
}

const LOOK_MS = 1000;
const TRIES_MAX = 4;
const SERVER_MAX = 2;
const BACK_OFF_MS = [1000, 5000, 30_000, 120_000];
const BACK_OFF_LAST_MS = 600_000;

export function publishRecords(parts: PublishingParts): { stop(): Promise<void> } {
  const publisher = new Publisher(parts);
  const timer = setInterval(() => publisher.turn(), LOOK_MS);
  const end = parts.writer.onNotification(({ kind }) => {
    if (kind === 'outbox') publisher.look();
  });
  publisher.look();
  return {
    stop() {
      clearInterval(timer);
      end();
      return publisher.stop();
    },
  };
}

/** A zone at a primary, and what of the domain is to stand there. */
interface Task extends PublishedAt {
  readonly wanted: readonly ResourceRecord[];
  readonly row: NameServerRow | undefined;
  readonly key: TsigKey | undefined;
  /** It has the domain now. */
  readonly isCurrent: boolean;
}

/** What a try has come to. */
interface Come extends Pick<TriedArguments, 'places' | 'conflicts' | 'isPublished'> {
  readonly error: string | undefined;
}

class Publisher {
  readonly #parts: PublishingParts;
  readonly #client = new DnsClient();
  readonly #tried: ReturnType<typeof triedOperation>;
  /** Domains that are being tried, by path, with the server of their row. */
  readonly #underWay = new Map<string, { readonly server: string; readonly ended: Promise<void> }>();
  #turn = 0;
  /** When the last look was made, and when the next is due. */
  #lookedAt = 0;
  #dueAt = 0;
  #isStopped = false;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
    this.#tried = triedOperation(parts.site);
  }

  /** A clock that has been set back says nothing about what is due. */
  turn(): void {
    const now = this.#parts.clock.now();
    if (now >= this.#dueAt || now < this.#lookedAt) this.look();
  }

  look(): void {
    if (this.#isStopped) return;
    this.#dueAt = 0;
    try {
      this.#start();
    } catch (error) {
      this.#parts.log.error('dns.publish', { error: String(error) });
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#client.close();
    await Promise.all([...this.#underWay.values()].map(({ ended }) => ended));
  }

  #start(): void {
    const { reader, clock } = this.#parts;
    const now = clock.now();
    this.#lookedAt = now;
    const servers = waitingServers(reader);
    // What is due and has no place now has its look when one of those under way ends.
    this.#dueAt = outboxDueAt(reader, servers, now) ?? Number.POSITIVE_INFINITY;
    if (this.#underWay.size >= TRIES_MAX) return;
    // Each begins in turn, so that a few that do not answer do not have all tries to themselves.
    this.#turn++;
    for (let i = 0; i < servers.length; i++) {
      const server = servers[(i + this.#turn) % servers.length]!;
      const running = [...this.#underWay.values()].filter((one) => one.server === server).length;
      if (running >= SERVER_MAX) continue;
      for (const due of dueAt(reader, { server, now, limit: SERVER_MAX + TRIES_MAX })) {
        if (this.#underWay.size >= TRIES_MAX) return;
        if (this.#underWay.has(due.path)) continue;
        const ofServer = [...this.#underWay.values()].filter((one) => one.server === server).length;
        if (ofServer >= SERVER_MAX) break;
        this.#begin(due, server);
      }
    }
  }

  #begin(due: DueDomain, server: string): void {
    const ended = this.#try(due)
      .catch((error: unknown) => {
        this.#parts.log.error('dns.publish', { domain: nameOfPath(due.path), error: String(error) });
        return this.#noteTried(due, { places: [], conflicts: [], isPublished: false, error: String(error) });
      })
      // The writer takes nothing now: the next look is early enough.
      .then(
        () => true,
        () => false,
      )
      .then((isNoted) => {
        this.#underWay.delete(due.path);
        if (isNoted) this.look();
        else this.#dueAt = 0;
      });
    this.#underWay.set(due.path, { server, ended });
  }

  async #noteTried(due: DueDomain, { error, ...come }: Come): Promise<void> {
    const now = this.#parts.clock.now();
    const next = now + (BACK_OFF_MS[due.attempts] ?? BACK_OFF_LAST_MS);
    const args: TriedArguments = { due, ...come, ...(error !== undefined && { failed: { error, next } }), now };
    await this.#parts.writer.execute(this.#tried, args);
  }

  async #try(due: DueDomain): Promise<void> {
    const { reader, log } = this.#parts;
    const domain = nameOfPath(due.path);
    const tasks = reader.snapshot(() => this.#tasks(due.path));
    const places: PublishedAt[] = [];
    const conflicts: Conflict[] = [];
    let error: string | undefined;
    let isPublished = false;
    for (const task of tasks) {
      const { server, zone, isCurrent } = task;
      const outcome = await this.#publish(due, task);
      if (outcome.result === 'moved' || this.#isStopped) return;
      if (outcome.result === 'done') {
        places.push({ server, zone, records: outcome.published });
        conflicts.push(...outcome.conflicts);
        isPublished ||= isCurrent;
        const { added, removed } = outcome;
        log.info('dns.publish', { domain, zone, server, added, removed, conflicts: outcome.conflicts.length });
        for (const { name, type, found } of outcome.conflicts)
          log.warn('dns.conflict', { domain, server, name, type, found: found.join(', ') });
        continue;
      }
      if (outcome.result === 'refused' && outcome.published !== undefined)
        places.push({ server, zone, records: outcome.published });
      error = `${outcome.result}: ${outcome.reason}`;
      log.warn('dns.publish', { domain, zone, server, error: outcome.reason, attempt: due.attempts + 1 });
    }
    await this.#noteTried(due, { places, conflicts, isPublished, error });
  }

  async #publish(due: DueDomain, task: Task): Promise<PrimaryOutcome> {
    const { row, key, zone, server, wanted, records } = task;
    if (row === undefined)
      return { result: 'refused', reason: `no entry says where the primary ${server} of ${zone} is` };
    return updatePrimary(
      { client: this.#client, server: row, key, zone },
      {
        wanted,
        published: records,
        isForced: due.isForced && task.isCurrent,
        intend: (added) =>
          this.#parts.writer.execute(intend, { due, server, zone, records: added, now: this.#parts.clock.now() }),
      },
    );
  }

  /** Where it was published before and is not to be any more, then where it belongs. */
  #tasks(path: string): readonly Task[] {
    const { reader, keyOf } = this.#parts;
    const settings = this.#parts.settings();
    const names = zoneNames(reader);
    const domain = nameOfPath(path);
    const standing = authorityOf(domain, names, settings);
    const isThere = names.find(domain)?.row?.domain !== undefined;
    const { server, zone } = standing;
    const current =
      isThere && standing.authority === 'updatable' && server !== undefined && zone !== undefined
        ? { server, zone }
        : undefined;
    const published = publishedOf(reader, path);
    const taskOf = (place: PublishingPlace, wanted: readonly ResourceRecord[]): Task => {
      const row = settings.nameServers.find(({ key, role }) => key === place.server && role === 'primary');
      const isCurrent = isSamePlace(place, current);
      const records = published.find((each) => isSamePlace(each, place))?.records ?? [];
      return { ...place, wanted, row, key: row && keyOf(row), records, isCurrent };
    };
    const former = published.filter((place) => !isSamePlace(place, current)).map((place) => taskOf(place, []));
    if (current === undefined) return former;
    return [...former, taskOf(current, recordsIn(current.zone, domain, { names, settings }))];
  }
}

function isSamePlace(one: PublishingPlace, other: PublishingPlace | undefined): boolean {
  return other !== undefined && one.server === other.server && one.zone === other.zone;
}

/** What the domain wants in this zone: what lies in a deeper zone of a primary is not written through this one. */
function recordsIn(
  zone: string,
  domain: string,
  parts: Parameters<typeof domainRecords>[1],
): readonly ResourceRecord[] {
  const deeper = parts.settings.nameServers
    .flatMap(({ role, zones }) => (role === 'primary' ? zones : []))
    .filter((each) => each !== zone && isSubdomain(each, zone));
  return domainRecords(domain, parts).filter(({ name }) => !deeper.some((each) => isSubdomain(name, each)));
}
