// Zones of a second server, as it follows the first one's feed: what stood in them at a serial is what stood there at the first.
//
// Random changes at the first, told in whole commits, in parts, and with gaps; each seed is one run, the same each time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Revision } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import { sightOf } from '../../directory/access/sight.ts';
import { ADMINISTRATOR_CALLER } from '../../directory/caller.ts';
import { newestChange } from '../../directory/change-log.ts';
import { formatCsn } from '../../directory/csn.ts';
import { parseDn } from '../../directory/dn.ts';
import { entriesAfter } from '../../directory/entries.ts';
import type { Entry } from '../../directory/entry.ts';
import { Feed, type FeedPosition } from '../../directory/feed.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { ZoneFollower } from '../../zones/changes.ts';
import { namesAt } from '../../zones/names-at.ts';
import { pathOf } from '../../zones/path.ts';
import { readZoneSettings } from '../../zones/settings.ts';
import { zoneStates } from '../../zones/states.ts';
import { encodeZonesTold, parseZonesTold, type ToldChange, ZoneNews, type ZonesTold } from '../../zones/told.ts';
import { zoneState } from '../../zones/transfer.ts';
import { add, addDomain, domainDn, openTestDirectory, remove, replace, type TestDirectory } from '../testing.ts';
import { type FollowedChange, type Reached, takeProvided } from './position.ts';

const APEX = 'acme.test';
const NAMES = ['a', 'b', 'c', 'd', 'sub'].map((label) => `${label}.${APEX}`);
const STEPS = 60;
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const site = { hostname: 'mail.test.example', mode: 'embedded' } as const;
const content = { base: parseDn(''), scope: 'sub', filter: parseFilter('(objectClass=*)') } as const;

function putOf(entry: Entry): FollowedChange {
  const { id, dn, uuid, createdAt, modifiedAt, attributes, revision } = entry;
  const kept = { id, dn, uuid, createdAt, modifiedAt, attributes: [...attributes.values()] };
  return { change: { kind: 'put', entry: kept }, revision, at: modifiedAt };
}

function removalOf(uuid: string): FollowedChange {
  return { change: { kind: 'removal', uuid }, revision: undefined, at: 1 };
}

/** As it goes over the wire. */
function sent(told: ZonesTold): ZonesTold {
  return parseZonesTold(encodeZonesTold(told))!;
}

class Follower {
  readonly #first: TestDirectory;
  readonly #second: TestDirectory;
  #feed: Feed;
  #news: ZoneNews;

  constructor(first: TestDirectory, second: TestDirectory, from: FeedPosition) {
    this.#first = first;
    this.#second = second;
    this.#feed = new Feed(first.reader, content, from);
    this.#news = new ZoneNews(first.reader, { since: from.revision, from: from.revision });
  }

  static async start(first: TestDirectory, second: TestDirectory): Promise<Follower> {
    const from = newestChange(first.reader)!;
    const news = new ZoneNews(first.reader, { since: undefined, from: from.revision });
    const marks = [...news.begin(from.revision)].flatMap((told) => sent(told).marks);
    const changes = entriesAfter(first.reader, 0, 1000).map(putOf);
    await second.writer.execute(takeProvided, { changes, zoneMarks: marks, reached: reachedBy(from, undefined) });
    return new Follower(first, second, from);
  }

  /** All that has happened, `parts` entries of it each in a commit of its own before the others. */
  async follow(parts: number, isToldChanges: boolean): Promise<void> {
    const { reader } = this.#first;
    const sight = sightOf(reader, ADMINISTRATOR_CALLER, true);
    const changes: FollowedChange[] = [];
    const told: ZonesTold[] = [];
    for (let isAtEnd = false; !isAtEnd; ) {
      const next = this.#news.beside(
        () => this.#feed.next(sight),
        () => this.#feed.position.revision,
      );
      ({ isAtEnd } = next);
      for (const step of next.page.steps)
        changes.push(step.kind === 'entry' ? putOf(step.entry) : removalOf(step.uuid));
      if (next.told !== undefined) told.push(sent(next.told));
    }
    const { writer } = this.#second;
    for (const change of changes.splice(0, parts))
      await writer.execute(takeProvided, { changes: [change], reached: undefined });
    const marks = told.flatMap((each) => each.marks);
    const zoneChanges = isToldChanges ? told.flatMap((each) => each.changes) : undefined;
    const reached = reachedBy(this.#feed.position, zoneChanges);
    await writer.execute(takeProvided, { changes, zoneMarks: marks, reached });
  }
}

function reachedBy({ revision, at }: FeedPosition, zoneChanges: readonly ToldChange[] | undefined): Reached {
  return { cookie: `rid=001,csn=${formatCsn(revision, at)}`, revision, zoneChanges };
}

function rowsAt(reader: Reader, revision: Revision): readonly unknown[] {
  const names = namesAt(reader, revision);
  return [APEX, ...NAMES].map((name) => {
    const { row, entry } = names.find(name) ?? {};
    return row && [name, row, entry];
  });
}

function serialAt(reader: Reader): number {
  return zoneState(reader, APEX, readZoneSettings(reader, site))!.zone.serial;
}

/** Numbers below `below`, the same for a seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
}

for (const seed of SEEDS)
  test(`what stood in a zone at each serial is the same at both servers: seed ${seed}`, async () => {
    const [first, second] = [await openTestDirectory(), await openTestDirectory()];
    try {
      const random = numbers(seed);
      await first.apply(addDomain(APEX));
      const follower = await Follower.start(first, second);
      const there = new Set<string>();
      const change = async (): Promise<void> => {
        const name = NAMES[random(NAMES.length)]!;
        const dn = domainDn(name);
        const address = `192.0.2.${random(250)}`;
        if (!there.has(name)) {
          const isDomain = name.startsWith('sub');
          const node = { objectClass: ['dNSDomain'], dc: name.split('.')[0]!, aRecord: address };
          await first.apply(isDomain ? addDomain(name) : add(dn, node));
          there.add(name);
        } else if (random(3) === 0) {
          await first.apply(remove(dn));
          there.delete(name);
        } else await first.apply(replace(dn, random(4) === 0 ? { description: address } : { aRecord: address }));
      };
      const seen = new ZoneFollower(second.reader);
      let wasInStep = second.reader.revision() === newestChange(first.reader)!.revision;
      let reading: { revision: Revision; rows: readonly unknown[] } | undefined;
      for (let step = 0; step < STEPS; step++) {
        for (let count = random(6); count >= 0; count--) await change();
        const before = rowsAt(second.reader, second.reader.revision());
        const serial = serialAt(second.reader);
        const parts = random(3) === 0 ? 1 + random(3) : 0;
        const hasChanges = random(8) !== 0;
        await follower.follow(parts, hasChanges);

        const { revision } = newestChange(first.reader)!;
        const states = zoneStates(second.reader)!;
        assert.equal(states.isOnTheWay, false);
        assert.equal(serialAt(second.reader), serialAt(first.reader));
        // With more commits than changes it has come past the first, and begins anew when that one has caught up.
        const isInStep = second.reader.revision() === revision;
        assert.equal(states.since < revision, hasChanges && isInStep && wasInStep);
        wasInStep = isInStep;
        for (let at: number = states.since; at <= revision; at++)
          assert.deepEqual(rowsAt(second.reader, at as Revision), rowsAt(first.reader, at as Revision), `at ${at}`);
        // Who is reading a zone meanwhile goes on with it as it was.
        if (reading !== undefined) assert.deepEqual(rowsAt(second.reader, reading.revision), reading.rows);
        if (random(3) === 0)
          reading = { revision: second.reader.revision(), rows: rowsAt(second.reader, second.reader.revision()) };
        // Who remembers answers hears of each row and serial that has moved.
        const moved = seen.follow()!;
        const now = rowsAt(second.reader, second.reader.revision());
        const told = new Set(moved.paths);
        for (const [at, name] of [APEX, ...NAMES].entries())
          if (JSON.stringify(before[at]) !== JSON.stringify(now[at])) assert.ok(told.has(pathOf(name)), name);
        if (serialAt(second.reader) !== serial) assert.ok(moved.paths.some((path) => path.startsWith(pathOf(APEX))));
      }
    } finally {
      first.close();
      second.close();
    }
  });
