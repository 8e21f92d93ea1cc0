// The plan of an update, held against a zone that others write in, too: a naive primary does what it is told, or nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import { CLASS_IN } from '../wire/dns/codes.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { rdataText } from '../wire/dns/text.ts';
import { encodeUpdate } from '../wire/dns/update.ts';
import { parseRdata, type WrittenType } from '../wire/dns/zone-file.ts';
import type { PublishedRecord } from '../zones/published.ts';
import { type UpdatePart, updateParts } from './parts.ts';
import { dataText, type FoundSet, planUpdate, setKey, setsToRead, type UpdatePlan } from './plan.ts';

function record(name: string, type: WrittenType, data: string, ttl = 300): ResourceRecord {
  return { name, class: CLASS_IN, ttl, ...parseRdata(type, data, '.') } as ResourceRecord;
}

const textOf = (one: ResourceRecord): string => `${setKey(one)} ${rdataText(one)}`;

/** Follows RFC 2136 to the letter, with a list of records and no more. */
class NaivePrimary {
  records: ResourceRecord[] = [];

  at(name: string, type: string): ResourceRecord[] {
    return this.records.filter((one) => one.name === name && one.type === type);
  }

  add(one: ResourceRecord): void {
    const isAlias = one.type === 'CNAME';
    const others = this.records.filter(({ name, type }) => name === one.name && (type === 'CNAME') !== isAlias);
    if (others.length > 0) return;
    this.records = this.records.filter((each) => textOf(each) !== textOf(one) && !(isAlias && each.name === one.name));
    this.records.push(one);
  }

  remove(one: ResourceRecord): void {
    this.records = this.records.filter((each) => textOf(each) !== textOf(one));
  }

  read(wanted: readonly ResourceRecord[], published: readonly PublishedRecord[]): Map<string, FoundSet> {
    return new Map(
      setsToRead(wanted, published).map((set) => {
        const isBeside = ({ name, type }: ResourceRecord) =>
          name === set.name && (set.type === 'CNAME' ? type !== 'CNAME' : type === 'CNAME');
        return [setKey(set), { records: this.at(set.name, set.type), beside: this.records.filter(isBeside) }];
      }),
    );
  }

  /** False: a prerequisite does not hold. */
  update({ prerequisites, changes }: Pick<UpdatePart, 'prerequisites' | 'changes'>): boolean {
    const holds = prerequisites.every((each) => {
      if ('noSet' in each) return this.at(each.noSet.name, each.noSet.type).length === 0;
      const [first] = each.set;
      const found = this.at(first!.name, first!.type);
      return found.map(textOf).sort().join() === each.set.map(textOf).sort().join();
    });
    if (!holds) return false;
    for (const each of changes) {
      if ('add' in each) this.add(each.add);
      else this.remove(each.remove);
    }
    return true;
  }
}

/** As one update, which is always large enough. */
function wholeOf(plan: UpdatePlan): UpdatePart {
  const [part, ...more] = updateParts(plan, 'example');
  assert.deepEqual(more, []);
  return part ?? { prerequisites: [], changes: [], added: [], removed: 0, after: plan.before };
}

/** So small that some sets need several; whole, where something must change together that is larger. */
function partsOf(plan: UpdatePlan, limit: number): readonly UpdatePart[] {
  try {
    return [...updateParts(plan, 'example', limit)];
  } catch (error) {
    assert.ok(error instanceof Failure && error.kind === 'too-large', String(error));
    return [...updateParts(plan, 'example')];
  }
}

const values: Readonly<Record<string, readonly string[]>> = {
  A: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
  MX: ['10 mx.a.example', '20 MX.b.example', '5 mx.c.example'],
  TXT: ['"v=spf1 -all"', '"v=spf1 mx ~all"', '"free"', '"more"', '"v=DMARC1; p=none"'],
  CNAME: ['a.example'],
};

const anyRecord = fc
  .tuple(
    fc.constantFrom('x.example', 'y.x.example'),
    fc.constantFrom('A', 'MX', 'TXT', 'CNAME'),
    fc.nat(),
    fc.boolean(),
  )
  .map(([name, type, number, isLong]) => {
    const data = values[type]![number % values[type]!.length]!;
    return record(name, type as WrittenType, data, isLong ? 3600 : 300);
  });

/** As an entry wants it: an alias stands alone, a set has one TTL, one text of a kind. */
const anyWanted = fc.array(anyRecord, { maxLength: 6 }).map((records) => {
  const aliases = new Set(records.filter(({ type }) => type === 'CNAME').map(({ name }) => name));
  const fitting = records.filter(({ name, type }) => !aliases.has(name) || type === 'CNAME');
  const byText = new Map(fitting.map((one) => [textOf(one), { ...one, ttl: 300 } as ResourceRecord]));
  const tags = new Set<string>();
  return [...byText.values()].filter((one) => {
    const tag =
      one.type === 'TXT' && one.strings[0]!.startsWith('v=') ? `${one.name} ${one.strings[0]!.slice(0, 5)}` : '';
    if (tag === '') return true;
    const isFirst = !tags.has(tag);
    tags.add(tag);
    return isFirst;
  });
});

interface Step {
  readonly wanted: readonly ResourceRecord[];
  readonly others: readonly ResourceRecord[];
  /** Somebody takes away a record of ours. */
  readonly isTaken: boolean;
  /** How large an update may be. */
  readonly limit: number;
  /** Somebody writes this before the part of this number, and what was read stands no more. */
  readonly between: readonly [part: number, record: ResourceRecord] | undefined;
}

/** What a server passes over, the alias or what stands beside it, depends on who comes first: no prerequisite of a set knows. */
function isAtAlias({ name, type }: ResourceRecord, records: readonly ResourceRecord[]): boolean {
  return type === 'CNAME' || records.some((one) => one.type === 'CNAME' && one.name === name);
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  wanted: anyWanted,
  others: fc.array(anyRecord, { maxLength: 3 }),
  isTaken: fc.boolean(),
  limit: fc.constantFrom(90, 120, 200, 0xffff),
  between: fc.option(fc.tuple(fc.nat(3), anyRecord), { nil: undefined }),
});

test('what others write is never touched, what is wanted stands there unless it is in conflict, and at the end nothing of ours is left', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 1, maxLength: 5 }), (steps) => {
      const primary = new NaivePrimary();
      const foreign = new Map<string, ResourceRecord>();
      let published: readonly PublishedRecord[] = [];
      const isOurs = (one: ResourceRecord): boolean =>
        published.some(({ name, type, data }) => `${name} ${type} ${data}` === `${setKey(one)} ${dataText(one)}`);
      const write = (other: ResourceRecord): void => {
        // Writing what is there already takes nothing over from us.
        if (primary.records.some((one) => dataText(one) === dataText(other) && setKey(one) === setKey(other))) return;
        primary.add(other);
        if (primary.records.includes(other)) foreign.set(textOf(other), other);
      };
      const check = (): void => {
        for (const one of foreign.values()) assert.ok(primary.records.includes(one), `touched ${textOf(one)}`);
        for (const one of primary.records) assert.ok(isOurs(one) || foreign.has(textOf(one)), `left ${textOf(one)}`);
      };
      const last: Step = { wanted: [], others: [], isTaken: false, limit: 90, between: undefined };
      for (const { wanted, others, isTaken, limit, between } of [...steps, last]) {
        for (const other of others) write(other);
        const ours = primary.records.find(isOurs);
        if (isTaken && ours !== undefined) primary.remove(ours);
        let conflicts: UpdatePlan['conflicts'] | undefined;
        for (let tries = 0; conflicts === undefined; tries++) {
          assert.ok(tries < 2, 'what was read again stands');
          const plan = planUpdate({ found: primary.read(wanted, published), wanted, published, isForced: false });
          let isDone = true;
          published = plan.before;
          for (const [number, part] of partsOf(plan, limit).entries()) {
            if (tries === 0 && number === between?.[0] && !isAtAlias(between[1], [...wanted, ...primary.records]))
              write(between[1]);
            isDone &&= primary.update(part);
            if (!isDone) break;
            published = part.after;
            check();
          }
          if (isDone) conflicts = plan.conflicts;
        }
        check();
        for (const one of wanted) {
          const isThere = primary.at(one.name, one.type).some((each) => dataText(each) === dataText(one));
          const inConflict = conflicts.some((each) => setKey(each) === setKey(one));
          assert.ok(isThere || inConflict, `not there: ${textOf(one)}`);
        }
        // A second look finds nothing to do.
        const again = planUpdate({ found: primary.read(wanted, published), wanted, published, isForced: false });
        assert.deepEqual(again.units, []);
      }
      assert.deepEqual(published, []);
    }),
    { numRuns: Number(process.env['PLAN_RUNS'] ?? 2000) },
  );
});

test('forced: all that is wanted stands there, and what does not stand in its way stays', () => {
  fc.assert(
    fc.property(anyWanted, fc.array(anyRecord, { maxLength: 6 }), (wanted, others) => {
      const primary = new NaivePrimary();
      for (const other of others) primary.add(other);
      const plan = planUpdate({ found: primary.read(wanted, []), wanted, published: [], isForced: true });
      assert.ok(primary.update(wholeOf(plan)));
      assert.deepEqual(plan.conflicts, []);
      for (const one of wanted)
        assert.ok(
          primary.at(one.name, one.type).some((each) => dataText(each) === dataText(one)),
          `not there: ${textOf(one)}`,
        );
      const isFree = ({ name, type }: ResourceRecord) =>
        !wanted.some((one) => one.name === name && (one.type === type || one.type === 'CNAME' || type === 'CNAME'));
      for (const other of others.filter(isFree))
        if (others.every((each) => each.name !== other.name || (each.type === 'CNAME') === (other.type === 'CNAME')))
          assert.ok(
            primary.records.some((one) => textOf(one) === textOf(other)),
            `touched ${textOf(other)}`,
          );
    }),
    { numRuns: Number(process.env['PLAN_RUNS'] ?? 2000) },
  );
});

test('a text is the same however it is cut, and data whatever the case of their names', () => {
  const long = 'v=DKIM1; k=rsa; p='.padEnd(400, 'A');
  const cut = { type: 'TXT', strings: [long.slice(0, 100), long.slice(100, 350), long.slice(350)] } as const;
  const whole = { type: 'TXT', strings: [long.slice(0, 255), long.slice(255)] } as const;
  assert.equal(dataText(cut), dataText(whole));
  assert.equal(dataText(record('x.example', 'MX', '10 MX.Example')), '10 mx.example.');
});

test('addresses come before the exchanges that they are of; a TTL of ours follows the entry', () => {
  const wanted = [record('x.example', 'MX', '10 mail.x.example'), record('mail.x.example', 'A', '192.0.2.1')];
  const none = { records: [], beside: [] };
  const plan = planUpdate({
    found: new Map(wanted.map((one) => [setKey(one), none])),
    wanted,
    published: [],
    isForced: false,
  });
  assert.deepEqual(
    wholeOf(plan).changes.map((each) => ('add' in each ? each.add.type : each)),
    ['A', 'MX'],
  );
  const found = new Map(wanted.map((one) => [setKey(one), { records: [{ ...one, ttl: 60 }], beside: [] }]));
  const again = planUpdate({ found, wanted, published: wholeOf(plan).after, isForced: false });
  assert.equal(wholeOf(again).changes.length, 4);
  assert.deepEqual(new Set(wholeOf(again).after), new Set(wholeOf(plan).after));
  // Theirs stays as it is.
  assert.deepEqual(planUpdate({ found, wanted, published: [], isForced: false }).units, []);
});

/** As large as a message may be, with its signature. */
const isSent = (part: UpdatePart, limit = 0xffff - 600): boolean =>
  encodeUpdate({ id: 0, zone: 'example', ...part }).length <= limit;

test('a domain of very many records comes, moves and goes in several updates: each exchange has its address at any time', () => {
  const COUNT = 80;
  const LIMIT = 4000;
  const records = (address: string, from: number): ResourceRecord[] =>
    Array.from({ length: COUNT }, (_, at) => `h${at + from}.x.example`).flatMap((host, at) => [
      record(`n${at}.x.example`, 'MX', `10 ${host}`),
      record(`n${at}.x.example`, 'TXT', `"v=spf1 a:${host} -all"`),
      record(host, 'A', address),
    ]);
  const dmarc = record('_dmarc.x.example', 'TXT', '"v=DMARC1; p=reject"');
  const primary = new NaivePrimary();
  let published: readonly PublishedRecord[] = [];
  const hasAddresses = (): boolean => {
    const hosts = new Set(primary.records.filter(({ type }) => type === 'A').map(({ name }) => name));
    return primary.records.every((one) => one.type !== 'MX' || hosts.has(one.exchange));
  };
  for (const wanted of [[dmarc, ...records('192.0.2.1', 0)], [dmarc, ...records('192.0.2.2', COUNT / 2)], []]) {
    const plan = planUpdate({ found: primary.read(wanted, published), wanted, published, isForced: false });
    const parts = [...updateParts(plan, 'example', LIMIT)];
    assert.ok(parts.length > 1 && parts.length < 10, String(parts.length));
    const texts = () => primary.records.filter(({ type, name }) => type === 'TXT' && name !== dmarc.name).length;
    for (const part of parts) {
      assert.ok(isSent(part, LIMIT));
      assert.ok(primary.update(part));
      assert.ok(hasAddresses());
      // Who is to reject what nothing vouches for is told so behind all that vouches.
      if (wanted.length > 0) assert.ok(primary.at(dmarc.name, 'TXT').length === 0 || texts() === COUNT);
      assert.equal(part.after.length, primary.records.length);
    }
    published = parts.at(-1)!.after;
    assert.deepEqual(primary.records.map(textOf).sort(), wanted.map(textOf).sort());
  }
});

test('a set that is too large for one update moves in several, and is never empty; what must change together and does not fit is said', () => {
  const texts = (letter: string) =>
    Array.from({ length: 12 }, (_, at) =>
      record('x.example', 'TXT', `"${at}" ${`"${letter.repeat(250)}" `.repeat(15)}`),
    );
  const primary = new NaivePrimary();
  let published: readonly PublishedRecord[] = [];
  for (const wanted of [texts('a'), texts('b'), texts('b').map((one) => ({ ...one, ttl: 60 }) as ResourceRecord), []]) {
    const plan = planUpdate({ found: primary.read(wanted, published), wanted, published, isForced: false });
    const parts = [...updateParts(plan, 'example')];
    assert.ok(parts.length > 1 || primary.records.length === 0, String(parts.length));
    for (const part of parts) {
      assert.ok(isSent(part));
      assert.ok(primary.update(part));
      assert.ok(primary.records.length > 0 || wanted.length === 0);
    }
    published = parts.at(-1)!.after;
    assert.deepEqual(
      primary.records.map((one) => `${one.ttl} ${textOf(one)}`).sort(),
      wanted.map((one) => `${one.ttl} ${textOf(one)}`).sort(),
    );
  }
  const many = Array.from({ length: 4000 }, (_, at) => record('x.example', 'A', `10.0.${at >> 8}.${at & 255}`));
  for (const one of many) primary.records.push(one);
  const alias = [record('x.example', 'CNAME', 'a.example')];
  const plan = planUpdate({ found: primary.read(alias, []), wanted: alias, published: [], isForced: true });
  assert.throws(() => [...updateParts(plan, 'example')], { kind: 'too-large' });
});
