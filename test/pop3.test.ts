// POP3 as its users' programs speak it, Python's poplib and curl, against a started Waypost; the lock over all its threads.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { type Person, populate } from './support/directory.ts';
import { metricsText } from './support/metrics.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const run = promisify(execFile);
const python = peer('python3');
const curl = peer('curl');

const PLAIN = 'From: carol@remote.example\r\nSubject: plain\r\n\r\nText.\r\n';
const DOTS = `From: carol@remote.example\r\nSubject: dots\r\n\r\n${'.\r\n..\r\n...x\r\n'.repeat(20_000)}end\r\n`;
const BINARY = `From: carol@remote.example\r\nSubject: octets\r\n\r\n${String.fromCharCode(...Array.from({ length: 127 }, (_, i) => 129 + i))}\r\n`;

let server: Waypost;
let people: Person[];
before(async () => {
  server = await startWaypost({ config: 'threads = 2\n' });
  people = await populate(server, 'acme.example', ['ann', 'ben', 'cid', 'dora']);
});
after(() => server?.stop());

async function fill({ login, password }: Person, ...messages: readonly string[]): Promise<void> {
  const client = await ImapClient.login(server.listeners.imap, login, password);
  for (const message of messages) await client.append('INBOX', Buffer.from(message, 'latin1'));
  await client.logout();
}

async function inInbox({ login, password }: Person): Promise<number> {
  const client = await ImapClient.login(server.listeners.imap, login, password);
  await client.command('SELECT INBOX');
  const count = await client.count();
  await client.logout();
  return count;
}

/** A whole session by poplib; prints what it saw as JSON, octets as latin1. */
const POPLIB = `
import json, poplib, sys
host, port, login, password = sys.argv[1:]
def text(lines): return b''.join(line + b'\\r\\n' for line in lines).decode('latin1')
box = poplib.POP3(host, int(port), timeout=15)
capabilities = sorted(box.capa())
try:
    box.user(login); box.pass_('wrong'); refusal = ''
except poplib.error_proto as error: refusal = error.args[0].decode()
box.user(login); box.pass_(password)
seen = {'capabilities': capabilities, 'refusal': refusal, 'stat': box.stat()}
seen['list'] = [line.decode() for line in box.list()[1]]
seen['uidl'] = [line.decode() for line in box.uidl()[1]]
seen['messages'] = [text(box.retr(n + 1)[1]) for n in range(seen['stat'][0])]
seen['sizes'] = [box.list(n + 1).decode().split()[2] for n in range(seen['stat'][0])]
seen['top'] = text(box.top(1, 0)[1])
box.dele(1); box.rset(); box.dele(2); box.noop()
seen['bye'] = box.quit().decode()
print(json.dumps(seen))
`;

test('poplib: a whole session, message by message, and what QUIT leaves', { skip: python.skip }, async () => {
  const ann = people[0]!;
  await fill(ann, PLAIN, DOTS, BINARY);
  const { host, port } = server.listeners.pop3;
  const { stdout } = await run(python.path, ['-c', POPLIB, host, String(port), ann.login, ann.password]);
  const seen = JSON.parse(stdout);
  const messages = [PLAIN, DOTS, BINARY];
  const sizes = messages.map((message) => message.length);
  assert.deepEqual(seen.stat, [3, sizes.reduce((sum, size) => sum + size, 0)]);
  assert.deepEqual(
    seen.list,
    sizes.map((size, i) => `${i + 1} ${size}`),
  );
  assert.deepEqual(seen.sizes, sizes.map(String));
  assert.equal(new Set(seen.uidl.map((line: string) => line.split(' ')[1])).size, 3);
  assert.deepEqual(seen.messages, messages);
  assert.equal(seen.top, 'From: carol@remote.example\r\nSubject: plain\r\n\r\n');
  assert.match(seen.refusal, /^-ERR \[AUTH\]/);
  assert.ok(seen.capabilities.includes('UIDL') && seen.capabilities.includes('RESP-CODES'));
  assert.match(seen.bye, /^\+OK/);
  assert.equal(await inInbox(ann), 2);
});

test('curl: lists, reads byte for byte with SASL, and deletes', { skip: curl.skip }, async () => {
  const ben = people[1]!;
  await fill(ben, DOTS, PLAIN);
  const { host, port } = server.listeners.pop3;
  const fetch = async (path: string, ...options: readonly string[]): Promise<string> => {
    const user = ['--user', `${ben.login}:${ben.password}`, '--max-time', '180', '--silent', '--show-error'];
    const url = `pop3://${host}:${port}/${path}`;
    return (await run(curl.path, [...user, ...options, url], { encoding: 'latin1', maxBuffer: 2 ** 24 })).stdout;
  };
  assert.equal(await fetch(''), `1 ${DOTS.length}\r\n2 ${PLAIN.length}\r\n`);
  assert.equal(await fetch('1'), DOTS);
  assert.equal(await fetch('2', '--login-options', 'AUTH=PLAIN'), PLAIN);
  await fetch('1', '--request', 'DELE', '--list-only');
  assert.equal(await inInbox(ben), 1);
});

test('one session a maildrop, whatever threads the connections are in', async () => {
  const cid = people[2]!;
  await fill(cid, PLAIN);
  const { host, port } = server.listeners.pop3;
  const attempt = async (): Promise<[LineConnection, string]> => {
    const connection = await LineConnection.open(host, port);
    await connection.line();
    connection.write(`USER ${cid.login}\r\nPASS ${cid.password}\r\n`);
    await connection.line();
    return [connection, await connection.line()];
  };
  for (let round = 0; round < 10; round++) {
    const attempts = await Promise.all(Array.from({ length: 8 }, attempt));
    const refused = attempts.filter(([, reply]) => reply.startsWith('-ERR [IN-USE]'));
    const accepted = attempts.filter(([, reply]) => reply.startsWith('+OK'));
    assert.equal(accepted.length, 1);
    assert.equal(refused.length, 7);
    const [winner] = accepted[0]!;
    winner.write('QUIT\r\n');
    assert.match(await winner.line(), /^\+OK/);
    // A session that begins after the reply to QUIT gets in.
    const [next, reply] = await attempt();
    assert.match(reply, /^\+OK/);
    next.write('QUIT\r\n');
    await next.untilClosed();
    for (const [connection] of attempts) connection.destroy();
  }
});

test('twenty thousand messages: counted, listed and removed, while another client is served', async () => {
  const dora = people[3]!;
  const { host, port } = server.listeners.pop3;
  // A mailbox becomes large by copies of itself.
  const client = await ImapClient.login(server.listeners.imap, dora.login, dora.password);
  for (let i = 0; i < 20; i++) await client.append('INBOX', Buffer.from(PLAIN));
  await client.command('SELECT INBOX');
  for (let count = 20; count < 20_000; count *= 10)
    for (let i = 0; i < 9; i++) await client.command(`COPY 1:${count} INBOX`);
  await client.logout();
  const connection = await LineConnection.open(host, port);
  await connection.line();
  connection.write(`USER ${dora.login}\r\nPASS ${dora.password}\r\nSTAT\r\nUIDL\r\n`);
  for (let i = 0; i < 2; i++) await connection.line();
  assert.equal(await connection.line(), `+OK 20000 ${20_000 * PLAIN.length}`);
  await connection.line();
  const ids = new Set<string>();
  for (let line = await connection.line(); line !== '.'; line = await connection.line()) ids.add(line.split(' ')[1]!);
  assert.equal(ids.size, 20_000);
  connection.write(Array.from({ length: 20_000 }, (_, i) => `DELE ${i + 1}\r\n`).join(''));
  for (let i = 0; i < 20_000; i++) assert.match(await connection.line(), /^\+OK/);
  connection.write('QUIT\r\n');
  const others = await Promise.all(Array.from({ length: 5 }, () => inInbox(people[2]!)));
  assert.deepEqual(others, [1, 1, 1, 1, 1]);
  assert.match(await connection.line(60_000), /^\+OK/);
  assert.equal(await inInbox(dora), 0);
});

test('the metrics count replies and logins', async () => {
  const text = await metricsText(server);
  assert.match(text, /^waypost_pop3_replies_total\{listener="pop3",status="ok"\} [1-9]/m);
  assert.match(text, /^waypost_pop3_replies_total\{listener="pop3",status="err"\} [1-9]/m);
  assert.match(text, /^waypost_logins_total\{door="pop3",outcome="accepted"\} [1-9]/m);
});
