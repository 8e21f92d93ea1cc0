// A message brings its domain: every way the evidence can turn out, and what is made of it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Writer } from '../database/operation.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { children, findEntry } from '../directory/entries.ts';
import { hasClass, textValues } from '../directory/entry.ts';
import { tryParseAddress } from '../message/address.ts';
import { replies } from '../routing/replies.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { zoneNames } from '../zones/names.ts';
import { type ArrivalOutcome, type ArrivalParts, Arrivals } from './arrival.ts';
import {
  arrivalReplies,
  judgeEvidence,
  type MxEvidence,
  mxEvidenceOf,
  NEW_DOMAINS_OF_SITE,
  NEW_DOMAINS_PER_PEER,
} from './evidence.ts';
import { noteArrival } from './tables.ts';
import {
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  testSite,
  userDn,
} from './testing.ts';

const US = 'mail.test.example';
const OURS = records([10, US], [20, 'mx1.elsewhere.example']);
const NONE: MxEvidence = { kind: 'none' };

function records(...exchanges: readonly (readonly [number, string])[]): MxEvidence {
  return {
    kind: 'records',
    exchanges: exchanges.map(([preference, exchange]) => ({ preference, exchange })),
    dnssec: false,
  };
}

/** The name beside the one that is asked for: sixteen digits that nobody has defined. */
function isSibling(domain: string): boolean {
  return /^[0-9a-f]{16}\./.test(domain);
}

/** What a resolver says of the name, and that there is none beside it. */
function saying(evidence: MxEvidence, beside: MxEvidence = NONE): ArrivalParts['lookUpMx'] {
  return async (domain) => (isSibling(domain) ? beside : evidence);
}

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory();
  await directory.apply(
    addDomain('acme.example', { mailDomainCatchallAddress: 'ann@acme.example' }),
    addUser('ann@acme.example'),
  );
});
afterEach(() => directory.close());

/** Publishes what the directory says, as the DNS listener does. */
async function published(domain: string): Promise<string[]> {
  return zoneNames(directory.reader).find(domain)?.row !== undefined ? ['mail.test.example'] : [];
}

function arrivals(parts: Partial<ArrivalParts> = {}): Arrivals {
  const { cache, reader, writer } = directory;
  return new Arrivals({
    policy: 'auto',
    cache,
    reader,
    writer,
    clock: systemClock,
    lookUpMx: saying(OURS),
    publishedMx: published,
    ...parts,
  });
}

async function arrive(domain: string, parts: Partial<ArrivalParts> = {}, peer = '192.0.2.1'): Promise<ArrivalOutcome> {
  return comeTo(arrivals(parts), `x@${domain}`, peer);
}

/** A stranger's message for this address. */
function comeTo(desk: Arrivals, recipient: string, peer = '192.0.2.1'): Promise<ArrivalOutcome> {
  const address = tryParseAddress(recipient)!;
  const candidate = desk.candidate(address.domain);
  assert.ok(candidate !== undefined, `${address.domain} is a candidate`);
  const request = { sender: undefined, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
  return desk.arrive(candidate, { address, request, peer });
}

async function refusal(domain: string, parts: Partial<ArrivalParts> = {}, peer?: string): Promise<unknown> {
  const outcome = await arrive(domain, parts, peer);
  assert.ok(!outcome.arrived);
  return outcome.reply;
}

test('the domain of a message comes with its nodes, its record and its routes, step by step', async () => {
  const outcome = await arrive('a.b.acme.example');
  assert.ok(outcome.arrived);
  assert.deepEqual(
    outcome.steps.map(({ number, step }) => [number, step]),
    [
      [602, 'name received'],
      [undefined, 'evidence'],
      [604, 'entries made'],
      [606, 'record served and observed'],
    ],
  );
  const b = findEntry(directory.reader, domainDn('b.acme.example'))!;
  assert.ok(b.generated && !hasClass(b, 'maildomain'));
  const keys = (address: string) => directory.resolve(address).targets.map(({ key }) => key);
  assert.deepEqual(keys('anybody@a.b.acme.example'), keys('ann@acme.example'));
  assert.equal(directory.resolve('x@b.acme.example').relay, true);
});

test('a name between comes later as a domain of its own', async () => {
  await arrive('a.b.acme.example');
  const outcome = await arrive('b.acme.example');
  assert.ok(outcome.arrived);
  assert.equal(directory.resolve('x@b.acme.example').targets.length, 1);
});

test('twenty messages at once make the domain once, from one thread or from two', async () => {
  const lookUps: string[] = [];
  const lookUpMx = (domain: string): Promise<MxEvidence> => {
    lookUps.push(domain);
    return saying(OURS)(domain);
  };
  const threads = [arrivals({ lookUpMx }), arrivals({ lookUpMx })];
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, n) => {
      const thread = threads[n % 2]!;
      return comeTo(thread, `r${n}@a.b.acme.example`);
    }),
  );
  assert.ok(outcomes.every((outcome) => outcome.arrived));
  assert.equal(lookUps.filter((name) => !isSibling(name)).length, 2);
  assert.equal(lookUps.length, 4, 'each asks for the name and for one beside it');
  const made = new Set(outcomes.map(({ steps }) => steps.find(({ number }) => number === 604)!.detail));
  assert.equal([...made].filter((detail) => !detail.startsWith('the domain was there already')).length, 1);
});

test('only names a little below an active domain of ours are looked up, and only when the setting says so', async () => {
  const desk = arrivals();
  assert.ok(desk.candidate('a.b.c.d.acme.example'));
  for (const domain of [
    'a.b.c.d.e.acme.example',
    'acme.example',
    'other.example',
    'example',
    'a_b.acme.example',
    '[192.0.2.1]',
    `${'x'.repeat(64)}.acme.example`,
  ])
    assert.equal(desk.candidate(domain), undefined, domain);
  assert.equal(arrivals({ policy: 'off' }).candidate('a.acme.example'), undefined);
  await directory.apply(replace(domainDn('acme.example'), { mailDomainStatus: 'inactive' }));
  assert.equal(desk.candidate('a.acme.example'), undefined);
});

const UNAVAILABLE: MxEvidence = { kind: 'unavailable', reason: 'SERVFAIL' };

/** What is said of the name, what of one beside it, and what becomes of it. */
const findings: readonly (readonly [what: string, name: MxEvidence, sibling: MxEvidence, 'yes' | 'no' | 'unknown'])[] =
  [
    ['we alone', records([10, US]), NONE, 'yes'],
    ['we first', OURS, NONE, 'yes'],
    ['we among the first', records([10, 'mx.elsewhere.example'], [10, US]), NONE, 'yes'],
    ['another MX beside it', OURS, records([10, 'mx.elsewhere.example']), 'yes'],
    ['an alias beside it', OURS, { kind: 'alias' }, 'yes'],
    ['we are the backup', records([10, 'mx.elsewhere.example'], [20, US]), NONE, 'no'],
    ['others alone', records([10, 'mx.elsewhere.example']), NONE, 'no'],
    ['a name below ours', records([10, `not.${US}`]), NONE, 'no'],
    ['nothing', NONE, NONE, 'no'],
    ['an alias', { kind: 'alias' }, NONE, 'no'],
    ['a null MX', records([0, '.']), NONE, 'no'],
    ['a null MX beside us', records([0, US], [10, '.']), NONE, 'no'],
    ['an address', records([0, US], [10, '192.0.2.1']), NONE, 'no'],
    ['localhost', records([0, US], [10, 'localhost']), NONE, 'no'],
    ['a wildcard, in another order', records([10, US], [20, 'b.example']), records([20, 'b.example'], [10, US]), 'no'],
    ['no answer', UNAVAILABLE, NONE, 'unknown'],
    ['no answer beside it', OURS, UNAVAILABLE, 'unknown'],
    ['a sure no, and no answer beside it', records([10, 'b.example'], [20, US]), UNAVAILABLE, 'no'],
  ];
for (const [what, name, sibling, expected] of findings)
  test(`evidence: ${what}: ${expected}`, () => {
    const verdict = judgeEvidence({ name, sibling }, testSite);
    assert.equal(verdict === 'yes' ? 'yes' : Object.keys(verdict)[0], expected);
  });

test('a host that is only the backup MX does not become the home', async () => {
  const lookUpMx = saying(records([10, 'mx.elsewhere.example'], [20, US]));
  assert.equal(await refusal('a.acme.example', { lookUpMx }), replies.relayDenied);
  assert.equal(findEntry(directory.reader, domainDn('a.acme.example')), undefined);
});

test('what a resolver answers is read as it stands, without following aliases', () => {
  const none = { authoritative: false, authenticData: false, authorities: [], additionals: [] };
  const mx = {
    name: 'A.acme.example',
    class: 1,
    ttl: 0,
    type: 'MX',
    preference: 5,
    exchange: 'MAIL.test.example',
  } as const;
  const alias = { name: 'a.acme.example', class: 1, ttl: 0, type: 'CNAME', target: 'b.acme.example' } as const;
  const kindOf = (rcode: number, ...answers: readonly ResourceRecord[]) =>
    mxEvidenceOf('a.acme.example', { ...none, rcode, answers }).kind;
  assert.deepEqual(mxEvidenceOf('a.acme.example', { ...none, rcode: 0, answers: [mx] }), records([5, US]));
  assert.equal(kindOf(0, alias, { ...mx, name: 'b.acme.example' }), 'alias');
  assert.equal(kindOf(0, { ...mx, name: 'b.acme.example' }), 'none', 'a record of another name');
  assert.deepEqual([kindOf(0), kindOf(3), kindOf(2), kindOf(5)], ['none', 'none', 'unavailable', 'unavailable']);
  assert.equal(mxEvidenceOf('a.acme.example', { unavailable: 'time-out' }).kind, 'unavailable');
});

test('without evidence the sender is a stranger; without an answer it may try again', async () => {
  const answers: readonly [MxEvidence, unknown][] = [
    [NONE, replies.relayDenied],
    [records([10, 'mx.elsewhere.example'], [20, US]), replies.relayDenied],
    [UNAVAILABLE, arrivalReplies.noEvidence],
  ];
  for (const [answer, reply] of answers)
    assert.equal(await refusal('a.acme.example', { lookUpMx: saying(answer) }), reply);
  assert.equal(await refusal('a.acme.example', { lookUpMx: saying(OURS, OURS) }), replies.relayDenied);
  const failing = async (): Promise<MxEvidence> => {
    throw new Failure('unavailable', 'no resolver');
  };
  assert.equal(await refusal('a.acme.example', { lookUpMx: failing }), arrivalReplies.noEvidence);
  assert.equal(findEntry(directory.reader, domainDn('a.acme.example')), undefined);
});

test('a resolver that stays silent is not waited for', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const reply = refusal('a.acme.example', { lookUpMx: () => new Promise(() => {}) });
  t.mock.timers.tick(2000);
  assert.equal(await reply, arrivalReplies.noEvidence);
});

test('a recipient that the new domain would refuse for good makes nothing; another one of it does', async () => {
  await directory.apply(addDomain('b.test'));
  const revision = directory.reader.revision();
  const desk = arrivals();
  const outcome = await comeTo(desk, 'nobody@a.b.test');
  assert.ok(!outcome.arrived && outcome.ofRecipient);
  assert.equal(outcome.reply.enhanced, replies.noSuchUser.enhanced);
  assert.equal(findEntry(directory.reader, domainDn('a.b.test')), undefined);
  assert.equal(directory.reader.revision(), revision);
  assert.ok((await comeTo(desk, 'postmaster@a.b.test')).arrived);
});

test('of two at once for one name the one that it would refuse does not take the other along', async () => {
  await directory.apply(addDomain('b.test'));
  const desk = arrivals();
  const [refused, taken] = await Promise.all([comeTo(desk, 'nobody@a.b.test'), comeTo(desk, 'postmaster@a.b.test')]);
  assert.ok(!refused.arrived && refused.ofRecipient);
  assert.ok(taken.arrived);
});

test('a catch-all that is disabled for good makes nothing', async () => {
  await directory.apply(replace(userDn('ann@acme.example'), { inetUserStatus: 'deleted' }));
  assert.deepEqual(await refusal('a.acme.example'), replies.deleted);
  assert.equal(findEntry(directory.reader, domainDn('a.acme.example')), undefined);
});

test('the entry says what has brought it, and keeps its other exchanges', async () => {
  await arrive('a.acme.example');
  const entry = findEntry(directory.reader, domainDn('a.acme.example'))!;
  assert.deepEqual(textValues(entry, 'waypostdomainorigin'), ['message']);
  assert.deepEqual(textValues(entry, 'mxrecord'), ['20 mx1.elsewhere.example.']);
  const { at, ...evidence } = JSON.parse(textValues(entry, 'waypostdomainevidence')[0]!);
  assert.ok(Date.parse(at) > 0);
  assert.deepEqual(evidence, {
    mx: [`10 ${US}`, '20 mx1.elsewhere.example'],
    asked: 'resolver',
    authoritative: false,
    dnssec: false,
    peer: '192.0.2.1',
    sender: '',
  });
});

test('where somebody else keeps the zone, the evidence is the observation', async () => {
  await directory.apply(replace(domainDn('acme.example'), { waypostZoneAuthority: 'theirs' }));
  assert.ok((await arrive('a.acme.example', { publishedMx: async () => [] })).arrived);
  const entry = findEntry(directory.reader, domainDn('a.acme.example'))!;
  assert.deepEqual(textValues(entry, 'waypostdomainstate'), ['active']);
});

test('a domain whose record is not observed has not arrived yet; the next message finds it there', async () => {
  assert.equal(await refusal('a.acme.example', { publishedMx: async () => [] }), arrivalReplies.notPublished);
  assert.equal(directory.resolve('x@a.acme.example').targets.length, 1);
});

test('a peer brings a number of domains an hour and no more, whatever thread it speaks to', async () => {
  let now = Date.UTC(2026, 10, 24);
  const clock = { now: () => now, monotonic: () => 0 };
  for (let n = 0; n < NEW_DOMAINS_PER_PEER; n++) {
    now += 1000;
    assert.ok((await arrive(`d${n}.acme.example`, { clock })).arrived);
  }
  assert.equal(await refusal('more.acme.example', { clock }), arrivalReplies.tooMany);
  assert.ok((await arrive('d0.acme.example', { clock })).arrived, 'what is there already is no new domain');
  assert.ok((await arrive('other.acme.example', { clock }, '192.0.2.2')).arrived, 'another peer has its own number');
  now += 3_600_000;
  assert.ok((await arrive('more.acme.example', { clock })).arrived);
});

test('a store that cannot take the entries is a temporary reply', async () => {
  const failing = (failure: Failure): Writer => ({ execute: () => Promise.reject(failure) });
  const full = failing(new Failure('full', 'no space'));
  assert.equal(await refusal('a.acme.example', { writer: full }), arrivalReplies.full);
  const busy = failing(new Failure('unavailable', 'too much is waiting'));
  assert.equal(await refusal('a.acme.example', { writer: busy }), arrivalReplies.notPublished);
});

test('all peers together bring a number of domains an hour and no more', async () => {
  const now = Date.UTC(2026, 10, 24);
  const noteMany = operation('test.note-arrivals', async (tx, count: number) => {
    for (let n = 0; n < count; n++)
      await noteArrival(tx, { tenant: TENANT, peer: `peer ${n}`, at: now, domain: `${n}` }, now - 1);
  });
  await directory.writer.execute(noteMany, NEW_DOMAINS_OF_SITE - 1);
  const clock = { now: () => now + 1000, monotonic: () => 0 };
  assert.ok((await arrive('last.acme.example', { clock })).arrived);
  assert.equal(await refusal('more.acme.example', { clock }), arrivalReplies.tooMany);
  const later = { ...clock, now: () => now + 3_601_000 };
  assert.ok((await arrive('more.acme.example', { clock: later })).arrived);
});

test('a removed domain does not come back by a message, nor does a name below it, and nothing is looked up', async () => {
  await arrive('a.acme.example');
  await arrive('b.acme.example');
  await directory.apply(remove(domainDn('a.acme.example')));
  let lookUps = 0;
  const lookUpMx = (domain: string): Promise<MxEvidence> => {
    lookUps++;
    return saying(OURS)(domain);
  };
  const revision = directory.reader.revision();
  const desk = arrivals({ lookUpMx });
  for (let n = 0; n < 10_000; n++) {
    const outcome = await comeTo(desk, `x@${n % 2 === 0 ? '' : `n${n % 500}.`}a.acme.example`);
    assert.ok(!outcome.arrived && outcome.reply === replies.relayDenied);
  }
  assert.equal(lookUps, 0);
  assert.equal(directory.reader.revision(), revision, 'nothing has been made');
});

test('a removal that comes between the look-up and the making is seen', async () => {
  const lookUpMx = async (domain: string): Promise<MxEvidence> => {
    if (isSibling(domain)) {
      await directory.apply(addDomain('a.acme.example'));
      await directory.apply(remove(domainDn('a.acme.example')));
    }
    return saying(OURS)(domain);
  };
  assert.equal(await refusal('a.acme.example', { lookUpMx }), replies.relayDenied);
});

test('whoever adds the domain takes its tombstone away; a loss of the class leaves one, a rename none', async () => {
  const stones = () => childNames('ou=Tombstones,ou=Waypost,o=internet');
  // A leaf, so that it can be renamed.
  const withoutContainers = { inetDomainBaseDN: domainDn('acme.example') };
  await directory.apply(addDomain('a.acme.example', withoutContainers));
  assert.deepEqual(stones(), []);
  await directory.apply(remove(domainDn('a.acme.example')));
  assert.deepEqual(stones(), ['a.acme.example']);
  await directory.apply(addDomain('a.acme.example', withoutContainers));
  assert.deepEqual(stones(), []);
  await directory.apply({
    kind: 'rename',
    dn: domainDn('a.acme.example'),
    newRdn: 'dc=c',
    deleteOldRdn: true,
    newSuperior: undefined,
  });
  assert.deepEqual(stones(), []);
  await directory.apply(replace(domainDn('c.acme.example'), { objectClass: ['domain'] }));
  assert.deepEqual(stones(), ['c.acme.example']);
  await assert.rejects(directory.apply(remove('ou=Tombstones,ou=Waypost,o=internet')), /cannot be deleted/);
});

function childNames(dn: string): string[] {
  const above = findEntry(directory.reader, dn)!;
  return children(directory.reader, above.id, 100).flatMap((entry) => textValues(entry, 'associateddomain'));
}

test('a refusal is remembered for five minutes', async () => {
  let now = 0;
  let lookUps = 0;
  const clock = { now: () => Date.UTC(2026, 10, 24), monotonic: () => now };
  let evidence: MxEvidence = NONE;
  const lookUpMx = (domain: string): Promise<MxEvidence> => {
    lookUps++;
    return saying(evidence)(domain);
  };
  const desk = arrivals({ clock, lookUpMx });
  for (let n = 0; n < 100; n++) assert.ok(!(await comeTo(desk, 'x@a.acme.example')).arrived);
  assert.equal(lookUps, 2);
  evidence = OURS;
  now += 300_001;
  assert.ok((await comeTo(desk, 'x@a.acme.example')).arrived);
});
