// What transcripts cannot show: bounds, time, large maildrops, failures in UPDATE, connections that break off.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { until } from '../../../test/support/until.ts';
import { idOf } from '../../base/ids.ts';
import { operation } from '../../database/operation.ts';
import { ImapClient } from '../../demo/clients/imap-client.ts';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { findMailboxById } from '../../store/mailboxes.ts';
import { fillInbox, openTestPop3, type TestPop3 } from './testing.ts';

const LOGIN = 'ann@acme.example';
const INBOX = 1;

let pop3: TestPop3;
before(async () => {
  pop3 = await openTestPop3();
});
after(() => pop3?.close());

async function open(server: TestPop3 = pop3): Promise<LineConnection> {
  const connection = await LineConnection.open(server.host, server.port);
  await connection.line();
  return connection;
}

async function ask(connection: LineConnection, command: string): Promise<string> {
  connection.write(`${command}\r\n`);
  return connection.line();
}

async function logIn(server: TestPop3 = pop3): Promise<LineConnection> {
  const connection = await open(server);
  await ask(connection, `USER ${LOGIN}`);
  assert.match(await ask(connection, 'PASS secret'), /^\+OK/);
  return connection;
}

async function lines(connection: LineConnection): Promise<string[]> {
  const found: string[] = [];
  for (let line = await connection.line(); line !== '.'; line = await connection.line()) found.push(line);
  return found;
}

async function append(server: TestPop3, ...messages: readonly string[]): Promise<number> {
  const account = await server.imap.addAccount(LOGIN, 'secret');
  const client = await ImapClient.login(server.imap, LOGIN, 'secret');
  for (const message of messages) await client.append('INBOX', Buffer.from(message, 'latin1'));
  await client.logout();
  return account;
}

function inInbox(server: TestPop3, account: number): number | undefined {
  return findMailboxById(server.imap.database.reader, { owner: idOf(account), mailbox: idOf(INBOX) })?.messages;
}

test('a connection that breaks off lets the maildrop go, and nothing is removed', async () => {
  const account = await append(pop3, 'a: b\r\n\r\n1\r\n');
  const connection = await logIn();
  assert.ok(pop3.locked.has(account));
  assert.match(await ask(connection, 'DELE 1'), /^\+OK/);
  connection.destroy();
  await until('the lock', () => !pop3.locked.has(account));
  assert.equal(inInbox(pop3, account), 1);
});

test('commands before the end of our input are obeyed and answered', async () => {
  const account = await append(pop3, 'a: b\r\n\r\n1\r\n');
  const connection = await logIn();
  connection.write('DELE 1\r\nQUIT\r\n');
  connection.end();
  assert.match(await connection.untilClosed(), /^\+OK.*\r\n\+OK.*\r\n$/);
  assert.equal(inInbox(pop3, account), 0);
  await until('the lock', () => !pop3.locked.has(account));
});

test('a message comes back byte for byte, wherever pieces are cut', async () => {
  let message = 'Subject: dots\r\n\r\n';
  for (let i = 0; message.length < 300_000; i++) message += `${'.'.repeat(i % 5)}${'x'.repeat(i % 77)}\r\n`;
  await append(pop3, message);
  const connection = await logIn();
  assert.equal(await ask(connection, 'RETR 1'), `+OK ${message.length} octets`);
  const read = (await lines(connection)).map((line) => (line.startsWith('.') ? line.slice(1) : line));
  assert.equal(`${read.join('\r\n')}\r\n`, message);
  connection.destroy();
});

test('a client that asks and does not read delays only itself', async () => {
  await append(pop3, `a: b\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(1000)}`);
  const connection = await logIn();
  connection.pause();
  const before = pop3.replies.length;
  connection.write('RETR 1\r\n'.repeat(100));
  await until('the first reply', () => pop3.replies.length > before);
  let seen = -1;
  while (seen !== pop3.replies.length) {
    seen = pop3.replies.length;
    await new Promise((wait) => setTimeout(wait, 200));
  }
  assert.ok(seen - before < 50, `${seen - before} messages of 1 MB were written ahead`);
  connection.destroy();
});

test('a maildrop of 12,000 messages: listed, marked and removed in parts', async () => {
  const account = await pop3.imap.addAccount(LOGIN, 'secret');
  const messages = Array.from({ length: 12_000 }, (_, i) => ({ uid: 2 * i + 1, size: i + 1 }));
  await pop3.imap.database.writer.execute(fillInbox, { account, messages });
  const connection = await logIn();
  assert.equal(await ask(connection, 'STAT'), '+OK 12000 72006000');
  await ask(connection, 'LIST');
  assert.deepEqual(
    await lines(connection),
    messages.map(({ size }) => `${size} ${size}`),
  );
  await ask(connection, 'UIDL');
  assert.equal(new Set((await lines(connection)).map((line) => line.split(' ')[1])).size, 12_000);
  connection.write(messages.map((_, i) => (i % 4 === 0 ? '' : `DELE ${i + 1}\r\n`)).join(''));
  for (let i = 0; i < 9000; i++) assert.match(await connection.line(), /^\+OK/);
  assert.match(await ask(connection, 'QUIT'), /^\+OK/);
  assert.equal(inInbox(pop3, account), 3000);
});

test('what QUIT cannot remove is an error, and the maildrop is let go', async () => {
  const account = await append(pop3, 'a: b\r\n\r\n1\r\n');
  const connection = await logIn();
  await ask(connection, 'DELE 1');
  const drop = operation('test.drop', (tx) => tx.run('DELETE FROM mailbox WHERE account = ?', account));
  await pop3.imap.database.writer.execute(drop, {});
  assert.match(await ask(connection, 'QUIT'), /^-ERR Some deleted messages were not removed$/);
  assert.equal(await connection.untilClosed(), '');
  assert.ok(!pop3.locked.has(account));
});

test('from elsewhere no password is taken, and no login announced, before STLS', async () => {
  const server = await openTestPop3({ isPrivate: false });
  try {
    const connection = await open(server);
    for (const command of [`USER ${LOGIN}`, 'AUTH PLAIN AGEAYg=='])
      assert.equal(await ask(connection, command), '-ERR [AUTH] Encryption is required to log in');
    await ask(connection, 'CAPA');
    const capabilities = await lines(connection);
    assert.ok(capabilities.includes('UIDL'));
    assert.deepEqual(
      capabilities.filter((line) => /^(USER|SASL)/.test(line)),
      [],
    );
    assert.match(await ask(connection, 'STLS'), /^\+OK/);
    const secure = await connection.secured({ servername: 'localhost', ca: server.imap.ca });
    await ask(secure, 'CAPA');
    assert.deepEqual(
      (await lines(secure)).filter((line) => /^(USER|SASL|STLS)/.test(line)).map((line) => line.slice(0, 4)),
      ['USER', 'SASL'],
    );
    assert.match(await ask(secure, `USER ${LOGIN}`), /^\+OK/);
    secure.destroy();
  } finally {
    await server.close();
  }
});

test('a client that does not log in in time, or is silent for too long, is cut off without a reply', async () => {
  const server = await openTestPop3({ limits: { loginTimeoutMs: 5000, idleTimeoutMs: 3000 } });
  try {
    const account = await append(server, 'a: b\r\n\r\n1\r\n');
    const idle = await logIn(server);
    await ask(idle, 'DELE 1');
    assert.equal(await idle.untilClosed(), '');
    await until('the lock', () => !server.locked.has(account));
    assert.equal(inInbox(server, account), 1);
    const stranger = await open(server);
    assert.equal(await stranger.untilClosed(), '');
  } finally {
    await server.close();
  }
});

test('messages that were read ahead are those that are sent, in whatever order they are asked for', async () => {
  const texts = Array.from({ length: 30 }, (_, i) => `Subject: ${i + 1}\r\n\r\n${'x'.repeat(i * 400)}\r\n`);
  await append(pop3, ...texts);
  const connection = await logIn();
  await ask(connection, 'DELE 5');
  const order = [1, 2, 3, 4, 6, 7, 20, 21, 22, 8, 9, 1, 2, 30, 29, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
  connection.write(order.map((number) => `RETR ${number}\r\nTOP ${number} 0\r\n`).join(''));
  for (const number of order) {
    assert.match(await connection.line(), /^\+OK/);
    assert.equal(`${(await lines(connection)).join('\r\n')}\r\n`, texts[number - 1]);
    await connection.line();
    assert.deepEqual(await lines(connection), [`Subject: ${number}`, '']);
  }
  connection.destroy();
});

test('a message that was read ahead and expunged meanwhile is not sent', async () => {
  await append(pop3, 'a: 1\r\n\r\n', 'a: 2\r\n\r\n', 'a: 3\r\n\r\n');
  const connection = await logIn();
  assert.match(await ask(connection, 'RETR 1'), /^\+OK/);
  await lines(connection);
  const client = await ImapClient.login(pop3.imap, LOGIN, 'secret');
  await client.command('SELECT INBOX');
  await client.command('STORE 2 +FLAGS (\\Deleted)');
  await client.command('EXPUNGE');
  await client.logout();
  assert.equal(await ask(connection, 'RETR 2'), '-ERR No such message');
  assert.match(await ask(connection, 'RETR 3'), /^\+OK/);
  connection.destroy();
});

test('whatever is said, the session answers and goes on', async () => {
  const texts = ['a: b\r\n\r\n1\r\n', 'a: b\r\n\r\n2\r\n'];
  const server = await openTestPop3({ limits: { badCommandsMax: 1_000_000 } });
  const word = fc.constantFrom(
    ...[
      'USER ',
      'PASS ',
      'AUTH PLAIN ',
      'AUTH LOGIN',
      'CAPA',
      'STAT',
      'LIST ',
      'UIDL ',
      'RETR ',
      'TOP ',
      'DELE ',
      'RSET',
    ],
    ...['NOOP', '\r\n', '\r\n', '\r\n', '\r', '\n', '\0', ' ', '1', '2', '9', '-', '*', 'AGEAYg==', 'x'.repeat(600)],
  );
  const noise = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
  const said = fc.array(fc.oneof({ arbitrary: word, weight: 9 }, noise), { maxLength: 60 });
  try {
    await fc.assert(
      fc.asyncProperty(said, fc.boolean(), async (parts, isLoggedIn) => {
        const account = await append(server, ...texts);
        const connection = isLoggedIn ? await logIn(server) : await open(server);
        for (const part of parts) connection.write(part);
        // Ends what was begun: a line, an exchange.
        connection.write('\r\n*\r\nRSET\r\nQUIT\r\n');
        const answers = await connection.untilClosed();
        assert.match(answers, /(^|\n)\+OK Goodbye\r\n$/);
        assert.ok(!answers.includes('Internal error'), answers);
        assert.ok(!server.locked.has(account));
        assert.equal(inInbox(server, account), texts.length);
      }),
      { numRuns: 100 },
    );
  } finally {
    await server.close();
  }
});

test('when the server stops, each session gets a last reply, a message on its way is sent first, and nothing is removed', async () => {
  const server = await openTestPop3();
  try {
    const account = await append(server, `a: b\r\n\r\n${'x'.repeat(300_000)}\r\n`);
    const stranger = await open(server);
    const connection = await logIn(server);
    await ask(connection, 'DELE 1');
    await ask(connection, 'RSET');
    connection.write('RETR 1\r\nDELE 1\r\nQUIT\r\n');
    assert.match(await connection.line(), /^\+OK/);
    for (const session of server.sessions) session.shutDown();
    await lines(connection);
    assert.equal(await connection.untilClosed(), '-ERR [SYS/TEMP] The server is shutting down\r\n');
    assert.equal(await stranger.untilClosed(), '-ERR [SYS/TEMP] The server is shutting down\r\n');
    assert.equal(inInbox(server, account), 1);
    assert.equal(server.locked.size, 0);
  } finally {
    await server.close();
  }
});
