// Makes the store of format 4 that the tests of the migration begin with: domains of each kind, and a queue.
//
//     git worktree add /tmp/format-4 27af1c0 && (cd /tmp/format-4 && npm ci)
//     node_modules/.bin/node test/migrations/format-4/make.ts /tmp/format-4
//
// In      a checkout of a program that writes format 4
// Out     store/: its data directory, without lock and sockets
// Made once and committed

import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AdminClient } from '../../../src/cli/client.ts';
import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import { addDomain, addUser, administrator, domainDn, PASSWORD } from '../../support/directory.ts';
import { startWaypost, type Waypost } from '../../support/server.ts';
import { ANN, config, KEPT, LATER } from './content.ts';

const program = resolve(process.argv[2] ?? '.');
const here = import.meta.dirname;
const data = join(mkdtempSync(join(tmpdir(), 'waypost-format-4-')), 'data');

const server = await startWaypost({ program, data, config: config('[127.0.0.9]:9') });
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
  const client = await administrator(waypost);
  await addDomain(client, 'acme.example');
  await addDomain(client, 'sub.acme.example');
  await addDomain(client, 'theirs.example', { waypostSource: 'dns:theirs.example' });
  await client.add(domainDn('alias.example'), {
    objectClass: ['domain', 'inetDomainAlias'],
    dc: 'alias',
    aliasedObjectName: domainDn('acme.example'),
  });
  // Without mail, which format 4 knew nothing of.
  await client.add(domainDn('quiet.example'), { objectClass: ['domain', 'inetDomain'], dc: 'quiet' });
  await addUser(client, ANN);
  await client.unbind();
  const smtp = await SmtpClient.open(waypost.listeners.submission, { login: ANN, password: PASSWORD });
  for (const to of [LATER, KEPT]) await smtp.send(ANN, [to], Buffer.from(`Subject: to ${to}\r\n\r\nx\r\n`));
  await smtp.quit();
  const admin = new AdminClient(waypost.data);
  const kept = (await admin.call('queue.list', {})).find(({ recipient }) => recipient === KEPT)!;
  await admin.call('queue.hold', { ids: [String(kept.id)] });
}
