// What RCPT hears of a name that waits, by a clock that the test turns: evidence, policy and pending entry are the real ones.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS } from '../../directory/caller.ts';
import { Arrivals } from '../../provisioning/arrival/arrivals.ts';
import type { AskDns } from '../../provisioning/arrival/name-servers.ts';
import { listPending } from '../../provisioning/pending/entries.ts';
import { add, addDomain, addUser, openTestDirectory } from '../../provisioning/testing.ts';
import { createPending } from './pending.ts';

const US = 'mail.test.example';
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('approve: 451 until four hours after it was first seen, then 550, whatever thread is asked and however often; custody keeps taking', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const policy = (name: string, values: Record<string, string>) =>
    add(`cn=${name},ou=Policies,ou=Waypost,o=internet`, {
      objectClass: 'waypostDomainPolicy',
      waypostPolicyAction: 'approve',
      mailDomainCatchallAddress: 'ann@acme.example',
      ...values,
    });
  await directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    policy('asked', { waypostMatchDomain: '*.a.acme.example' }),
    policy('kept', { waypostMatchDomain: '*.c.acme.example', waypostCustody: 'TRUE' }),
  );
  const ask: AskDns = async (name, type) => ({
    rcode: 0,
    authoritative: false,
    authenticData: false,
    answers:
      type === 'MX' && name.startsWith('new.')
        ? [{ name, class: 1, ttl: 1, type: 'MX', preference: 10, exchange: US }]
        : [],
    authorities: [],
    additionals: [],
  });
  const begun = Date.UTC(2026, 10, 27);
  let now = begun;
  const clock = { now: () => now, monotonic: () => now };
  const { cache, reader, writer } = directory;
  const site = { hostname: US, mode: 'embedded' } as const;
  const thread = () => {
    const pending = createPending({ writer, clock });
    return new Arrivals({
      cache,
      reader,
      writer,
      clock,
      site,
      ask,
      publishedMx: async () => [],
      pending,
      arrived() {},
    });
  };
  let threads = [thread(), thread()];
  const request = { sender: undefined, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
  const said = async (domain: string): Promise<string[]> => {
    const verdicts = await Promise.all(
      threads.map((each) => each.arrive({ address: { localPart: 'x', domain }, request, peer: '192.0.2.1' })),
    );
    return verdicts.map((each) => ('reply' in each ? `${each.reply.code} ${each.reply.enhanced}` : each.result));
  };
  const [asked, kept] = ['new.a.acme.example', 'new.c.acme.example'] as const;
  const both = (word: string): string[] => [word, word];
  for (; now < begun + 4 * HOUR; now += 13 * MINUTE) {
    assert.deepEqual(await said(asked), both('451 4.3.2'), `${(now - begun) / MINUTE} minutes`);
    assert.deepEqual(await said(kept), both('custody'));
  }
  now = begun + 4 * HOUR - 1;
  assert.deepEqual(await said(asked), both('451 4.3.2'));
  now = begun + 4 * HOUR;
  assert.deepEqual(await said(asked), both('550 5.7.1'));
  assert.deepEqual(await said(kept), both('custody'));
  // After a start, too: when it was first seen stands in its entry.
  threads = [thread(), thread()];
  assert.deepEqual(await said(asked), both('550 5.7.1'));
  const [first] = listPending(reader);
  assert.deepEqual([first!.domain, first!.firstSeen], [asked, begun]);
});
