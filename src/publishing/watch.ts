// The watch: domains whose records others serve are looked at, often until they were seen, then each one every six hours.
//
// In      rows of dns_watch; the clock
// Out     looks, each written down where it has changed something (observed.ts)
// States  of a domain: begun -> looked at after 1, 2, 5, 10, 20, 40, 60, 60 .. seconds, until all was seen or ten minutes are over -> in
//         its second of the six hours. When a look is due follows from the row: nothing is written for that, nothing lost at a start
// Limits  LOOKS_MAX at once; OFTEN_MAX domains in the often looked at, others wait for a place; WAITING_MAX that are due
// Never   asks twice at once for one domain; makes a statement where no domain is due and none has begun

import type { Clock } from '../base/clock.ts';
import type { Notification, Reader, Writer } from '../database/operation.ts';
import { DnsClient } from '../net/dns-client.ts';
import { zoneNames } from '../zones/names.ts';
import { pathOf } from '../zones/path.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import {
  nextLook,
  WATCH_PERIOD_S,
  type Watch,
  watchedInSeconds,
  watchedNext,
  watchesBegun,
  watchOf,
} from '../zones/watch.ts';
import { observe, type WantedRecords, wantedRecords } from './observe.ts';
import { noteObservation, type ObservationParts, unwatch } from './observed.ts';
import { Questions } from './questions.ts';

const LOOK_MS = 250;
const LOOKS_MAX = 16;
const OFTEN_MAX = 200_000;
const WAITING_MAX = 10_000;
const PAGE = 500;

export interface WatchParts extends ObservationParts {
  readonly writer: Writer & { onNotification(listener: (notification: Notification) => void): () => void };
  readonly clock: Clock;
  readonly zoneSite: ZoneSite;
  /** As the configuration has it. */
  readonly resolver: readonly string[];
  /** `address:port` of our own name server, '' without one. */
  readonly ownDns: string;
}

export function watchDomains(parts: WatchParts): { stop(): Promise<void> } {
  const watch = new DomainWatch(parts);
  const timer = setInterval(() => watch.turn(), LOOK_MS);
  const end = parts.writer.onNotification(({ kind }) => {
    if (kind === 'watch') watch.hasBegun();
  });
  return {
    stop() {
      clearInterval(timer);
      end();
      return watch.stop();
    },
  };
}

class DomainWatch {
  readonly #parts: WatchParts;
  readonly #client: DnsClient;
  /** When each is due, epoch milliseconds. */
  readonly #often = new Map<string, number>();
  /** Due for their look of the six hours. */
  readonly #waiting = new Set<string>();
  readonly #underWay = new Map<string, Promise<void>>();
  /** The number of the last watch that was read. */
  #read = 0;
  /** The second of the period up to which domains have become due. */
  #second: number;
  /** The first second behind it in which one is due, Infinity where none is; undefined: that is not known. */
  #nextSecond: number | undefined;
  /** A watch may have begun that was not read. */
  #isBegun = true;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#client = new DnsClient({ servers: parts.resolver, lookUpsMax: LOOKS_MAX * 16 });
    this.#second = secondOf(parts.clock.now());
  }

  hasBegun(): void {
    this.#isBegun = true;
    this.#nextSecond = undefined;
  }

  turn(): void {
    const { reader, clock, log } = this.#parts;
    const now = clock.now();
    try {
      this.#readBegun(reader, now);
      this.#readDue(reader, now);
    } catch (error) {
      log.error('dns.observe', { error: String(error) });
    }
    for (const [domain, dueAt] of this.#often) {
      if (this.#underWay.size >= LOOKS_MAX) return;
      if (dueAt <= now) this.#begin(domain);
    }
    for (const domain of this.#waiting) {
      if (this.#underWay.size >= LOOKS_MAX) return;
      if (this.#begin(domain)) this.#waiting.delete(domain);
    }
  }

  async stop(): Promise<void> {
    this.#client.close();
    await Promise.all(this.#underWay.values());
  }

  #readBegun(reader: Reader, now: number): void {
    if (!this.#isBegun || this.#often.size >= OFTEN_MAX) return;
    const begun = watchesBegun(reader, this.#read, PAGE);
    for (const watch of begun) {
      this.#read = watch.number;
      this.#put(watch, now);
    }
    this.#isBegun = begun.length === PAGE;
  }

  #readDue(reader: Reader, now: number): void {
    const second = secondOf(now);
    // A clock that has jumped, or a turn that comes late: what was due since then is, at most the whole period.
    const from = this.#second;
    if (second === from || this.#waiting.size > WAITING_MAX) return;
    this.#second = second;
    if (second > from && this.#nextSecond !== undefined && this.#nextSecond > second) return;
    const due =
      second > from
        ? watchedInSeconds(reader, from, second)
        : [...watchedInSeconds(reader, from, WATCH_PERIOD_S), ...watchedInSeconds(reader, -1, second)];
    for (const domain of due) if (!this.#often.has(domain)) this.#waiting.add(domain);
    this.#nextSecond = watchedNext(reader, second) ?? Number.POSITIVE_INFINITY;
  }

  #put({ domain, begun, isSeen }: Watch, now: number): void {
    const next = isSeen ? undefined : nextLook(Math.max(0, now - begun));
    // Behind the others: with many, each has its turn.
    this.#often.delete(domain);
    if (next !== undefined) this.#often.set(domain, begun + next);
  }

  #begin(domain: string): boolean {
    if (this.#underWay.has(domain)) return false;
    const look = this.#look(domain)
      .catch((error: unknown) => this.#parts.log.warn('dns.observe', { domain, error: String(error) }))
      .finally(() => {
        this.#underWay.delete(domain);
        this.#again(domain);
      });
    this.#underWay.set(domain, look);
    return true;
  }

  async #look(domain: string): Promise<void> {
    const { reader, writer, zoneSite, clock, ownDns } = this.#parts;
    const [wanted, watch] = reader.snapshot(() => [
      wantedRecords(domain, { names: zoneNames(reader), settings: readZoneSettings(reader, zoneSite) }),
      watchOf(reader, pathOf(domain)),
    ]) as [WantedRecords | undefined, Watch | undefined];
    if (watch === undefined) return;
    if (wanted === undefined || wanted.standing.authority === 'ours') {
      await writer.execute(unwatch, domain);
      return;
    }
    const observation = await observe(wanted, new Questions(this.#client), ownDns);
    await noteObservation(this.#parts, { wanted, observation, watch, now: clock.now() });
  }

  /** After a look: when the next one is due, by the row as it is now. */
  #again(domain: string): void {
    const { reader, clock, log } = this.#parts;
    if (!this.#often.has(domain)) return;
    try {
      const watch = watchOf(reader, pathOf(domain));
      if (watch === undefined) this.#often.delete(domain);
      else this.#put(watch, clock.now());
    } catch (error) {
      log.error('dns.observe', { error: String(error) });
    }
  }
}

/** Of the period. */
function secondOf(now: number): number {
  return Math.floor(now / 1000) % WATCH_PERIOD_S;
}
