// Guessing against a running server with several threads: clients come through a proxy that is trusted, each from an address of
// its own, over what the proxy says is TLS.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AuditLine } from '../src/audit/line.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { auditUntil } from './support/audit.ts';
import { PASSWORD, populate } from './support/directory.ts';
import { sourceOf, tlsValue, v2 } from './support/proxy-header.ts';
import { startWaypost, type Waypost } from './support/server.ts';

type ProxiedDoor = 'smtp' | 'submission' | 'imap' | 'pop3';

let server: Waypost;
before(async () => {
  server = await startWaypost({
    config: 'threads = 2\n[proxy]\ntrusted = ["127.0.0.0/8"]\nlisteners = ["smtp", "submission", "imap", "pop3"]\n',
  });
  await populate(server, 'acme.example', ['ann', 'bob']);
});
after(() => server?.stop());

async function connect(door: ProxiedDoor, client: string): Promise<LineConnection> {
  const { host, port } = server.listeners[door];
  const connection = await LineConnection.open(host, port);
  connection.write(v2({ source: sourceOf(client), values: tlsValue('TLSv1.3') }));
  return connection;
}

async function ask(connection: LineConnection, command: string): Promise<string> {
  connection.write(`${command}\r\n`);
  for (;;) {
    const line = await connection.line();
    if (line[3] !== '-') return line;
  }
}

/** The answer to one login on a connection of its own. */
async function logIn(door: ProxiedDoor, client: string, login: string, password: string): Promise<string> {
  const connection = await connect(door, client);
  try {
    await connection.line();
    const plain = Buffer.from(`\0${login}\0${password}`).toString('base64');
    switch (door) {
      case 'imap':
        return await ask(connection, `a LOGIN "${login}" "${password}"`);
      case 'pop3':
        return await ask(connection, `AUTH PLAIN ${plain}`);
      default:
        await ask(connection, 'EHLO client.example');
        return await ask(connection, `AUTH PLAIN ${plain}`);
    }
  } finally {
    connection.destroy();
  }
}

test('a guesser on many connections of many threads gets ten looks; the owner is let in where she was before', async () => {
  const ann = 'ann@acme.example';
  assert.match(await logIn('imap', '198.51.100.1', ann, PASSWORD), /^a OK /);
  const guesser = '198.51.100.66';
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => logIn('imap', guesser, ann, `guess ${i}`)));
  const isLooked = (answer: string): boolean => answer.startsWith('a NO [AUTHENTICATIONFAILED] ');
  const throttled = answers.filter((answer) => answer.startsWith('a NO [UNAVAILABLE] '));
  let looked = answers.filter(isLooked).length;
  // One a minute comes back.
  const back = (): number => Math.ceil((performance.now() - began) / 60_000);
  assert.ok(looked >= 10 && looked <= 10 + back(), `${looked} were looked at`);
  assert.equal(looked + throttled.length, 30);
  // Throttled means that not even the right password is looked at, at any door: what has come back meanwhile is used up before.
  for (const [door, refusal] of [
    ['pop3', /^-ERR \[SYS\/TEMP\] /],
    ['submission', /^454 4\.7\.0 /],
    ['smtp', /^454 4\.7\.0 /],
  ] as const) {
    while (isLooked(await logIn('imap', guesser, ann, 'guess'))) looked++;
    assert.match(await logIn(door, guesser, ann, PASSWORD), refusal);
  }
  for (const door of ['imap', 'pop3', 'submission'] as const)
    assert.match(await logIn(door, '198.51.100.1', ann, PASSWORD), /^(a OK|\+OK|235) /);
  assert.match(await logIn('imap', guesser, 'bob@acme.example', PASSWORD), /^a OK /, 'others at that address');

  // All of it can be asked for: each look, and of what was throttled a line a minute.
  const count = (lines: readonly AuditLine[], result: AuditLine['result']): number =>
    lines.filter((line) => line.result === result).length;
  const isThere = (lines: readonly AuditLine[]): boolean =>
    count(lines, 'wrong') >= looked && count(lines, 'throttled') >= 1;
  const lines = await auditUntil(server, isThere, '--peer', guesser);
  assert.equal(count(lines, 'wrong'), looked);
  const many = count(lines, 'throttled');
  assert.ok(many <= 2 + back(), `${many} lines of throttled logins`);
  const [line] = lines;
  assert.deepEqual([line?.proxy, line?.tls, line?.account], ['127.0.0.1', 'TLSv1.3', ann]);
});

test('a client has fifty connections at port 25, and others have theirs', async () => {
  const connections = await Promise.all(Array.from({ length: 60 }, () => connect('smtp', '198.51.100.2')));
  const greetings = await Promise.all(connections.map((connection) => connection.line()));
  const count = (code: string): number => greetings.filter((line) => line.startsWith(code)).length;
  assert.deepEqual([count('220 '), count('421 4.7.0 ')], [50, 10]);
  const other = await connect('smtp', '198.51.100.3');
  assert.match(await other.line(), /^220 /);
  for (const connection of [...connections, other]) connection.destroy();
});

test('names are not tried out: fifty a connection, three hundred a client, and mail for people goes on', async () => {
  const client = '198.51.100.4';
  const began = performance.now();
  let refused = 0;
  for (let i = 0; i < 7; i++) {
    const connection = await connect('smtp', client);
    await connection.line();
    await ask(connection, 'EHLO client.example');
    await ask(connection, 'MAIL FROM:<carol@remote.example>');
    for (let name = 0; ; name++) {
      const answer = await ask(connection, `RCPT TO:<nobody${i}.${name}@acme.example>`);
      if (answer.startsWith('421 4.7.0 ')) break;
      assert.match(answer, /^550 5\.1\.1 /);
      refused++;
    }
    connection.destroy();
  }
  // Five a minute come back.
  const back = Math.ceil((5 * (performance.now() - began)) / 60_000);
  assert.ok(refused >= 300 && refused <= 300 + back, `${refused} were refused`);
  const connection = await connect('smtp', client);
  await connection.line();
  await ask(connection, 'EHLO client.example');
  await ask(connection, 'MAIL FROM:<carol@remote.example>');
  assert.match(await ask(connection, 'RCPT TO:<bob@acme.example>'), /^250 /);
  let answer: string;
  do answer = await ask(connection, 'RCPT TO:<nobody@acme.example>');
  while (answer.startsWith('550 5.1.1 '));
  assert.match(answer, /^450 4\.7\.1 /);
  assert.match(await ask(connection, 'DATA'), /^354 /);
  assert.match(await ask(connection, 'Subject: x\r\n\r\n.'), /^250 /);
  connection.destroy();
});
