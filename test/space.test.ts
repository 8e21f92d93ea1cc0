// Space comes back: of a mailbox nine of ten messages are deleted, and most of `segments/` goes, while mail is served.
//
// In      SPACE_MESSAGES of 10 KB; 2,000 in npm test
// Out     the size of segments/, a quarter at most of what it was; how long it took (said, not judged); every message as it was

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { populate } from './support/directory.ts';
import { metricsText } from './support/metrics.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const MESSAGES = Number(process.env['SPACE_MESSAGES'] ?? 2000);
const CONNECTIONS = 8;
const LINES = 140;

/** 10 KB that no other message has, as little to be compressed as base64 is. */
function body(n: number): Buffer {
  let text = `Subject: message ${n}\r\n\r\n`;
  for (let line = 0; line < LINES; line++)
    text += `${createHash('sha384').update(`${n} ${line}`).digest('base64')}1234567\r\n`;
  return Buffer.from(text);
}

function segmentBytes({ data }: Waypost): number {
  const folder = join(data, 'segments');
  // One may be unlinked meanwhile.
  return readdirSync(folder).reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

async function metric(server: Waypost, name: string): Promise<number> {
  const line = (await metricsText(server)).split('\n').find((text) => text.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

test(`nine of ten of ${MESSAGES} messages are deleted: a quarter of the space is left at most`, {
  timeout: 900_000,
}, async (context) => {
  await using server = await startWaypost({ config: 'threads = 2\n[store]\ncompress = "never"\n' });
  const [ann, bob] = await populate(server, 'acme.example', ['ann', 'bob']);
  let sent = 0;
  const send = async (): Promise<void> => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    while (sent < MESSAGES) await smtp.send('carol@remote.example', [ann!.login], body(sent++));
    await smtp.quit();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
  const full = segmentBytes(server);
  assert.ok(full > MESSAGES * 9000);

  const imap = await ImapClient.login(server.listeners.imap, ann!.login, ann!.password);
  await imap.command('SELECT INBOX');
  for (let from = 1; from <= MESSAGES; from += 10)
    await imap.command(`STORE ${from}:${from + 8} +FLAGS.SILENT (\\Deleted)`);
  await imap.command('EXPUNGE');
  assert.equal(await imap.count(), MESSAGES / 10);
  const kept = await imap.fetchAll();

  // Mail is served meanwhile, to somebody else and from where bytes move.
  const began = performance.now();
  let isOver = false;
  let served = 0;
  const serve = async (): Promise<void> => {
    const smtp = await SmtpClient.open(server.listeners.smtp);
    const reader = await ImapClient.login(server.listeners.imap, ann!.login, ann!.password);
    while (!isOver) {
      await smtp.send('carol@remote.example', [bob!.login], Buffer.from('Subject: meanwhile\r\n\r\nx\r\n'));
      await reader.command('EXAMINE INBOX');
      const some = 1 + ((served++ * 7) % kept.length);
      const { untagged } = await reader.command(`FETCH ${some} (BODY.PEEK[])`);
      assert.deepEqual(untagged.find(({ literals }) => literals.length > 0)?.literals[0], kept[some - 1]!.body);
      await new Promise((later) => setTimeout(later, 20));
    }
    await smtp.quit();
    await reader.logout();
  };
  const serving = serve();
  await Promise.race([serving, until('most of the space is back', () => segmentBytes(server) <= full / 4, 300_000)]);
  const seconds = (performance.now() - began) / 1000;
  isOver = true;
  await serving;
  const left = segmentBytes(server);
  context.diagnostic(
    `${(left / full).toFixed(3)} of ${full} bytes after ${seconds.toFixed(1)} s, ${served} times served meanwhile`,
  );
  assert.deepEqual(
    (await imap.fetchAll()).map(({ body: bytes }) => bytes),
    kept.map(({ body: bytes }) => bytes),
  );
  const copied = await metric(server, 'waypost_segment_copied_bytes_total');
  const freed = await metric(server, 'waypost_segment_freed_bytes_total');
  assert.ok(copied > 0 && copied * 2 <= freed, `${copied} bytes copied, ${freed} freed`);
  await imap.logout();
  const found = await new AdminClient(server.data).call('mailbox.check', { bytes: true });
  assert.deepEqual(found, []);
});
