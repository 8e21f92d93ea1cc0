// The way of a message as ARCHITECTURE.md describes it: from Alice to Bob, who is here, and Carol, who is not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { populate } from './support/directory.ts';
import { startWaypost } from './support/server.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '..', 'waypost');
const MESSAGE_ID = 'way@acme.example';

interface Event {
  readonly event: string;
  readonly recipient: string;
}

test('one message: accepted and delivered to Bob, queued and relayed to Carol, in this order', async (context) => {
  const sink = await RemoteHost.start();
  const server = await startWaypost({ config: `[next-hop]\n"remote.example" = "${sink.nextHop}"\n` });
  context.after(async () => {
    await server.stop();
    await sink.close();
  });
  const [alice, bob] = await populate(server, 'acme.example', ['alice', 'bob']);

  const client = await SmtpClient.open(server.listeners.submission, alice);
  const message = Buffer.from(`From: alice@acme.example\r\nMessage-ID: <${MESSAGE_ID}>\r\n\r\nhello\r\n`);
  await client.send('alice@acme.example', ['bob@acme.example', 'carol@remote.example'], message);
  await client.quit();

  const trace = async (): Promise<Event[]> =>
    JSON.parse((await run(launcher, ['trace', MESSAGE_ID, '--data', server.data, '--json'])).stdout) as Event[];
  let events = await trace();
  for (let tries = 0; tries < 50 && !events.some(({ event }) => event === 'relayed'); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    events = await trace();
  }
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
  assert.deepEqual(sink.messages[0]?.recipients, ['carol@remote.example']);

  const imap = await ImapClient.login(server.listeners.imap, bob!.login, bob!.password);
  const [received] = await imap.fetchAll();
  await imap.logout();
  assert.ok(received?.body.toString('latin1').endsWith(message.toString('latin1')));
});
