// Domains that wait for a word: how often they are written, which of them stay, and what a word does.

import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { ADMINISTRATOR_CALLER } from '../../directory/caller.ts';
import { findEntry } from '../../directory/entries.ts';
import { textValue } from '../../directory/entry.ts';
import { domainTokenText } from '../domain-token.ts';
import { add, addDomain, domainDn, openTestDirectory, remove, type TestDirectory, testSite } from '../testing.ts';
import { decideOperations } from './decide.ts';
import { forgetPending, listPending, PENDING_MAX, type SeenArguments, seePending } from './entries.ts';
import { type PendingHit, PendingNotes } from './notes.ts';
import { replyToPending } from './reply.ts';

const NOW = Date.parse('2026-11-27T04:00:00Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const EVIDENCE = { mx: ['10 mail.test.example', '20 backup.example'], asked: 'resolver', peer: '192.0.2.1' };
const [approve, refuse] = decideOperations({ hostname: testSite.hostnames[0]!, mode: 'embedded' });

const hit = (domain: string, now: number, more: Partial<PendingHit> = {}): PendingHit => ({
  domain,
  policy: 'new-customers',
  action: 'approve',
  evidence: JSON.stringify(EVIDENCE),
  peer: EVIDENCE.peer,
  now,
  ...more,
});
const seen = (domain: string, now: number): SeenArguments => ({ ...hit(domain, now), seen: 1, lastSeen: now });

async function open(context: TestContext): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  await directory.apply(addDomain('acme.example', { mailDomainCatchallAddress: 'ann@acme.example' }));
  return directory;
}

test('a name is written once a minute, whoever hits it: hits between are summed', async (context) => {
  const { writer, reader } = await open(context);
  mock.timers.enable({ apis: ['setTimeout'] });
  context.after(() => mock.timers.reset());
  let now = NOW;
  const clock: Clock = { now: () => now, monotonic: () => now - NOW };
  const threads = [new PendingNotes({ writer, clock }), new PendingNotes({ writer, clock })];
  const [one, other] = threads as [PendingNotes, PendingNotes];
  const writes = (): number => reader.revision();
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => one.note(hit('new.example', now)))), [NOW, NOW, NOW]);
  const first = writes();
  for (let at = 0; at < 20; at++) {
    now += 1000;
    assert.equal(await one.note(hit('new.example', now)), NOW);
    assert.equal(await other.note(hit('new.example', now)), NOW);
  }
  assert.equal(writes(), first, 'no write within the minute');
  assert.equal(listPending(reader)[0]?.seen, 1);
  for (let minute = 1; minute <= 3; minute++) {
    now += MINUTE;
    mock.timers.tick(MINUTE);
    await Promise.all(threads.map((thread) => thread.note(hit('new.example', now, { policy: 'later' }))));
  }
  const [pending] = listPending(reader);
  assert.equal(writes() - first, 3, 'one write a minute');
  assert.deepEqual(
    { ...pending, seen: undefined },
    {
      domain: 'new.example',
      action: 'approve',
      policy: 'later',
      firstSeen: NOW,
      lastSeen: now,
      seen: undefined,
      evidence: JSON.stringify(EVIDENCE),
    },
  );
  assert.ok(pending!.seen > 44 && pending!.seen <= 49, `${pending!.seen} of 49 hits`);
});

test('a thousand names wait at most: the one that was seen longest ago goes, and after seven days unseen any', async (context) => {
  const { writer, reader, apply } = await open(context);
  const begun = Date.now();
  await writer.execute(seePending, seen('old.example', begun - HOUR));
  const dnOf = (name: string): string => `associatedDomain=${name},ou=Pending,ou=Waypost,o=internet`;
  const others = Array.from({ length: PENDING_MAX - 1 }, (_, at) => `n${at}.example`);
  await apply(...others.map((name) => add(dnOf(name), { objectClass: 'waypostPendingDomain' })));
  await writer.execute(seePending, seen('n0.example', begun + HOUR));
  await writer.execute(seePending, seen('more.example', begun + HOUR));
  const names = (): string[] => listPending(reader).map(({ domain }) => domain);
  assert.equal(names().length, PENDING_MAX);
  assert.deepEqual(
    ['old.example', 'n0.example', 'n1.example', 'more.example'].map((name) => names().includes(name)),
    [false, true, true, true],
  );
  assert.equal(await writer.execute(forgetPending, begun + 7 * DAY + HOUR / 2), PENDING_MAX - 2);
  assert.deepEqual(names(), ['more.example', 'n0.example']);
});

test('new names that wait count with those that a message brings: 60 an hour of a peer, 600 of the site', async (context) => {
  const { writer, reader } = await open(context);
  const see = (name: string, peer: string, now: number) =>
    writer.execute(seePending, { ...seen(`${name}.example`, now), peer });
  const isNoted = async (name: string, peer: string, now = NOW): Promise<boolean> =>
    (await see(name, peer, now)) !== 'too-many';
  for (let at = 0; at < 60; at++) assert.ok(await isNoted(`a${at}`, '192.0.2.1'), String(at));
  assert.ok(!(await isNoted('more', '192.0.2.1')));
  assert.equal(listPending(reader).length, 60, 'nothing waits that was too much');
  assert.ok(await isNoted('a0', '192.0.2.1', NOW + 2 * MINUTE), 'one that waits already is no new one');
  for (let at = 0; at < 539; at++) assert.ok(await isNoted(`b${at}`, `2001:db8:0:${at % 50}::/64`), String(at));
  assert.ok(await isNoted('last', '192.0.2.99'));
  assert.ok(!(await isNoted('more', '192.0.2.2')), 'six hundred of the site');
  assert.ok(await isNoted('more', '192.0.2.1', NOW + HOUR + 1), 'an hour later');
});

test('a sender is asked to come again for four hours, then it is told no', () => {
  const said = (action: 'propose' | 'approve', after: number) =>
    replyToPending({ action, firstSeen: NOW }, NOW + after).code;
  assert.deepEqual([said('propose', 0), said('approve', 0), said('approve', 4 * HOUR - 1)], [550, 451, 451]);
  assert.equal(said('approve', 4 * HOUR), 550);
});

test('approved: a domain that a message has brought, with its evidence and its other exchangers', async (context) => {
  const { writer, reader, apply } = await open(context);
  const name = 'new.acme.example';
  await writer.execute(seePending, seen(name, NOW));
  const args = { domain: name, caller: ADMINISTRATOR_CALLER, now: NOW + HOUR };
  const would = await writer.execute(approve, { ...args, dryRun: true });
  assert.deepEqual(
    would.entries
      .filter(({ kind, generated }) => kind !== 'modify' && !generated)
      .map(({ kind, dn }) => `${kind} ${dn}`),
    [`add ${domainDn(name)}`, `delete associatedDomain=${name},ou=Pending,ou=Waypost,o=internet`],
  );
  assert.equal(findEntry(reader, domainDn(name)), undefined, 'a dry run');
  await writer.execute(approve, args);
  const entry = findEntry(reader, domainDn(name))!;
  const values = ['waypostdomainorigin', 'maildomaincatchalladdress', 'mxrecord'].map((key) => textValue(entry, key));
  assert.deepEqual(values, ['message', 'ann@acme.example', '20 backup.example.']);
  assert.deepEqual(JSON.parse(textValue(entry, 'waypostdomainevidence')!), EVIDENCE);
  assert.deepEqual(listPending(reader), []);
  await assert.rejects(writer.execute(approve, args), /is not pending/);
  assert.equal(await writer.execute(seePending, seen(name, NOW)), 'gone', 'it is ours');
  await apply(remove(domainDn(name)));
  assert.equal(await writer.execute(seePending, seen(name, NOW)), 'gone', 'it is buried');
});

test('refused: a tombstone, and no hit makes it pending again', async (context) => {
  const { writer, reader } = await open(context);
  await writer.execute(seePending, seen('bad.example', NOW));
  const args = { domain: 'bad.example', caller: ADMINISTRATOR_CALLER, now: NOW };
  await writer.execute(refuse, args);
  assert.ok(findEntry(reader, 'associatedDomain=bad.example,ou=Tombstones,ou=Waypost,o=internet'));
  assert.deepEqual(listPending(reader), []);
  for (const name of ['bad.example', 'below.bad.example'])
    assert.equal(await writer.execute(seePending, seen(name, NOW)), 'gone');
  await assert.rejects(writer.execute(refuse, args), /is not pending/);
});

test('the record of a policy’s token serves one name, and does not tell the token', () => {
  // python3: base64.b32encode(hmac.new(b'secret', b'new.example', 'sha256').digest()[:20]).lower()
  assert.equal(domainTokenText('secret', 'New.Example'), 'waypost-domain=vmtrynh6mjywxeu3h3us6wlv5ba37mpb');
  assert.notEqual(domainTokenText('secret', 'new.example'), domainTokenText('secret', 'other.example'));
});
