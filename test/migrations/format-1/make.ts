// Makes the store of format 1 that the tests of the migration begin with, and what it answers.
//
//     git worktree add /tmp/format-1 c7e30bd && (cd /tmp/format-1 && npm ci)
//     node_modules/.bin/node test/migrations/format-1/make.ts /tmp/format-1
//
// In      a checkout of the last program that writes format 1
// Out     store/: its data directory, without lock and sockets; *.txt and queue.json: its answers, asked by answers.ts
// How     all of it is written by that program: by its server over its doors, and then, for states of the queue that
//         last milliseconds, by its own operations without a server. The server is killed, so a segment is left open
// Made once and committed. It is made anew only when it lacks something, and then with all of its answers.

import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Attribute, Change } from 'ldapts';
import { ImapClient } from '../../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../../../src/estate/remote-host.ts';
import { SILENCE } from '../../../src/estate/remote-script.ts';
import { addDomain, addUser, administrator, domainDn, userAttributes, userDn } from '../../support/directory.ts';
import { startWaypost, type Waypost } from '../../support/server.ts';
import { answers } from '../answers.ts';
import { messages } from './messages.ts';
import { config, questions } from './questions.ts';

const program = resolve(process.argv[2] ?? '.');
const here = import.meta.dirname;
const BOB = { login: 'bob@acme.example', password: 'secret' };
const ALICE = { login: 'alice@acme.example', password: 'secret' };

const data = join(mkdtempSync(join(tmpdir(), 'waypost-format-1-')), 'data');
const away = await RemoteHost.start({
  rcpt: (address) =>
    address.startsWith('later')
      ? '451 4.2.2 The mailbox is full'
      : address.startsWith('never')
        ? '550 5.1.1 Nobody of that name'
        : '250 2.1.5 ok',
});
const silent = await RemoteHost.start({ greeting: SILENCE }, '127.0.0.3');
const server = await startWaypost({ program, data, config: config(away.nextHop, silent.nextHop) });
await fillDirectory(server);
await fillMailboxes(server);
await sendMail(server);
await server.kill9();
await away.close();
await silent.close();
await settleQueue();
const madeAt = new Date().toISOString();

rmSync(join(here, 'store'), { recursive: true, force: true });
for (const name of ['store.db', 'segments', 'admin-password'])
  cpSync(join(data, name), join(here, 'store', name), { recursive: true });
writeFileSync(join(here, 'made-at.txt'), `${madeAt}\n`);
await writeQueue();

// The old program's own answers, from a copy: a start settles what the queue holds for accounts here.
const again = await startWaypost({ program, data, config: config('[127.0.0.9]:9', '[127.0.0.9]:9') });
const old = await answers(again, questions(madeAt));
for (const [door, text] of Object.entries(old)) writeFileSync(join(here, `${door}.txt`), text);
await again.stop();
process.stdout.write(`${readdirSync(here).join(' ')}\n`);
process.exit(0);

async function fillDirectory(server: Waypost): Promise<void> {
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  await addDomain(client, 'Sales.ACME.example', { mailDomainCatchallAddress: 'Alice@acme.example' });
  await addDomain(client, 'gone.example');
  await client.del(domainDn('gone.example'));
  await client.add('o = Firm , o = internet', { objectClass: 'organization', o: 'Firm' });
  await addDomain(client, 'firm.example', { inetDomainBaseDN: 'O = Firm ,  o=Internet' });
  await addDomain(client, 'off.example', { inetDomainStatus: 'inactive' });
  for (const name of ['alice', 'bob', 'carol', 'dora', 'erik']) await addUser(client, `${name}@acme.example`);
  for (const name of ['temp', 'temp-2', 'temp-3'])
    await addUser(client, `${name}@acme.example`, { mailUserStatus: 'inactive' });
  await addUser(client, 'left@acme.example');
  await client.del(userDn('left@acme.example'));
  await addUser(client, 'moved@acme.example');
  await client.modifyDN(userDn('moved@acme.example'), 'uid=Mover,ou=People,dc=acme,dc=example,o=internet');
  const person = (address: string, more: Record<string, string | string[]>) => ({
    ...userAttributes(address),
    userPassword: 'secret',
    ...more,
  });
  // Spellings of a DN that come from LDIF files of other hands.
  await client.add('UID = kid , ou = People , dc = acme,dc=example, O = internet', person('kid@acme.example', {}));
  await client.add(
    '0.9.2342.19200300.100.1.1=oid,ou=People,dc=acme,dc=example,o=internet',
    person('oid@acme.example', {}),
  );
  await client.add(
    'cn=Doe\\, Jane+uid=jane,ou=People,dc=acme,dc=example,o=internet',
    person('jane@acme.example', { cn: 'Doe, Jane' }),
  );
  await client.add('CN=Roe\\2C Rick,O=Firm,O=Internet', person('rick@firm.example', { cn: 'Roe, Rick', uid: 'rick' }));
  await client.add(
    'cn=Stra\\C3\\9Fe \\23 \\+ \\20,o=firm,o=internet',
    person('strasse@firm.example', { cn: 'Straße # +  ', uid: 'strasse' }),
  );
  await client.add(
    'uid=sp,ou=People,dc=acme,dc=example,o=internet',
    person('sp@acme.example', { mail: ' sp@acme.example ' }),
  );
  await client.add(
    'uid=quoted,ou=People,dc=acme,dc=example,o=internet',
    person('quoted@acme.example', {
      mail: ['"a b"@acme.example', 'quoted@acme.example'],
      mailAlternateAddress: 'Other@Sales.acme.example',
    }),
  );
  const group = (cn: string, more: Record<string, string | string[]>) => ({
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn,
    mail: `${cn}@acme.example`,
    ...more,
  });
  await client.add(
    'cn=Team,ou=Groups,dc=acme,dc=example,o=internet',
    group('Team', {
      uniqueMember: [
        'UID = kid,ou=People, dc=ACME,dc=example,o=internet',
        userDn('carol@acme.example'),
        ...['temp', 'temp-2', 'temp-3'].map((name) => userDn(`${name}@acme.example`)),
      ],
      mgrpRFC822MailMember: ['Outside@Away.example', 'ALICE@acme.example'],
    }),
  );
  await client.add(
    'CN=Closed,ou=Groups,dc=acme,dc=example,o=internet',
    group('Closed', { inetMailGroupStatus: 'disabled', mgrpAuthPassword: 'list-secret' }),
  );
  await client.modify(userDn('erik@acme.example'), [
    new Change({ operation: 'add', modification: new Attribute({ type: 'description', values: ['Ärger', 'two'] }) }),
    new Change({
      operation: 'add',
      modification: new Attribute({ type: 'seeAlso', values: ['UID = kid, ou=People,dc=acme,dc=example,o=internet'] }),
    }),
    new Change({ operation: 'replace', modification: new Attribute({ type: 'mailUserStatus', values: ['hold'] }) }),
  ]);
  await client.unbind();
}

async function fillMailboxes({ listeners }: Waypost): Promise<void> {
  const client = await ImapClient.login(listeners.imap, ALICE.login, ALICE.password);
  for (const name of ['Work', 'Work/2026', 'Sent', 'Entw&APw-rfe', 'Old', 'Doomed'])
    await client.command(`CREATE "${name}"`);
  // Nothing that a later start delivers comes into these.
  for (const [n, message] of messages.entries())
    await client.append(
      ['Work', 'Work/2026', 'Entw&APw-rfe'][n % 3]!,
      message,
      n % 2 === 0 ? '\\Seen' : '\\Flagged $Work',
    );
  for (const message of messages) await client.append('Sent', message, '\\Seen');
  await client.command('SELECT Work');
  await client.command('STORE 1 +FLAGS (\\Answered \\Draft $Work Later)');
  await client.command('STORE 2 -FLAGS ($Work)');
  await client.command('COPY 1:3 "Sent"');
  await client.command('COPY 1:2 "Doomed"');
  await client.command('STORE 3 +FLAGS (\\Deleted)');
  await client.command('EXPUNGE');
  await client.command('STORE 2 +FLAGS (\\Deleted)');
  await client.command('RENAME "Old" "Older"');
  await client.command('SUBSCRIBE "Work/2026"');
  await client.command('SUBSCRIBE "Never made"');
  await client.command('EXAMINE "Sent"');
  await client.command('DELETE "Doomed"');
  await client.logout();
  const bob = await ImapClient.login(listeners.imap, BOB.login, BOB.password);
  for (const message of messages.slice(0, 4)) await bob.append('INBOX', message);
  await bob.command('SELECT INBOX');
  await bob.command('STORE 1:2 +FLAGS (\\Deleted)');
  await bob.command('EXPUNGE');
  await bob.logout();
}

async function sendMail({ listeners }: Waypost): Promise<void> {
  const client = await SmtpClient.open(listeners.submission, ALICE);
  const to = (...recipients: string[]): Promise<unknown> => {
    const id = recipients[0]!.split('@')[0];
    const text = `From: alice@acme.example\r\nTo: <${recipients[0]}>\r\nMessage-ID: <to-${id}@fixture.example>\r\nSubject: to ${id}\r\n\r\nhello\r\n`;
    return client.send(ALICE.login, recipients, Buffer.from(text));
  };
  await to('bob@acme.example', 'kid@acme.example', 'ok@away.example');
  await to('later@away.example', 'later-2@away.example');
  await to('never@away.example', 'bob@acme.example');
  await to('Team@acme.example');
  for (let n = 1; n <= 5; n++) await to(`hang-${n}@silent.example`);
  await client.quit();
  const foreign = await SmtpClient.open(listeners.smtp);
  await foreign.send('someone@away.example', ['carol@acme.example', '"a b"@acme.example'], messages[1]!);
  await foreign.send('', ['postmaster', 'dora@acme.example'], messages[3]!);
  await foreign.quit();
  // Until the other host has answered and the report of the failure is in Alice's INBOX.
  const imap = await ImapClient.login(listeners.imap, ALICE.login, ALICE.password);
  for (;;) {
    await imap.command('EXAMINE INBOX');
    const { untagged } = await imap.command('SEARCH TEXT "never@away.example"');
    if (untagged.some(({ text }) => /^SEARCH \d/.test(text))) break;
    await new Promise((again) => setTimeout(again, 200));
  }
  await imap.logout();
}

/** The states that no door shows for long, by the old program's own operations. Rows of silent.example are leased by now. */
async function settleQueue(): Promise<void> {
  const load = (path: string) => import(join(program, 'src', path));
  const { openForWriting, openReader, Statements } = await load('database/connection.ts');
  const { Batch } = await load('database/batch.ts');
  const { record } = await load('transfer/record.ts');
  const { retryRows } = await load('transfer/manage.ts');
  const { listQueue } = await load('transfer/queue.ts');
  const database = openForWriting(join(data, 'store.db'));
  const statements = new Statements(database);
  const now = Date.now();
  const timing = { now, startedAt: now - 60_000, retryMs: [60_000, 300_000], expireMs: 432_000_000 };
  const execute = async (operation: { name: string }, args: unknown): Promise<void> => {
    const batch = new Batch(database, statements, new Map([[operation.name, operation]]));
    await batch.add({ name: operation.name, args });
    const [outcome] = batch.commit().outcomes;
    if (outcome.failure !== undefined) throw outcome.failure;
  };
  const settle = (
    row: { id: number; recipient: string },
    result: string,
    status: string,
    words: string,
    remote?: string,
  ) => {
    const message = Number(database.prepare('SELECT message FROM queue WHERE id = ?').get(row.id)!['message']);
    return execute(record, {
      message,
      outcomes: [{ row: row.id, recipient: row.recipient, outcome: { result, status, words, remote } }],
      timing,
      at: now,
    });
  };
  const { reader, close } = openReader(join(data, 'store.db'));
  const rows = listQueue(reader) as { id: number; recipient: string; channel: string }[];
  const hanging = rows.filter(({ recipient }) => recipient.startsWith('hang-'));
  const local = rows.filter(({ channel }) => channel === 'store');
  if (hanging.length !== 5 || local.length !== 3)
    throw new Error(`the queue is not as it should be: ${JSON.stringify(rows)}`);
  const [, second, third, fourth, fifth] = hanging as [never, ...typeof hanging];
  await settle(second!, 'deferred', '4.4.1', '[127.0.0.3]: no answer');
  await settle(third!, 'deferred', '4.4.1', '[127.0.0.3]: no answer');
  await execute(retryRows, { rows: [third!.id] });
  await settle(fourth!, 'failed', '5.7.1', '550 5.7.1 Not wanted here', 'silent.example');
  await settle(fifth!, 'failed', '5.7.1', '550 5.7.1 Not wanted here', 'silent.example');
  await settle(fifth!, 'deferred', '4.3.0', 'Internal error, it is tried again');
  await execute(retryRows, { rows: [local[1]!.id] });
  await settle(local[2]!, 'failed', '5.2.1', '550 5.2.1 Mailbox is disabled');
  close();
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

async function writeQueue(): Promise<void> {
  const { openReader } = await import(join(program, 'src/database/connection.ts'));
  const { listQueue } = await import(join(program, 'src/transfer/queue.ts'));
  const { reader, close } = openReader(join(data, 'store.db'));
  writeFileSync(join(here, 'queue.json'), `${JSON.stringify(listQueue(reader), undefined, 1)}\n`);
  close();
}
