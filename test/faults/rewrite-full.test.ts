// Bytes that would move, on a disk that is full: nothing is lost, mail is read, and it goes on when there is space again.
//
// On a small tmpfs of its own, which needs root.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdminClient } from '../../src/cli/client.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { populate } from '../support/directory.ts';
import { tmpfsMissing } from '../support/peers.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { Tmpfs } from '../support/tmpfs.ts';
import { until } from '../support/until.ts';

const MESSAGES = 60;
const BYTES = 150_000;

const text = (n: number): Buffer => Buffer.from(`Subject: ${n}\r\n\r\n${randomBytes(BYTES / 2).toString('hex')}\r\n`);

function segmentBytes({ data }: Waypost): number {
  const folder = join(data, 'segments');
  return readdirSync(folder).reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

test('on a full disk no byte moves and none is lost; with space again they move', {
  skip: tmpfsMissing(),
}, async () => {
  using disk = Tmpfs.mount(48);
  const data = join(disk.folder, 'data');
  mkdirSync(data);
  const config = 'threads = 1\n[store]\ncompress = "never"\n';
  await using server = await startWaypost({
    data,
    config,
    env: { WAYPOST_LOG: 'warn' },
    switches: { upkeepAfterMs: 0 },
  });
  const [ann] = await populate(server, 'acme.example', ['ann']);
  const smtp = await SmtpClient.open(server.listeners.smtp);
  for (let n = 0; n < MESSAGES; n++) await smtp.send('carol@remote.example', [ann!.login], text(n));
  await smtp.quit();
  const full = segmentBytes(server);
  const filler = join(disk.folder, 'filler');
  // What the log may still take is left, so that the expunge commits; the copies find no room.
  const { bavail, bsize } = statfsSync(disk.folder);
  writeFileSync(filler, Buffer.alloc(bavail * bsize - 1024 * 1024));
  const imap = await ImapClient.login(server.listeners.imap, ann!.login, ann!.password);
  await imap.command('SELECT INBOX');
  const before = await imap.fetchAll();
  await imap.command('SELECT INBOX');
  await imap.command(`STORE 1:${(MESSAGES / 3) * 2} +FLAGS.SILENT (\\Deleted)`);
  await imap.command('EXPUNGE');
  const kept = before.slice((MESSAGES / 3) * 2).map(({ body }) => body);
  await server.said(/store\.rewrite/);
  assert.deepEqual(
    (await imap.fetchAll()).map(({ body }) => body),
    kept,
  );
  assert.ok(segmentBytes(server) >= full * 0.95);

  rmSync(filler);
  await until('the space is back', () => segmentBytes(server) < full / 2);
  assert.deepEqual(
    (await imap.fetchAll()).map(({ body }) => body),
    kept,
  );
  await imap.logout();
  assert.deepEqual(await new AdminClient(server.data).call('mailbox.check', { bytes: true }), []);
});
