// NOTIFY: the name servers that are secondary for our zones are told, behind the commit, which zones have moved.
//
// In      the directory's revision; what has moved since the last look; at a start, and where much has, all zones in turn
// Out     a NOTIFY a zone and address of a secondary, the catalog's first, signed with its key where its entry has one
// States  of each: due -> told -> done where it is taken; where it is refused or not answered due again after 1, 2, 4, 8 s, TRIES in all
// Limits  a zone once in ZONE_MS; MESSAGES_MAX a look; WAITING_MAX before the turn through all zones goes on
// Never   holds up what serves: a secondary that has got none looks by itself when its copy is due (SOA refresh)
// RFC 1996 §3, RFC 8945 §5

import { DnsClient } from '../net/dns-client.ts';
import { formatEndpoint } from '../net/listen.ts';
import { RCODE } from '../wire/dns/codes.ts';
import { parentName } from '../wire/dns/name.ts';
import { apexPage } from '../zones/apexes.ts';
import { catalogName } from '../zones/catalog.ts';
import { changedSince } from '../zones/changes.ts';
import { zoneNames } from '../zones/names.ts';
import { nameOfPath } from '../zones/path.ts';
import { findZone } from '../zones/records.ts';
import { catalogMoved, type NameServerRow, readZoneSettings, type ZoneSettings } from '../zones/settings.ts';
import type { PublisherParts } from './publisher-jobs.ts';
import { zoneSite } from './zone-site.ts';
import { tsigKeyOf } from './zone-transfers.ts';

const LOOK_MS = 200;
const ZONE_MS = 1000;
const TRIES = 5;
const RETRY_MS = 1000;
const ANSWER_MS = 2000;
/** 100 a second. */
const MESSAGES_MAX = 20;
/** Of the turn through all zones, a look. */
const TURN_NAMES = 100;
const WAITING_MAX = 200;

type NotifyParts = Pick<PublisherParts, 'configuration' | 'log' | 'shared' | 'database' | 'site'>;

interface Message {
  readonly zone: string;
  readonly server: NameServerRow;
  readonly endpoint: NameServerRow['addresses'][number];
  readonly tries: number;
  readonly dueMs: number;
}

export function notifySecondaries(parts: NotifyParts): { stop(): Promise<void> } {
  const job = new ZoneNotify(parts);
  const timer = setInterval(() => job.look(), LOOK_MS);
  return {
    stop() {
      clearInterval(timer);
      return job.stop();
    },
  };
}

class ZoneNotify {
  readonly #parts: NotifyParts;
  readonly #client = new DnsClient({ lookUpsMax: WAITING_MAX, waitingMax: WAITING_MAX });
  /** By zone and address, in the order in which they became due. */
  readonly #waiting = new Map<string, Message>();
  /** When each zone was told last, of the last ZONE_MS. */
  readonly #toldMs = new Map<string, number>();
  readonly #underWay = new Set<Promise<void>>();
  /** What was sent last to each zone and address, until it is answered. */
  readonly #sent = new Map<string, Message>();
  #ofRevision: number | undefined;
  #catalogOf = -1;
  /** How far the turn through all zones has come; undefined: there is none. */
  #turnAfter: string | undefined;

  constructor(parts: NotifyParts) {
    this.#parts = parts;
  }

  look(): void {
    const { database, shared, log } = this.#parts;
    try {
      if (shared.revision() !== this.#ofRevision || this.#turnAfter !== undefined)
        database.reader.snapshot(() => this.#follow());
    } catch (error) {
      log.error('dns.notify', { error: String(error) });
    }
    this.#send();
  }

  async stop(): Promise<void> {
    this.#waiting.clear();
    this.#client.close();
    await Promise.all(this.#underWay);
  }

  #follow(): void {
    const { database, configuration, site } = this.#parts;
    const { reader } = database;
    const settings = readZoneSettings(reader, zoneSite({ configuration, hostnames: [...site.hostnames] }));
    const revision = reader.revision();
    const moved =
      this.#ofRevision === undefined ? undefined : changedSince(reader, this.#ofRevision as typeof revision);
    const catalogOf = Math.max(catalogMoved(reader), settings.changedAt);
    if (catalogOf !== this.#catalogOf) this.#mark(catalogName(settings), settings);
    this.#catalogOf = catalogOf;
    this.#ofRevision = revision;
    if (!settings.nameServers.some(({ role }) => role === 'secondary')) {
      // Nobody to tell: a site without secondaries reads no zones for them.
      this.#turnAfter = undefined;
      return;
    }
    if (moved === undefined || moved.all) this.#turnAfter = '';
    else this.#markNames(moved.paths.map(nameOfPath), settings);
    if (this.#turnAfter === undefined || this.#waiting.size > WAITING_MAX) return;
    const page = apexPage(reader, { revision, settings }, { after: this.#turnAfter, names: TURN_NAMES });
    for (const { name } of page.apexes) this.#mark(name, settings);
    this.#turnAfter = page.last;
  }

  /** A name that ends a zone, or has ended one, has moved in the zone above, too. */
  #markNames(moved: readonly string[], settings: ZoneSettings): void {
    const parts = { names: zoneNames(this.#parts.database.reader), settings };
    const zones = moved.flatMap((name) => [name, parentName(name) ?? name].map((each) => findZone(each, parts)?.name));
    for (const zone of new Set(zones)) if (zone !== undefined) this.#mark(zone, settings);
  }

  #mark(zone: string, { nameServers }: ZoneSettings): void {
    const dueMs = (this.#toldMs.get(zone) ?? Number.NEGATIVE_INFINITY) + ZONE_MS;
    for (const server of nameServers)
      if (server.role === 'secondary')
        for (const endpoint of server.addresses) this.#wait({ zone, server, endpoint, tries: 0, dueMs });
  }

  #wait(message: Message): void {
    const { zone, endpoint } = message;
    this.#waiting.set(`${zone} ${formatEndpoint(endpoint.address, endpoint.port)}`, message);
  }

  #send(): void {
    const now = performance.now();
    for (const [zone, at] of this.#toldMs) if (at + ZONE_MS <= now) this.#toldMs.delete(zone);
    let count = 0;
    for (const [key, message] of this.#waiting) {
      if (message.dueMs > now) continue;
      if (++count > MESSAGES_MAX) return;
      this.#waiting.delete(key);
      this.#toldMs.set(message.zone, now);
      this.#sent.set(key, message);
      const told = this.#tell(key, message)
        .catch((error: unknown) => {
          this.#sent.delete(key);
          this.#parts.log.error('dns.notify', { zone: message.zone, error: String(error) });
        })
        .finally(() => this.#underWay.delete(told));
      this.#underWay.add(told);
    }
  }

  async #tell(waitingKey: string, message: Message): Promise<void> {
    const { zone, server, endpoint, tries } = message;
    const key = tsigKeyOf(this.#parts.database.reader, server);
    const answer = await this.#client.notify(endpoint, zone, { ...(key && { key }), deadlineMs: ANSWER_MS });
    const isLast = this.#sent.get(waitingKey) === message;
    if (isLast) this.#sent.delete(waitingKey);
    const peer = formatEndpoint(endpoint.address, endpoint.port);
    const said = 'unavailable' in answer ? { error: answer.unavailable } : { rcode: answer.rcode };
    // A secondary that has not got the zone yet refuses, too.
    if (said.rcode === RCODE.NOERROR) this.#parts.log.info('dns.notify', { zone, peer, ...said });
    else if (tries + 1 >= TRIES) this.#parts.log.warn('dns.notify', { zone, peer, ...said });
    // Where it has moved again, it is told from the beginning.
    else if (isLast && !this.#waiting.has(waitingKey))
      this.#wait({ ...message, tries: tries + 1, dueMs: performance.now() + RETRY_MS * 2 ** tries });
  }
}
