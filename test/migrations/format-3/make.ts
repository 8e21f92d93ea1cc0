// Makes the store of format 3 that the tests of the migration begin with: a queue with a row in each state.
//
//     git worktree add /tmp/format-3 b9acb17 && (cd /tmp/format-3 && npm ci)
//     node_modules/.bin/node test/migrations/format-3/make.ts /tmp/format-3
//
// In      a checkout of the last program that writes format 3
// Out     store/: its data directory, without lock and sockets
// How     by its server over its doors; then, because that state lasts milliseconds, a row is set to `failed` as its record.ts does
// Made once and committed

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, PASSWORD } from '../../support/directory.ts';
import { startWaypost, type Waypost } from '../../support/server.ts';
import { ANN, config, FAILED, HELD, WAITING } from './queue.ts';

const program = resolve(process.argv[2] ?? '.');
const here = import.meta.dirname;
const data = join(mkdtempSync(join(tmpdir(), 'waypost-format-3-')), 'data');

const server = await startWaypost({ program, data, config: config('[127.0.0.9]:9') });
await fill(server);
await server.kill9();
const database = new DatabaseSync(join(data, 'store.db'));
database.exec(`UPDATE queue SET state = 'failed', lease = 0, attempts = 1, last_attempt = created, next_attempt = 0,
  status = '5.1.1', remote = 'mx.remote.example', last_error = '550 5.1.1 Nobody of that name' WHERE recipient = '${FAILED}'`);
database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
database.close();

rmSync(join(here, 'store'), { recursive: true, force: true });
for (const name of ['store.db', 'segments', 'admin-password'])
  cpSync(join(data, name), join(here, 'store', name), { recursive: true });
process.exit(0);

async function fill(waypost: Waypost): Promise<void> {
  const client = await administrator(waypost);
  await addDomain(client, 'acme.example');
  await addDomain(client, 'held.example', { inetDomainStatus: 'active', mailDomainStatus: 'hold' });
  await addUser(client, ANN);
  await addUser(client, HELD);
  await client.unbind();
  const smtp = await SmtpClient.open(waypost.listeners.submission, { login: ANN, password: PASSWORD });
  for (const to of [HELD, WAITING, FAILED]) await smtp.send(ANN, [to], Buffer.from(`Subject: to ${to}\r\n\r\nx\r\n`));
  await smtp.quit();
}
