// A user is told, by a whole server, that mail in a channel that is paused is delayed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { populate } from './support/directory.ts';
import { startWaypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);

test('mail in a paused channel: its sender is told at the next look, once', async (context) => {
  const server = await startWaypost({ config: '[queue]\ndelay = "1s"\n' });
  context.after(() => server.stop());
  const [ann] = await populate(server, 'acme.example', ['ann']);
  const { login, password } = ann!;
  await run('./waypost', ['channel', 'pause', 'smtp', '--data', server.data]);
  const client = await SmtpClient.open(server.listeners.submission, { login, password });
  await client.send(login, ['x@remote.example'], Buffer.from('Subject: later\r\n\r\nx\r\n'));
  await client.quit();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const reports = async (): Promise<string[]> => {
    const imap = await ImapClient.login(server.listeners.imap, login, password);
    const messages = await imap.fetchAll();
    await imap.logout();
    return messages.map(({ body }) => body.toString('latin1')).filter((text) => /^Action: delayed\r$/m.test(text));
  };
  // A start looks.
  await server.kill9();
  await server.restart();
  await until('a report', async () => (await reports()).length > 0);
  await server.kill9();
  await server.restart();
  assert.equal((await reports()).length, 1);
  const list = (await run('./waypost', ['queue', 'list', '--data', server.data])).stdout;
  assert.match(list, /x@remote\.example +waiting/);
});
