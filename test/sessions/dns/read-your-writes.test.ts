// No DNS answer is from before a write that was acknowledged, on whatever thread it is made.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { openTestDatabase } from '../../../src/database/testing.ts';
import { bindDnsUdp } from '../../../src/protocols/dns/udp.ts';
import { RCODE } from '../../../src/wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../../../src/wire/dns/message.ts';
import { queryMessage } from '../../../src/wire/dns/testing.ts';
import { zonesUnit } from '../../../src/zones/tables.ts';
import { changeDomain } from '../../../src/zones/testing.ts';
import type { AnsweringThreadData } from './answering-thread.ts';

test('a thread of its own answers each acknowledged add and removal, and never an older state', async (context) => {
  const database = openTestDatabase([zonesUnit]);
  const workerData: AnsweringThreadData = { path: database.path, shared: database.shared.buffer };
  const worker = new Worker(new URL('./answering-thread.ts', import.meta.url), { workerData });
  const client = await bindDnsUdp('127.0.0.1', 0);
  context.after(async () => {
    client.close();
    await worker.terminate();
    database.close();
  });
  const [port] = (await once(worker, 'message')) as [number];

  let id = 0;
  const waiting = new Map<number, (answer: DnsMessage) => void>();
  client.on('message', (octets) => {
    const answer = decodeMessage(octets);
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ask = (name: string, type: 'MX' | 'SOA') => {
    const asked = ++id;
    const answered = new Promise<DnsMessage>((got) => waiting.set(asked, got));
    client.send(encodeMessage(queryMessage(asked, name, type)), port, '127.0.0.1');
    return answered;
  };

  await database.writer.execute(changeDomain, { after: 'acme.example' });
  for (let round = 0; round < 300; round++) {
    const name = `d${round % 7}.acme.example`;
    // Others ask meanwhile, so that answers of all states are remembered.
    const others = [ask(name, 'MX'), ask('acme.example', 'SOA')];
    await database.writer.execute(changeDomain, { after: name });
    assert.equal((await ask(name, 'MX')).answers.length, 1, `round ${round}: the add is not answered`);
    const revision = await database.writer.execute(changeDomain, { before: name });
    const [gone, soa] = await Promise.all([ask(name, 'MX'), ask('acme.example', 'SOA')]);
    assert.equal(gone.rcode, RCODE.NXDOMAIN, `round ${round}: the removal is not answered`);
    const [record] = soa.answers;
    assert.equal(record?.type === 'SOA' && record.serial, revision);
    await Promise.all(others);
  }
});
