// A message brings its domain: every way the evidence can turn out, and what is made of it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { TENANT } from '../../base/tenant.ts';
import { operation, type Writer } from '../../database/operation.ts';
import { countStatements } from '../../database/testing.ts';
import { ANONYMOUS } from '../../directory/caller.ts';
import { children, findEntry } from '../../directory/entries.ts';
import { hasClass, textValues } from '../../directory/entry.ts';
import { tryParseAddress } from '../../message/address.ts';
import type { DnsReply, Unavailable } from '../../net/dns-client.ts';
import { synchronizeFully } from '../../routing/rebuild.ts';
import { replies } from '../../routing/replies.ts';
import { readTables } from '../../routing/testing.ts';
import type { ResourceRecord } from '../../wire/dns/rdata.ts';
import { zoneNames } from '../../zones/names.ts';
import { reachState } from '../domain-state.ts';
import { domainTokenText } from '../domain-token.ts';
import { noteArrival } from '../tables.ts';
import {
  add,
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
  testSite,
  userDn,
} from '../testing.ts';
import { type ArrivalParts, type ArrivalStep, Arrivals, type ArrivalVerdict } from './arrivals.ts';
import { agreed, judgeEvidence, type MxEvidence, mxEvidenceOf } from './evidence.ts';
import { NEW_DOMAINS_OF_SITE, NEW_DOMAINS_PER_PEER } from './limits.ts';
import type { AskDns } from './name-servers.ts';
import { arrivalReplies } from './replies.ts';

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

const SILENT = { unavailable: 'time-out' };

/** As a resolver, or a name server, would put it. */
function replyOf(domain: string, evidence: MxEvidence, authoritative = false): DnsReply | Unavailable {
  const none = { rcode: 0, authoritative, authenticData: false, answers: [], authorities: [], additionals: [] };
  const record = { name: domain, class: 1, ttl: 300 } as const;
  switch (evidence.kind) {
    case 'unavailable':
      return evidence.reason === 'time-out' ? SILENT : { ...none, rcode: 2 };
    case 'none':
      return none;
    case 'alias':
      return { ...none, answers: [{ ...record, type: 'CNAME', target: 'elsewhere.example' }] };
    case 'records':
      return { ...none, answers: evidence.exchanges.map((mx) => ({ ...record, type: 'MX', ...mx })) };
  }
}

/** A resolver that says this of the name, and that there is none beside it. */
function saying(evidence: MxEvidence, beside: MxEvidence = NONE): AskDns {
  return async (name, type) => replyOf(name, type !== 'MX' ? NONE : isSibling(name) ? beside : evidence);
}

let directory: TestDirectory;
beforeEach(async () => {
  directory = await openTestDirectory([], undefined, { ...testSite, fromMx: 'auto' });
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

/** Steps of the arrivals, in their order. */
let steps: (readonly ArrivalStep[])[] = [];

function arrivals(parts: Partial<ArrivalParts> = {}): Arrivals {
  const { cache, reader, writer } = directory;
  steps = [];
  return new Arrivals({
    cache,
    reader,
    writer,
    clock: systemClock,
    site: { hostname: US, mode: 'embedded' },
    ask: saying(OURS),
    publishedMx: published,
    pending: {
      note: async ({ action }) => ({
        result: 'foreign',
        reply: action === 'propose' ? replies.relayDenied : replies.waitsForApproval,
      }),
    },
    arrived: (_domain, _peer, _verdict, taken) => steps.push(taken),
    ...parts,
  });
}

async function arrive(domain: string, parts: Partial<ArrivalParts> = {}, peer = '192.0.2.1'): Promise<ArrivalVerdict> {
  return comeTo(arrivals(parts), `x@${domain}`, peer);
}

/** A stranger's message for this address. */
async function comeTo(desk: Arrivals, recipient: string, peer = '192.0.2.1'): Promise<ArrivalVerdict> {
  const address = tryParseAddress(recipient)!;
  const request = { sender: undefined, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
  return desk.arrive({ address, request, peer });
}

const ARRIVED: ArrivalVerdict = { result: 'arrived' };

async function refusal(domain: string, parts: Partial<ArrivalParts> = {}, peer?: string): Promise<unknown> {
  const verdict = await arrive(domain, parts, peer);
  assert.ok('reply' in verdict);
  return verdict.reply;
}

test('the domain of a message comes with its nodes, its record and its routes, step by step', async () => {
  assert.deepEqual(await arrive('a.b.acme.example'), ARRIVED);
  assert.deepEqual(
    steps[0]!.map(({ number, step }) => [number, step]),
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
  assert.deepEqual(await arrive('b.acme.example'), ARRIVED);
  assert.equal(directory.resolve('x@b.acme.example').targets.length, 1);
});

test('twenty messages at once make the domain once, from one thread or from two', async () => {
  const lookUps: string[] = [];
  const ask: AskDns = (name, type, options) => {
    lookUps.push(name);
    return saying(OURS)(name, type, options);
  };
  const made: string[] = [];
  const arrived: ArrivalParts['arrived'] = (_domain, _peer, _verdict, taken) => {
    made.push(taken.find(({ number }) => number === 604)!.detail);
  };
  const threads = [arrivals({ ask, arrived }), arrivals({ ask, arrived })];
  const verdicts = await Promise.all(
    Array.from({ length: 20 }, (_, n) => {
      const thread = threads[n % 2]!;
      return comeTo(thread, `r${n}@a.b.acme.example`);
    }),
  );
  assert.deepEqual(verdicts, new Array(20).fill(ARRIVED));
  assert.equal(lookUps.filter((name) => !isSibling(name)).length, 2);
  assert.equal(lookUps.length, 4, 'each asks for the name and for one beside it');
  assert.equal(made.filter((detail) => !detail.startsWith('the domain was there already')).length, 1);
});

test('without a policy nothing is looked up, and the answer is there at once', () => {
  const desk = arrivals({ ask: () => assert.fail('nothing is looked up') });
  const request = { sender: undefined, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
  for (const domain of ['a.b.c.d.e.acme.example', 'other.example', 'example', '[192.0.2.1]']) {
    const address = { localPart: 'x', domain };
    assert.deepEqual(desk.arrive({ address, request, peer: '' }), { result: 'foreign', reply: replies.relayDenied });
  }
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
    const verdict = judgeEvidence({ action: 'auto' }, { name, sibling }, new Set([US]));
    assert.equal(verdict === 'yes' ? 'yes' : Object.keys(verdict)[0], expected);
  });

test('a host that is only the backup MX does not become the home', async () => {
  const ask = saying(records([10, 'mx.elsewhere.example'], [20, US]));
  assert.equal(await refusal('a.acme.example', { ask }), replies.relayDenied);
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
    [{ kind: 'unavailable', reason: 'time-out' }, arrivalReplies.noEvidence],
  ];
  for (const [answer, reply] of answers) assert.equal(await refusal('a.acme.example', { ask: saying(answer) }), reply);
  assert.equal(await refusal('a.acme.example', { ask: saying(OURS, OURS) }), replies.relayDenied);
  assert.equal(findEntry(directory.reader, domainDn('a.acme.example')), undefined);
});

test('a recipient that the new domain would refuse for good makes nothing; another one of it does', async () => {
  await directory.apply(addDomain('b.test'));
  const revision = directory.reader.revision();
  const desk = arrivals();
  const refused = { result: 'refused', reply: replies.noSuchUser, ofRecipient: true };
  assert.deepEqual(await comeTo(desk, 'nobody@a.b.test'), refused);
  assert.equal(findEntry(directory.reader, domainDn('a.b.test')), undefined);
  assert.equal(directory.reader.revision(), revision);
  assert.deepEqual(await comeTo(desk, 'postmaster@a.b.test'), ARRIVED);
});

test('a recipient that the domain would refuse for good makes nothing wait, whatever was found before; who may relay sends to the world', async () => {
  await directory.apply(
    addDomain('b.test'),
    add('cn=asked,ou=Policies,ou=Waypost,o=internet', {
      objectClass: 'waypostDomainPolicy',
      waypostMatchDomain: '*.b.test',
      waypostPolicyAction: 'approve',
    }),
    add('cn=shown,ou=Policies,ou=Waypost,o=internet', {
      objectClass: 'waypostDomainPolicy',
      waypostMatchDomain: '*.acme.example',
      waypostPolicyAction: 'propose',
      mailDomainCatchallAddress: 'gone@acme.example',
    }),
    addUser('gone@acme.example', { inetUserStatus: 'deleted' }),
  );
  const noted: string[] = [];
  const waits: ArrivalVerdict = { result: 'foreign', reply: replies.waitsForApproval };
  const note: ArrivalParts['pending']['note'] = async ({ domain }) => {
    noted.push(domain);
    return waits;
  };
  let lookUps = 0;
  const ask: AskDns = (...asked) => {
    lookUps++;
    return saying(OURS)(...asked);
  };
  const desk = arrivals({ pending: { note }, ask });
  const refused = { result: 'foreign', reply: replies.noSuchUser, ofRecipient: true };
  assert.deepEqual(await comeTo(desk, 'nobody@a.b.test'), refused);
  assert.deepEqual(noted, []);
  assert.deepEqual(await comeTo(desk, 'postmaster@a.b.test'), waits);
  const before = lookUps;
  assert.deepEqual(await comeTo(desk, 'nobody@a.b.test'), refused);
  const [one, other] = await Promise.all([comeTo(desk, 'nobody@c.b.test'), comeTo(desk, 'postmaster@c.b.test')]);
  assert.deepEqual([one, other], [refused, waits]);
  assert.deepEqual(noted, ['a.b.test', 'c.b.test']);
  assert.ok(lookUps - before <= 4, 'of what was found no second look-up is made');
  // Of a proposal nobody hears more than of a name that nobody knows.
  assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), { ...refused, reply: replies.relayDenied });
  assert.equal(noted.length, 2);
  await directory.apply(
    replace('cn=asked,ou=Policies,ou=Waypost,o=internet', { mailDomainCatchallAddress: 'ann@acme.example' }),
  );
  assert.deepEqual(await comeTo(desk, 'nobody@a.b.test'), waits, 'the policy has somebody who takes all');
});

test('of two at once for one name the one that it would refuse does not take the other along', async () => {
  await directory.apply(addDomain('b.test'));
  const desk = arrivals();
  const [refused, taken] = await Promise.all([comeTo(desk, 'nobody@a.b.test'), comeTo(desk, 'postmaster@a.b.test')]);
  assert.ok(refused.result === 'refused' && refused.ofRecipient);
  assert.deepEqual(taken, ARRIVED);
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
  assert.deepEqual(await arrive('a.acme.example', { ...elsewhere({}), publishedMx: async () => [] }), ARRIVED);
  const entry = findEntry(directory.reader, domainDn('a.acme.example'))!;
  assert.deepEqual(textValues(entry, 'waypostdomainstate'), ['active']);
});

test('a domain whose record is not observed has not arrived yet; the next message finds it there', async () => {
  assert.equal(await refusal('a.acme.example', { publishedMx: async () => [] }), replies.domainIsComing);
  assert.equal(directory.resolve('x@a.acme.example').targets.length, 1);
});

test('a peer brings a number of domains an hour and no more, whatever thread it speaks to', async () => {
  let now = Date.UTC(2026, 10, 24);
  const clock = { now: () => now, monotonic: () => 0 };
  for (let n = 0; n < NEW_DOMAINS_PER_PEER; n++) {
    now += 1000;
    assert.deepEqual(await arrive(`d${n}.acme.example`, { clock }), ARRIVED);
  }
  assert.equal(await refusal('more.acme.example', { clock }), arrivalReplies.tooMany);
  assert.deepEqual(await arrive('d0.acme.example', { clock }), ARRIVED, 'what is there already is no new domain');
  assert.deepEqual(
    await arrive('other.acme.example', { clock }, '192.0.2.2'),
    ARRIVED,
    'another peer has its own number',
  );
  now += 3_600_000;
  assert.deepEqual(await arrive('more.acme.example', { clock }), ARRIVED);
});

test('a store that cannot take the entries is a temporary reply', async () => {
  const failing = (failure: Failure): Writer => ({ execute: () => Promise.reject(failure) });
  const full = failing(new Failure('full', 'no space'));
  assert.equal(await refusal('a.acme.example', { writer: full }), arrivalReplies.full);
  const busy = failing(new Failure('unavailable', 'too much is waiting'));
  assert.equal(await refusal('a.acme.example', { writer: busy }), replies.domainIsComing);
});

test('all peers together bring a number of domains an hour and no more', async () => {
  const now = Date.UTC(2026, 10, 24);
  const noteMany = operation('test.note-arrivals', async (tx, count: number) => {
    for (let n = 0; n < count; n++)
      await noteArrival(tx, { tenant: TENANT, peer: `peer ${n}`, at: now, domain: `${n}` }, now - 1);
  });
  await directory.writer.execute(noteMany, NEW_DOMAINS_OF_SITE - 1);
  const clock = { now: () => now + 1000, monotonic: () => 0 };
  assert.deepEqual(await arrive('last.acme.example', { clock }), ARRIVED);
  assert.equal(await refusal('more.acme.example', { clock }), arrivalReplies.tooMany);
  const later = { ...clock, now: () => now + 3_601_000 };
  assert.deepEqual(await arrive('more.acme.example', { clock: later }), ARRIVED);
});

/** All tables compiled anew. */
function rebuilt() {
  return synchronizeFully(directory.writer);
}

test('a removed domain does not come back by a message, nor does a name below it, and nothing is looked up', async () => {
  await arrive('a.acme.example');
  await arrive('b.acme.example');
  await directory.apply(remove(domainDn('a.acme.example')));
  let lookUps = 0;
  const ask: AskDns = (name, type, options) => {
    lookUps++;
    return saying(OURS)(name, type, options);
  };
  const revision = directory.reader.revision();
  const writer: Writer = { execute: () => assert.fail('nothing is written') };
  const desk = arrivals({ ask, writer });
  const all = async (): Promise<void> => {
    for (let n = 0; n < 10_000; n++) {
      const verdict = await comeTo(desk, `x@n${n}.a.acme.example`);
      assert.ok(verdict.result === 'foreign' && verdict.reply === replies.relayDenied);
    }
  };
  await all();
  // Once they are known they cost a look into memory each.
  const executed = countStatements();
  await all();
  assert.equal(executed(), 0);
  assert.equal(lookUps, 0);
  assert.equal(directory.reader.revision(), revision, 'nothing has been made');
});

test('a removal that comes between the look-up and the making is seen', async () => {
  const ask: AskDns = async (name, type, options) => {
    if (isSibling(name)) {
      await directory.apply(addDomain('a.acme.example'));
      await directory.apply(remove(domainDn('a.acme.example')));
    }
    return saying(OURS)(name, type, options);
  };
  assert.equal(await refusal('a.acme.example', { ask }), replies.relayDenied);
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
  await directory.apply(replace(domainDn('c.acme.example'), { objectClass: ['domain'], inetDomainBaseDN: [] }));
  assert.deepEqual(stones(), ['c.acme.example']);
  await assert.rejects(directory.apply(remove('ou=Tombstones,ou=Waypost,o=internet')), /cannot be deleted/);
});

function childNames(dn: string): string[] {
  const above = findEntry(directory.reader, dn)!;
  return children(directory.reader, above.id, 100).flatMap((entry) => textValues(entry, 'associateddomain'));
}

test('a refusal is remembered for five minutes, or until a policy changes', async () => {
  let now = 0;
  let lookUps = 0;
  const clock = { now: () => Date.UTC(2026, 10, 24), monotonic: () => now };
  let evidence: MxEvidence = NONE;
  const ask: AskDns = (name, type, options) => {
    lookUps++;
    return saying(evidence)(name, type, options);
  };
  const desk = arrivals({ clock, ask });
  const foreign = { result: 'foreign', reply: replies.relayDenied };
  for (let n = 0; n < 100; n++) assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), foreign);
  assert.equal(lookUps, 2);
  await directory.apply(policy('all', { waypostPolicyAction: 'approve', waypostPolicyOrder: '900' }));
  assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), foreign);
  assert.equal(lookUps, 4);
  await directory.apply(remove(policyDn('all')));
  assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), foreign);
  evidence = OURS;
  assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), foreign);
  now += 300_001;
  assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), ARRIVED);
});

const policyDn = (name: string): string => `cn=${name},ou=Policies,ou=Waypost,o=internet`;
const policy = (name: string, values: Readonly<Record<string, string | readonly string[]>>) =>
  add(policyDn(name), { objectClass: 'waypostDomainPolicy', cn: name, ...values });

const NS = ['192.0.2.53', '2001:db8::53'];
const OTHERS: MxEvidence = records([10, 'mx.elsewhere.example']);

interface World {
  /** What each name server of customer.example says of MX records; `time-out`: nothing. */
  readonly each?: readonly MxEvidence[];
  readonly beside?: MxEvidence;
  readonly tokens?: readonly (readonly string[])[];
  readonly isLame?: boolean;
  /** Addresses come along with the names of the name servers. */
  readonly hasGlue?: boolean;
}

/** customer.example and all below it have two name servers; `asked` gets what the resolver is asked. */
function elsewhere(world: World, asked: string[] = []): Pick<ArrivalParts, 'ask'> {
  const { each = [OURS, OURS], beside = NONE, tokens = [[], []], isLame = false, hasGlue = false } = world;
  const record = { class: 1, ttl: 300 } as const;
  const none = { rcode: 0, authoritative: false, authenticData: false, answers: [], authorities: [], additionals: [] };
  return {
    async ask(name, type, { servers }) {
      if (servers === undefined) {
        asked.push(`${type} ${isSibling(name) ? 'sibling' : name}`);
        const zone = name.split('.').slice(-2).join('.');
        if (type === 'A' || type === 'AAAA') {
          const address = NS[type === 'A' ? 0 : 1]!;
          return { ...none, answers: [{ ...record, name, type, address }] };
        }
        if (type === 'MX') return replyOf(name, isSibling(name) ? beside : OTHERS);
        if (type !== 'NS') return none;
        const glue = (['A', 'AAAA'] as const).map((family, at) => ({
          ...record,
          name: 'ns.ISP.example',
          type: family,
          address: NS[at]!,
        }));
        const additionals = hasGlue ? glue : [];
        if (name === zone)
          return { ...none, answers: [{ ...record, name, type, target: 'NS.isp.example' }], additionals };
        const soa = { mname: 'ns', rname: 'x', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 };
        return { ...none, rcode: 3, authorities: [{ ...record, name: zone, type: 'SOA', ...soa }] };
      }
      const at = NS.indexOf(servers[0]!.address);
      assert.equal(servers[0]!.port, 53);
      if (type === 'MX') return replyOf(name, isSibling(name) ? beside : each[at]!, !isLame);
      const answers = tokens[at]!.map((text) => ({ ...record, name, type: 'TXT' as const, strings: [text] }));
      return { ...none, authoritative: !isLame, answers };
    },
  };
}

const WAIT: MxEvidence = { kind: 'unavailable', reason: 'time-out' };
const FAIL: MxEvidence = { kind: 'unavailable', reason: 'SERVFAIL' };

test('outside our zones each authoritative server that speaks must say so', async () => {
  await directory.apply(policy('customers', { waypostPolicyAction: 'auto', waypostMatchDomain: '*.customer.example' }));
  const cases: readonly (readonly [World, unknown])[] = [
    [{ each: [OURS, OTHERS] }, arrivalReplies.noEvidence],
    [{ each: [OURS, NONE] }, arrivalReplies.noEvidence],
    [{ each: [OURS, FAIL] }, arrivalReplies.noEvidence],
    [{ each: [WAIT, WAIT] }, arrivalReplies.noEvidence],
    [{ isLame: true }, arrivalReplies.noEvidence],
    [{ each: [OTHERS, OTHERS] }, replies.relayDenied],
    [{ each: [{ kind: 'alias' }, { kind: 'alias' }] }, replies.relayDenied],
    [{ beside: OURS }, replies.relayDenied],
  ];
  for (const [world, reply] of cases)
    assert.equal(await refusal('x.customer.example', elsewhere(world)), reply, JSON.stringify(world));
  assert.equal(findEntry(directory.reader, domainDn('x.customer.example')), undefined);
  // The parent says who its people are, so somebody has to be there to take it.
  await directory.apply(replace(policyDn('customers'), { mailDomainCatchallAddress: 'ann@acme.example' }));
  const asked: string[] = [];
  assert.deepEqual(await arrive('x.customer.example', elsewhere({ each: [OURS, WAIT] }, asked)), ARRIVED);
  assert.deepEqual(asked, ['NS x.customer.example', 'NS customer.example', 'A ns.isp.example', 'AAAA ns.isp.example']);
  const entry = findEntry(directory.reader, domainDn('x.customer.example'))!;
  const { at, ...evidence } = JSON.parse(textValues(entry, 'waypostdomainevidence')[0]!);
  assert.ok(Date.parse(at) > 0);
  assert.deepEqual(evidence, {
    mx: [`10 ${US}`, '20 mx1.elsewhere.example'],
    asked: NS[0],
    authoritative: true,
    dnssec: false,
    peer: '192.0.2.1',
    sender: '',
  });
  // It lies in no zone of ours: it stays its owner's, and its evidence is its observation.
  assert.deepEqual(textValues(entry, 'waypostzoneauthority'), ['theirs']);
  assert.deepEqual(textValues(entry, 'waypostdomainstate'), ['active']);
  assert.equal(directory.resolve('any@x.customer.example').targets.length, 1);
});

test('a name in a zone that is known costs the resolver three questions at most, and one transaction', async () => {
  await directory.apply(
    policy('customers', {
      waypostPolicyAction: 'auto',
      waypostMatchToken: 'sesame',
      mailDomainCatchallAddress: 'ann@acme.example',
    }),
  );
  const asked: string[] = [];
  let calls = 0;
  const writer: Writer = {
    execute(...args) {
      calls++;
      return directory.writer.execute(...args);
    },
  };
  const tokenOf = (domain: string) => [domainTokenText('sesame', domain)];
  const domains = ['a.customer.example', 'b.customer.example', 'customer.example'];
  const all = domains.flatMap(tokenOf);
  const desk = arrivals({ ...elsewhere({ tokens: [all, all] }, asked), writer });
  assert.deepEqual(await comeTo(desk, 'x@a.customer.example'), ARRIVED);
  assert.equal(calls, 1);
  asked.length = 0;
  assert.deepEqual(await comeTo(desk, 'x@b.customer.example'), ARRIVED);
  assert.deepEqual(asked, ['NS b.customer.example']);
  asked.length = 0;
  // A name beside an apex lies in the zone above.
  assert.deepEqual(await comeTo(desk, 'x@customer.example'), ARRIVED);
  assert.deepEqual(asked, ['NS customer.example', 'MX sibling']);
  assert.equal(calls, 3);
  // Of a zone that nobody has asked for yet it is asked more only where it does not give addresses along with names.
  const fresh: string[] = [];
  const tokens = [tokenOf('e.customer.example'), tokenOf('e.customer.example')];
  assert.deepEqual(await arrive('e.customer.example', elsewhere({ tokens, hasGlue: true }, fresh)), ARRIVED);
  assert.deepEqual(fresh, ['NS e.customer.example', 'NS customer.example']);
  // Below a zone of ours the resolver is asked all three.
  const ours: string[] = [];
  const ask: AskDns = (name, type, options) => {
    ours.push(`${type} ${isSibling(name) ? 'sibling' : name}`);
    return saying(OURS)(name, type, options);
  };
  assert.deepEqual(await arrive('c.acme.example', { ask, writer }), ARRIVED);
  assert.deepEqual(ours, ['MX c.acme.example', 'MX sibling', 'TXT _waypost.c.acme.example']);
  assert.equal(calls, 4);
});

test('a token is good for its name alone; without one the next policy decides', async () => {
  await directory.apply(
    policy('token', {
      waypostPolicyAction: 'auto',
      waypostMatchToken: 'sesame',
      waypostPolicyOrder: '10',
      mailDomainCatchallAddress: 'ann@acme.example',
    }),
    policy('rest', {
      waypostPolicyAction: 'approve',
      waypostMatchDomain: '*',
      mailDomainCatchallAddress: 'ann@acme.example',
    }),
  );
  const own = domainTokenText('sesame', 'x.customer.example');
  const other = domainTokenText('sesame', 'y.customer.example');
  const spf = 'v=spf1 mx ~all';
  const wait = replies.waitsForApproval;
  const at = (...tokens: readonly (readonly string[])[]) => refusal('x.customer.example', elsewhere({ tokens }));
  assert.equal(await at([other, spf], [other, spf]), wait);
  assert.equal(await at([], []), wait);
  assert.equal(await at([own], []), arrivalReplies.noEvidence);
  assert.equal(findEntry(directory.reader, domainDn('x.customer.example')), undefined);
  const tokens = [
    [spf, own.toUpperCase()],
    [own.toUpperCase(), spf],
  ];
  assert.deepEqual(await arrive('x.customer.example', elsewhere({ tokens })), ARRIVED);
});

test('behind a policy of a token one that is off refuses, whatever the name servers say', async () => {
  await directory.apply(
    policy('token', {
      waypostPolicyAction: 'auto',
      waypostMatchToken: 'sesame',
      waypostPolicyOrder: '10',
      mailDomainCatchallAddress: 'ann@acme.example',
    }),
    policy('rest', { waypostPolicyAction: 'off', waypostMatchDomain: '*' }),
  );
  const own = [domainTokenText('sesame', 'x.customer.example')];
  for (const each of [
    [OURS, OURS],
    [OURS, OTHERS],
    [FAIL, FAIL],
  ])
    assert.equal(await refusal('x.customer.example', elsewhere({ each })), replies.relayDenied, JSON.stringify(each));
  // Whether the first policy holds is not known.
  assert.equal(await refusal('x.customer.example', elsewhere({ tokens: [own, []] })), arrivalReplies.noEvidence);
});

test('a name that waits is looked up once in five minutes, and each message for it is noted', async () => {
  let now = 0;
  const clock = { now: () => Date.UTC(2026, 10, 27), monotonic: () => now };
  await directory.apply(
    policy('wait', { waypostPolicyAction: 'approve', waypostMatchParent: 'TRUE', waypostMatchDomain: '*' }),
  );
  let lookUps = 0;
  const ask: AskDns = (name, type, options) => {
    lookUps++;
    return saying(OURS)(name, type, options);
  };
  const noted: string[] = [];
  const pending: ArrivalParts['pending'] = {
    async note({ domain, evidence: { peer, mx } }) {
      noted.push(`${domain} ${peer} ${mx.length}`);
      return { result: 'foreign', reply: replies.waitsForApproval };
    },
  };
  const desk = arrivals({ ask, clock, pending });
  for (let n = 0; n < 3; n++) await comeTo(desk, 'x@a.acme.example', `192.0.2.${n}`);
  assert.deepEqual(noted, ['a.acme.example 192.0.2.0 2', 'a.acme.example 192.0.2.1 2', 'a.acme.example 192.0.2.2 2']);
  assert.equal(lookUps, 2);
  now += 300_001;
  await comeTo(desk, 'x@a.acme.example');
  assert.equal(lookUps, 4);
  assert.equal(noted.length, 4);
  // The word has been given: the domain is there, and nobody asks any more.
  await directory.apply(remove(policyDn('wait')));
  assert.deepEqual(await comeTo(desk, 'x@a.acme.example'), ARRIVED);
});

test('propose says what it says to strangers; off and no policy say the same', async () => {
  await directory.apply(
    policy('propose', { waypostPolicyAction: 'propose', waypostMatchDomain: 'p.example' }),
    policy('off', { waypostPolicyAction: 'off', waypostMatchDomain: '*.acme.example' }),
  );
  for (const domain of ['p.example', 'a.acme.example', 'q.example'])
    assert.equal(await refusal(domain, elsewhere({})), replies.relayDenied);
});

test('what a policy does not say its domain above says; a wildcard comes where the policy allows it', async () => {
  await directory.apply(
    replace(domainDn('acme.example'), { mailRoutingHosts: US }),
    policy('wild', {
      waypostPolicyAction: 'auto',
      waypostMatchParent: 'TRUE',
      waypostAllowWildcard: 'TRUE',
      mailRoutingSmartHost: 'relay.example',
      inetDomainBaseDN: domainDn('acme.example'),
    }),
  );
  assert.deepEqual(await arrive('a.acme.example', { ask: saying(OURS, OURS) }), ARRIVED);
  const entry = findEntry(directory.reader, domainDn('a.acme.example'))!;
  const of = (name: string) => textValues(entry, name);
  assert.deepEqual(of('maildomaincatchalladdress'), ['ann@acme.example']);
  assert.deepEqual(of('mailroutinghosts'), [US]);
  assert.deepEqual(of('mailroutingsmarthost'), ['relay.example']);
  assert.deepEqual(of('inetdomainbasedn'), [domainDn('acme.example')]);
});

test('what was behind us stays behind us, whatever the numbers were', async () => {
  const ask = saying(records([5, US], [7, 'backup.example'], [5, 'equal.example']));
  assert.deepEqual(await arrive('a.acme.example', { ask }), ARRIVED);
  const entry = findEntry(directory.reader, domainDn('a.acme.example'))!;
  assert.deepEqual(textValues(entry, 'mxrecord'), ['12 backup.example.', '10 equal.example.']);
});

test('in a zone of a primary the set stays as it stands there, and mail waits for the record', async () => {
  await directory.apply(
    add('cn=ns1,ou=Hosts,ou=Waypost,o=internet', {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'primary',
      waypostNameServerAddress: '192.0.2.53',
      waypostZone: 'customer.example',
    }),
    policy('customers', {
      waypostPolicyAction: 'auto',
      waypostMatchDomain: '*.customer.example',
      mailDomainCatchallAddress: 'ann@acme.example',
    }),
  );
  const sets: readonly (readonly [string, MxEvidence, readonly string[], readonly string[]])[] = [
    ['x', records([10, US]), [], []],
    ['y', records([10, US], [20, 'b.example']), ['20 b.example.'], []],
    ['z', records([5, US], [7, 'b.example']), [`5 ${US}.`, '7 b.example.'], ['mx']],
  ];
  const coming = { result: 'refused', reply: replies.domainIsComing };
  for (const [label, set, mx, omitted] of sets) {
    const domain = `${label}.customer.example`;
    const verdict = await arrive(domain, elsewhere({ each: [set, set] }));
    assert.deepEqual(verdict, coming);
    const entry = findEntry(directory.reader, domainDn(domain))!;
    assert.deepEqual(textValues(entry, 'mxrecord'), mx);
    assert.deepEqual(textValues(entry, 'waypostomitrecord'), omitted);
    assert.deepEqual(textValues(entry, 'waypostdomainstate'), ['defined']);
    // Nobody's mail is taken before the record can be seen, the postmaster's neither.
    for (const local of ['any', 'postmaster'])
      assert.equal(directory.resolve(`${local}@${domain}`).reply, replies.domainIsComing);
  }
  // The tables say so however they are made, and the observed record ends it.
  const incremental = readTables(directory.reader);
  assert.ok(JSON.stringify(incremental).includes('isComing'));
  for await (const _ of rebuilt());
  assert.deepEqual(readTables(directory.reader), incremental);
  const reached = operation('test.reach-state', (tx, domain: string) =>
    reachState(tx, { domain, state: 'active', now: 0, site: { hostname: US, mode: 'embedded' } }),
  );
  assert.equal(await directory.writer.execute(reached, 'x.customer.example'), true);
  assert.equal(directory.resolve('any@x.customer.example').reply, replies.accepted);
  assert.equal(directory.resolve('any@y.customer.example').reply, replies.domainIsComing);
  // A recipient that it would never have makes no domain there either.
  await directory.apply(replace(policyDn('customers'), { mailDomainCatchallAddress: [] }));
  const nobody = { result: 'refused', reply: replies.noSuchUser, ofRecipient: true };
  assert.deepEqual(await arrive('n.customer.example', elsewhere({})), nobody);
});

test("[dns] mode none: the record that is seen is somebody else's, and is the observation", async () => {
  await directory.close();
  directory = await openTestDirectory([], undefined, { ...testSite, fromMx: 'auto', dnsMode: 'none' });
  const site = { hostname: US, mode: 'none' } as const;
  await directory.apply(addDomain('customer.example', { mailDomainCatchallAddress: 'postmaster@customer.example' }));
  const verdict = await arrive('x.customer.example', { ...elsewhere({}), site, publishedMx: async () => [] });
  assert.deepEqual(verdict, ARRIVED);
  const entry = findEntry(directory.reader, domainDn('x.customer.example'))!;
  assert.deepEqual(textValues(entry, 'waypostdomainstate'), ['active']);
  // Were this server to answer, it would be a name of the domain above.
  assert.deepEqual(textValues(entry, 'waypostzoneauthority'), []);
});

test('servers agree only where all of them say the same', () => {
  assert.equal(agreed<MxEvidence>([]).kind, 'unavailable');
  assert.equal(agreed<MxEvidence>([OURS, NONE]).kind, 'unavailable');
  assert.equal(agreed<MxEvidence>([NONE, NONE]).kind, 'none');
  assert.equal(agreed([records([10, US], [20, 'b.example']), records([20, 'b.example'], [10, US])]).kind, 'records');
});
