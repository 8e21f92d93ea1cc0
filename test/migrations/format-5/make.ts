// Makes the store of format 5 that the tests of the migration begin with: mail, and bytes of mail that is gone.
//
//     git worktree add /tmp/format-5 c202651 && (cd /tmp/format-5 && npm ci)
//     node_modules/.bin/node test/migrations/format-5/make.ts /tmp/format-5
//
// In      a checkout of a program that writes format 5
// Out     store/: its data directory, without lock and sockets
// Made once and committed

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ImapClient } from '../../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import { PASSWORD, populate } from '../../support/directory.ts';
import { startWaypost, type Waypost } from '../../support/server.ts';
import { ANN, APPENDED, BOB, CONFIG, GONE, SHARED } from './content.ts';

const program = resolve(process.argv[2] ?? '.');
const here = import.meta.dirname;
const data = join(mkdtempSync(join(tmpdir(), 'waypost-format-5-')), 'data');

const server = await startWaypost({ program, data, config: CONFIG });
await fill(server);
await server.kill9();
const database = new DatabaseSync(join(data, 'store.db'));
database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
database.close();

rmSync(join(here, 'store'), { recursive: true, force: true });
for (const name of ['store.db', 'segments', 'admin-password'])
  cpSync(join(data, name), join(here, 'store', name), { recursive: true });
process.exit(0);

async function fill(waypost: Waypost): Promise<void> {
  await populate(waypost, 'acme.example', ['ann', 'bob']);
  const smtp = await SmtpClient.open(waypost.listeners.smtp);
  await smtp.send('rex@remote.example', [ANN], GONE);
  await smtp.send('rex@remote.example', [ANN, BOB], SHARED);
  await smtp.quit();
  const imap = await ImapClient.login(waypost.listeners.imap, ANN, PASSWORD);
  await imap.append('INBOX', APPENDED);
  await imap.command('SELECT INBOX');
  await imap.command('STORE 1 +FLAGS.SILENT (\\Deleted)');
  await imap.command('EXPUNGE');
  await imap.logout();
}
