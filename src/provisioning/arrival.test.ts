// A message brings its domain: every way the evidence can turn out, and what is made of it.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Writer } from '../database/operation.ts';
import { findEntry } from '../directory/entries.ts';
import { hasClass } from '../directory/entry.ts';
import { replies } from '../routing/replies.ts';
import { zoneNames } from '../zones/names.ts';
import { type ArrivalOutcome, type ArrivalParts, Arrivals } from './arrival.ts';
import { arrivalReplies, type MxEvidence, NEW_DOMAINS_PER_PEER, refusalByEvidence } from './evidence.ts';
import { addDomain, addUser, domainDn, openTestDirectory, replace, type TestDirectory, testSite } from './testing.ts';

const OURS: MxEvidence = { kind: 'records', exchanges: ['mx1.elsewhere.example.', 'MAIL.test.example.'] };

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
  const { cache, writer } = directory;
  return new Arrivals({
    policy: 'auto',
    cache,
    writer,
    clock: systemClock,
    lookUpMx: async () => OURS,
    publishedMx: published,
    ...parts,
  });
}

async function arrive(domain: string, parts: Partial<ArrivalParts> = {}, peer = '192.0.2.1'): Promise<ArrivalOutcome> {
  const desk = arrivals(parts);
  const candidate = desk.candidate(domain);
  assert.ok(candidate !== undefined, `${domain} is a candidate`);
  return desk.arrive(candidate, peer);
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
  let lookUps = 0;
  const lookUpMx = async (): Promise<MxEvidence> => {
    lookUps++;
    return OURS;
  };
  const threads = [arrivals({ lookUpMx }), arrivals({ lookUpMx })];
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, n) => {
      const thread = threads[n % 2]!;
      return thread.arrive(thread.candidate('a.b.acme.example')!, '192.0.2.1');
    }),
  );
  assert.ok(outcomes.every((outcome) => outcome.arrived));
  assert.equal(lookUps, 2);
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

test('without evidence the sender is a stranger; without an answer it may try again', async () => {
  const answers: readonly [MxEvidence, unknown][] = [
    [{ kind: 'none' }, replies.relayDenied],
    [{ kind: 'records', exchanges: ['mx.elsewhere.example.'] }, replies.relayDenied],
    [{ kind: 'records', exchanges: ['.'] }, replies.relayDenied],
    [{ kind: 'unavailable', reason: 'SERVFAIL' }, arrivalReplies.noEvidence],
  ];
  for (const [answer, reply] of answers) {
    assert.equal(await refusal('a.acme.example', { lookUpMx: async () => answer }), reply);
    assert.equal(refusalByEvidence(answer, testSite), reply);
  }
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

test('without a catch-all to inherit nothing is made', async () => {
  await directory.apply(addDomain('b.test'));
  assert.equal(await refusal('a.b.test'), replies.noSuchUser);
  assert.equal(findEntry(directory.reader, domainDn('a.b.test')), undefined);
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
