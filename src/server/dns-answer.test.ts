// Who is answered as often as it asks: this machine, and secondaries as long as their entry says that they are.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../base/log.ts';
import { add, addDomain, openTestDirectory, remove } from '../provisioning/testing.ts';
import { encodeMessage } from '../wire/dns/message.ts';
import { queryMessage } from '../wire/dns/testing.ts';
import { Counters } from './counters.ts';
import { createDnsAnswer } from './dns-answer.ts';
import type { ThreadParts } from './threads/parts.ts';

const SECONDARY = '192.0.2.53';

test('equal answers are limited, but to loopback and to secondaries', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  await directory.apply(addDomain('acme.example'));
  const { shared } = directory;
  const given = { database: directory, shared, log: silentLog, counters: new Counters(), configuration: {} };
  const parts = given as unknown as ThreadParts;
  const answer = createDnsAnswer(parts, { hostname: 'mail.test.example', mode: 'embedded' }, undefined);
  const query = encodeMessage(queryMessage(1, 'acme.example', 'MX'));
  const answered = (peerAddress: string): number => {
    const replies = Array.from({ length: 100 }, () =>
      answer(query, { transport: 'udp', sizeBytes: 1232, peerAddress }),
    );
    return replies.filter((reply) => reply !== undefined).length;
  };
  const dn = 'cn=ns,ou=Hosts,ou=Waypost,o=internet';
  assert.ok(answered('192.0.2.7') < 100);
  assert.deepEqual([answered('127.0.0.1'), answered('::1')], [100, 100]);
  await directory.apply(
    add(dn, {
      objectClass: 'waypostNameServer',
      waypostNameServerRole: 'secondary',
      waypostNameServerAddress: [SECONDARY, '[2001:db8::53]:5300'],
    }),
  );
  assert.deepEqual([answered(SECONDARY), answered('2001:db8::53')], [100, 100]);
  await directory.apply(remove(dn));
  assert.ok(answered('2001:db8::53') < 100);
});
