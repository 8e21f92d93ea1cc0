// Mail that lies compressed is what it was at every door: FETCH of all, parts and ranges, SEARCH, POP3, and to another host.
//
// In      a small message, one with attachments, one with a file of its own, one that waits for another host
// Out     the same answers before and behind the compression

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { type Person, populate } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const words = (count: number): string =>
  Array.from({ length: count }, (_, i) => `line ${i} has a few words and a dot at its end.\r\n`).join('');
const base64 = (bytes: number): string =>
  (
    randomBytes(bytes)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  )
    .map((line) => `${line}\r\n`)
    .join('');
const SMALL = Buffer.from(`Subject: small\r\n\r\n${words(100)}`);
const PARTS = Buffer.from(
  `Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${words(9000)}` +
    `the needle of the parts\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n` +
    `${base64(300_000)}--b--\r\n`,
);
const LARGE = Buffer.from(`Subject: large\r\n\r\n${words(60_000)}the needle of the large\r\n`);
const OUT = Buffer.from(`Subject: out\r\n\r\n${words(8000)}`);

const FETCHES = [
  'FETCH 1:3 (UID RFC822.SIZE BODY.PEEK[])',
  'FETCH 1:3 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])',
  'FETCH 2 (BODY.PEEK[1] BODY.PEEK[2.MIME] BODY.PEEK[2])',
  ...[0, 262_100, 262_144, 300_000, 524_288].flatMap((at) => [
    `FETCH 3 (BODY.PEEK[]<${at}.200>)`,
    `FETCH 2:3 (BODY.PEEK[]<${at}.70000>)`,
  ]),
  'FETCH 3 (BODY.PEEK[]<1000.1500000>)',
  'SEARCH TEXT "needle of the"',
  'SEARCH BODY "line 99 has"',
];

let server: Waypost;
let sink: RemoteHost;
let ann: Person;
let answers: readonly string[];

async function fetches(): Promise<string[]> {
  const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  await imap.command('SELECT INBOX');
  const all: string[] = [];
  for (const command of FETCHES) {
    const { untagged } = await imap.command(command);
    all.push(untagged.map(({ text, literals }) => text + literals.map((one) => one.toString('latin1'))).join('\n'));
  }
  await imap.logout();
  return all;
}

async function retrieved(): Promise<string[]> {
  const { host, port } = server.listeners.pop3;
  const pop3 = await LineConnection.open(host, port);
  const all: string[] = [];
  await pop3.line();
  for (const command of [`USER ${ann.login}`, `PASS ${ann.password}`]) {
    pop3.write(`${command}\r\n`);
    assert.match(await pop3.line(), /^\+OK/);
  }
  for (const command of ['RETR 1', 'RETR 2', 'RETR 3', 'TOP 3 2000']) {
    pop3.write(`${command}\r\n`);
    assert.match(await pop3.line(), /^\+OK/);
    const lines: string[] = [];
    for (let line = await pop3.line(); line !== '.'; line = await pop3.line()) lines.push(line);
    all.push(lines.join('\n'));
  }
  pop3.destroy();
  return all;
}

/** `[messages, of them compressed, plain octets, stored octets]` */
function stored(): readonly number[] {
  using database = new DatabaseSync(join(server.data, 'store.db'), { readOnly: true, timeout: 5000 });
  const row = database
    .prepare('SELECT count(*), sum(codec = 1), sum(length), sum(coalesce(stored, length)) FROM message')
    .get();
  return Object.values(row!).map(Number);
}

before(async () => {
  sink = await RemoteHost.start({ rcpt: () => '451 4.3.0 not now' });
  const config = `threads = 1
[store]
compress = "0s"
[queue]
retry = ["1s"]
[next-hop]
"remote.example" = "${sink.nextHop}"
`;
  server = await startWaypost({ config, switches: { upkeepAfterMs: 0 } });
  [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
  const smtp = await SmtpClient.open(server.listeners.submission, ann);
  for (const message of [SMALL, PARTS, LARGE]) await smtp.send(ann.login, [ann.login], message);
  await smtp.send(ann.login, ['rex@remote.example'], OUT);
  await smtp.quit();
  answers = [...(await fetches()), ...(await retrieved())];
  // The end of a server closes its segments.
  await server.restart();
  await until('all is compressed', () => stored()[1] === stored()[0]);
});
after(async () => {
  await server?.stop();
  await sink?.close();
});

test('at IMAP and POP3 all and parts of it are what they were', async (context) => {
  const now = [...(await fetches()), ...(await retrieved())];
  for (const [i, answer] of answers.entries()) assert.ok(now[i] === answer, `${[...FETCHES, 'POP3'][i]} is another`);
  const [, , plain = 0, octets = 0] = stored();
  context.diagnostic(`${octets} octets for ${plain}`);
  assert.ok(octets < plain / 2);
});

test('what has waited for another host goes there as it came', async () => {
  sink.script = {};
  const { data } = await sink.waitForMessage();
  assert.ok(data.endsWith(OUT.toString('latin1').slice(OUT.indexOf('\r\n\r\n'))));
});

test('the checker reads all of it', async () => {
  const found = await new AdminClient(server.data).call('mailbox.check', { bytes: true });
  assert.deepEqual(found, []);
});
