// The sources of this server, kept up: each zone is looked at when its server says so and when its SOA record says so.
//
// In      the entries below ou=Sources, read again after each commit that changes one; NOTIFY; commands
// Out     domain entries (zone-changes.ts); what `sync status` says of each source
// States  of a source: waiting (nothing came yet since the start) -> current -> retrying -> expired; any but the first again
//         current by the next look that succeeds. `unusable`: its entry names no server or no zone
// Rules   a look asks each server in turn for the SOA record, and for the zone where the serial has risen (RFC 1982); the
//         first look of a run always transfers. An expired zone takes nothing away: mail is not refused because a server is
//         silent
// Limits  SOURCES_MAX sources; one run a zone at a time; looks at least SHORTEST_MS apart, however often a server says NOTIFY
// RFC 1034 §4.3.5, RFC 1035 §3.3.13, RFC 1982 §3.2, RFC 1996 §4.7

import { DAY_MS } from '../base/duration.ts';
import { asFailure, Failure } from '../base/failure.ts';
import type { Log } from '../base/log.ts';
import { children, countWith, findEntry } from '../directory/entries.ts';
import { askSoa, transferZone, type ZoneServer } from '../net/zone-client.ts';
import { containerDn } from '../routing/containers.ts';
import type { SoaRdata } from '../wire/dns/rdata.ts';
import { applyZone, type ZoneChangeParts, type ZoneOutcome } from './zone-changes.ts';
import { ZoneMail } from './zone-mail.ts';
import { formatZoneServer, sourceMark, type ZoneSource, zoneSourceOf } from './zone-source.ts';

const SOURCES_MAX = 1000;
const SHORTEST_MS = 1000;
/** A SOA record may ask for less, or for more than a timer holds. */
const REFRESH_MIN_MS = 60_000;
const REFRESH_MAX_MS = DAY_MS;
/** Before a SOA record has come. */
const FIRST_RETRY_MS = 60_000;

export type SourceState = 'waiting' | 'current' | 'retrying' | 'expired' | 'unusable';

export interface SourceStatus {
  readonly name: string;
  readonly kind: 'dns';
  /** Domain entries that follow it. */
  readonly entries: number;
  readonly state: SourceState;
  readonly lastError: string | null;
}

export interface ZoneSourcesParts extends ZoneChangeParts {
  /** This host's name and its former ones. */
  readonly hostnames: readonly string[];
  readonly log: Log;
  /** Another server of this directory follows them: here a zone is taken once, where that is asked for. */
  readonly isElsewhere?: boolean;
  /** The shortest time between two looks by themselves, whatever a SOA record says. Tests shorten it. */
  readonly refreshMinMs?: number;
}

/** What is remembered of a source. */
interface Kept {
  source: ZoneSource;
  /** Of the last transfer, whole and written. */
  soa: SoaRdata | undefined;
  /** What the directory has may not be what the zone of `soa` says. */
  isBehind: boolean;
  /** By the monotonic clock: the last look that succeeded, and the last one at all. */
  goodAt: number;
  lookedAt: number;
  lastError: string | undefined;
  /** When the next look begins; in the past while it is under way. */
  looksAt: number;
  timer: NodeJS.Timeout | undefined;
  /** A server has said NOTIFY since the last look began. */
  isNotified: boolean;
  /** The runs of this zone, one behind the other. */
  runs: Promise<unknown>;
}

export class ZoneSources {
  readonly #parts: ZoneSourcesParts;
  /** By zone. */
  readonly #kept = new Map<string, Kept>();
  #isOver = false;

  constructor(parts: ZoneSourcesParts) {
    this.#parts = parts;
  }

  /** Reads the entries: new sources are looked at, and those with other servers. What an entry's end leaves stays. */
  read(): void {
    if (this.#isOver || this.#parts.isElsewhere === true) return;
    const sources = this.#sources();
    for (const [zone, kept] of this.#kept) {
      if (sources.has(zone)) continue;
      clearTimeout(kept.timer);
      this.#kept.delete(zone);
    }
    for (const [zone, source] of sources) {
      const kept = this.#kept.get(zone);
      if (kept === undefined) this.#kept.set(zone, this.#begin(source));
      else if (serversText(kept.source) !== serversText(source)) {
        kept.source = source;
        kept.isBehind = true;
        this.#lookIn(kept, 0);
      } else kept.source = source;
    }
  }

  #sources(): ReadonlyMap<string, ZoneSource> {
    const { reader } = this.#parts;
    const sources = new Map<string, ZoneSource>();
    const container = findEntry(reader, containerDn('sources'));
    for (const entry of container === undefined ? [] : children(reader, container.id, SOURCES_MAX)) {
      const source = zoneSourceOf(entry);
      if (source !== undefined) sources.set(source.zone, source);
    }
    return sources;
  }

  #begin(source: ZoneSource): Kept {
    const kept: Kept = {
      source,
      soa: undefined,
      isBehind: true,
      goodAt: 0,
      lookedAt: -SHORTEST_MS,
      looksAt: 0,
      lastError: undefined,
      timer: undefined,
      isNotified: false,
      runs: Promise.resolve(),
    };
    this.#lookIn(kept, 0);
    return kept;
  }

  /** A server of this zone says that it has changed. */
  notified(zone: string): void {
    const kept = this.#kept.get(zone);
    if (kept === undefined) return;
    kept.isNotified = true;
    const now = this.#parts.clock.monotonic();
    // One that begins sooner sees it too; what is under way may have asked already, and #next sees the mark.
    if (kept.looksAt > now + SHORTEST_MS) this.#lookIn(kept, Math.max(0, kept.lookedAt + SHORTEST_MS - now));
  }

  /** Takes the zone from this server now, whatever its serial, and makes the directory follow. Throws what goes wrong. */
  synchronize(zone: string, server: ZoneServer, dryRun: boolean): Promise<ZoneOutcome> {
    const kept = this.#kept.get(zone);
    if (kept === undefined) return this.#transfer(zone, server, dryRun).then(({ outcome }) => outcome);
    return this.#inTurn(kept, async () => {
      if (dryRun) return (await this.#transfer(zone, server, true)).outcome;
      try {
        return await this.#follow(kept, server);
      } catch (error) {
        this.#failed(kept, error);
        throw error;
      } finally {
        this.#next(kept);
      }
    });
  }

  status(): SourceStatus[] {
    return [...this.#kept.values()].map((kept) => ({
      name: kept.source.zone,
      kind: 'dns',
      entries: countWith(this.#parts.reader, 'waypostSource', sourceMark(kept.source.zone)),
      state: this.#state(kept),
      lastError: kept.source.problem ?? kept.lastError ?? null,
    }));
  }

  #state({ source, soa, goodAt, lastError }: Kept): SourceState {
    if (source.servers.length === 0) return 'unusable';
    if (soa === undefined) return lastError === undefined ? 'waiting' : 'retrying';
    if (this.#parts.clock.monotonic() - goodAt > soa.expire * 1000) return 'expired';
    return lastError === undefined ? 'current' : 'retrying';
  }

  /** What is under way ends before its next slice. */
  end(): void {
    this.#isOver = true;
    for (const { timer } of this.#kept.values()) clearTimeout(timer);
    this.#kept.clear();
  }

  readonly #goesOn = (): void => {
    if (this.#isOver) throw new Failure('unavailable', 'The server is stopping');
  };

  #lookIn(kept: Kept, ms: number): void {
    clearTimeout(kept.timer);
    kept.looksAt = this.#parts.clock.monotonic() + ms;
    kept.timer = setTimeout(() => void this.#inTurn(kept, () => this.#look(kept)), ms).unref();
  }

  #inTurn<T>(kept: Kept, run: () => Promise<T>): Promise<T> {
    const result = kept.runs.then(run);
    kept.runs = result.catch(() => {});
    return result;
  }

  /** Never rejects. */
  async #look(kept: Kept): Promise<void> {
    const { zone, servers } = kept.source;
    kept.isNotified = false;
    let isGood = false;
    for (const server of servers) {
      if (this.#isOver || isGood) break;
      try {
        await this.#lookAt(kept, zone, server);
        isGood = true;
      } catch (error) {
        this.#failed(kept, error);
      }
    }
    this.#next(kept);
  }

  async #lookAt(kept: Kept, zone: string, server: ZoneServer): Promise<void> {
    if (kept.soa === undefined || kept.isBehind) {
      await this.#follow(kept, server);
      return;
    }
    const soa = await askSoa(server, zone);
    if (isLater(soa.serial, kept.soa.serial)) await this.#follow(kept, server);
    else this.#succeeded(kept, kept.soa);
  }

  async #follow(kept: Kept, server: ZoneServer): Promise<ZoneOutcome> {
    kept.isBehind = true;
    const { soa, outcome } = await this.#transfer(kept.source.zone, server, false);
    kept.isBehind = false;
    this.#succeeded(kept, soa);
    const { zone, made, changed, removed, kept: left } = outcome;
    const from = formatZoneServer(server);
    this.#parts.log.info('sync.zone', { zone, from, serial: soa.serial, made, changed, removed, kept: left });
    return outcome;
  }

  /** Nothing is written before the zone is whole. */
  async #transfer(zone: string, server: ZoneServer, dryRun: boolean): Promise<{ soa: SoaRdata; outcome: ZoneOutcome }> {
    const mail = new ZoneMail(zone, this.#parts.hostnames);
    const soa = await transferZone(server, zone, (record) => mail.note(record));
    const contents = { zone, domains: mail.domains(), dryRun, goesOn: this.#goesOn };
    return { soa, outcome: await applyZone(this.#parts, contents) };
  }

  #succeeded(kept: Kept, soa: SoaRdata): void {
    kept.soa = soa;
    kept.goodAt = this.#parts.clock.monotonic();
    kept.lastError = undefined;
  }

  #failed(kept: Kept, error: unknown): void {
    const { message, detail } = asFailure(error);
    kept.lastError = message;
    this.#parts.log.warn('sync.zone', { zone: kept.source.zone, error: message, detail });
  }

  /** The next look, by what the SOA record says. */
  #next(kept: Kept): void {
    kept.lookedAt = this.#parts.clock.monotonic();
    if (this.#isOver || this.#kept.get(kept.source.zone) !== kept) return;
    const { soa, lastError, source } = kept;
    if (source.servers.length === 0) return;
    if (kept.isNotified) {
      this.#lookIn(kept, SHORTEST_MS);
      return;
    }
    const asked = soa === undefined ? FIRST_RETRY_MS : 1000 * (lastError === undefined ? soa.refresh : soa.retry);
    this.#lookIn(kept, Math.min(REFRESH_MAX_MS, Math.max(this.#parts.refreshMinMs ?? REFRESH_MIN_MS, asked)));
  }
}

function serversText({ servers }: ZoneSource): string {
  return servers.map(formatZoneServer).join(' ');
}

/** RFC 1982 §3.2, in 32 bits: half of the numbers lie ahead of each. Of the one just opposite nothing is said. */
function isLater(serial: number, than: number): boolean {
  const ahead = (serial - than + 0x1_0000_0000) % 0x1_0000_0000;
  return ahead > 0 && ahead < 0x8000_0000;
}
