// The way of a message as ARCHITECTURE.md describes it: from Alice to Bob, who is here, and Carol, who is not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate } from '../src/estate/estate.ts';
import { populate } from './support/directory.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '..', 'waypost');
const MESSAGE_ID = 'way@acme.example';

interface Event {
  readonly event: string;
  readonly recipient: string;
}

test('one message: accepted and delivered to Bob, queued and relayed to Carol, in this order', async () => {
  await using estate = await createTestEstate();
  const host = await estate.remoteHost('remote.example');
  const [alice] = await populate(estate, 'acme.example', ['alice', 'bob']);

  const client = await SmtpClient.open(estate.listeners.submission, alice);
  const message = Buffer.from(`From: alice@acme.example\r\nMessage-ID: <${MESSAGE_ID}>\r\n\r\nhello\r\n`);
  await client.send('alice@acme.example', ['bob@acme.example', 'carol@remote.example'], message);
  await client.quit();

  const trace = async (): Promise<Event[]> =>
    JSON.parse((await run(launcher, ['trace', MESSAGE_ID, '--data', estate.data, '--json'])).stdout) as Event[];
  let events: Event[] = [];
  await until('it is relayed', async () => {
    events = await trace();
    return events.some(({ event }) => event === 'relayed');
  });
  assert.deepEqual(
    events.map(({ event, recipient }) => `${event} ${recipient}`),
    [
      'accepted bob@acme.example',
      'accepted carol@remote.example',
      'delivered bob@acme.example',
      'queued carol@remote.example',
      'relayed carol@remote.example',
    ],
  );
  const relayed = await host.waitForMessage();
  assert.deepEqual(relayed.recipients, ['carol@remote.example']);

  const received = await estate.waitForMessage('bob@acme.example');
  assert.ok(received.raw.toString('latin1').endsWith(message.toString('latin1')));
});
