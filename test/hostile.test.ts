// Limits that a site sets in waypost.toml, at the doors and in the ways that the files of test/hostile leave out.
// RFC 1870 §6, RFC 5321 §4.5.3, RFC 4511 §4.2, RFC 7766 §6.2, RFC 9112 §9.5

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { decode, streamEncode } from 'dns-packet';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient, SmtpRefusal } from '../src/demo/clients/smtp-client.ts';
import { UnderAttack } from './support/under-attack.ts';

const COMMANDS = 2000;
/** Generous, and far below what is asked for. */
const GROWTH_MIB = 200;
const MESSAGE_BYTES = 100_000;
/** Fixed at two doors, at 10 s; the rest is for a machine with other work. */
const SHOWN_OUT_MS = 120_000;

let attack: UnderAttack;
before(async () => {
  attack = await UnderAttack.start({
    config: `[limits]
message-size = ${MESSAGE_BYTES}
recipients = 3
login-timeout = "2s"
command-timeout = "3s"
`,
  });
});

const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

test('smtp: above the size that the site sets 552 5.3.4, announced or not, and the session goes on', async () => {
  const client = await SmtpClient.open(attack.server.listeners.smtp);
  const announced = await client.command(`MAIL FROM:<carol@remote.example> SIZE=${MESSAGE_BYTES + 1}`);
  assert.match(`${announced.code} ${announced.lines[0]}`, /^552 5\.3\.4 /);
  const body = (bytes: number): Buffer =>
    Buffer.from(`Subject: x\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(bytes / 72)}`);
  const send = (bytes: number) => client.send('carol@remote.example', [attack.mallory.login], body(bytes));
  await assert.rejects(send(2 * MESSAGE_BYTES), (error) => {
    assert.ok(error instanceof SmtpRefusal);
    return /the dot: 552 5\.3\.4 /.test(error.message);
  });
  assert.equal((await send(MESSAGE_BYTES / 2)).code, 250);
  await client.quit();
  const imap = await ImapClient.login(attack.server.listeners.imap, attack.mallory.login, attack.mallory.password);
  assert.equal(await imap.count(), 1);
  await imap.logout();
});

test('smtp: recipients above the number that the site sets 452 4.5.3', async () => {
  const client = await SmtpClient.open(attack.server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  const replies: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { code, lines } = await client.command(`RCPT TO:<${attack.mallory.login}>`);
    replies.push(`${code} ${lines[0]!.slice(0, 5)}`);
  }
  assert.deepEqual(replies, ['250 2.1.5', '250 2.1.5', '250 2.1.5', '452 4.5.3', '452 4.5.3']);
  await client.quit();
});

const HALF_OPEN = [
  ['submission', 'silence', '', /\r\n421 4\.4\.2 [^\r]*\r\n$/],
  ['submission', 'half a command', 'EHLO x', /\r\n421 4\.4\.2 [^\r]*\r\n$/],
  ['dns', 'silence', '', /^$/],
  ['dns', 'half a length', '\0', /^$/],
  ['http', 'silence', '', /^$/],
  ['http', 'half a request', 'GET /healthz', /^$/],
  ['http', 'a request, then half of another', `${get('/healthz')}GET /`, /^HTTP\/1\.1 200 /],
  // More of the header field comes while it waits.
  ['http', 'an octet now and then', 'GET /healthz HTTP/1.1\r\nX: ', /^/],
] as const;

test('half-open connections are closed by the deadline, all at once', () =>
  attack.meanwhile(async () => {
    const failed: string[] = [];
    const each = HALF_OPEN.map(async ([door, what, begin, last]) => {
      const connection = await attack.connect(door);
      connection.write(begin);
      const dripping = setInterval(() => what === 'an octet now and then' && connection.write('x'), 500);
      const received = await connection.untilClosed(SHOWN_OUT_MS).catch((error: Error) => error);
      clearInterval(dripping);
      connection.destroy();
      if (received instanceof Error || !last.test(received)) failed.push(`${door}, ${what}: ${received}`);
    });
    await Promise.all(each);
    assert.deepEqual(failed, []);
  }));

describe(`${COMMANDS} commands in one write are answered, each`, () => {
  test('submission', () =>
    attack.meanwhile(async () => {
      const { received } = await attack.exchange('submission', `${'NOOP\r\n'.repeat(COMMANDS)}QUIT\r\n`, /^221 /m);
      assert.equal(count(received, /^250 /gm), COMMANDS);
    }));

  test('imap', () =>
    attack.meanwhile(async () => {
      const commands = Array.from({ length: COMMANDS }, (_, i) => `n${i} NOOP\r\n`).join('');
      const { received } = await attack.exchange('imap', `${commands}z LOGOUT\r\n`, /^z OK/m);
      assert.equal(count(received, /^n\d+ OK/gm), COMMANDS);
    }));

  test('pop3', () =>
    attack.meanwhile(async () => {
      const { received } = await attack.exchange('pop3', `${'CAPA\r\n'.repeat(COMMANDS)}QUIT\r\n`, /^\+OK Goodbye\r$/m);
      assert.equal(count(received, /^\.\r$/gm), COMMANDS);
    }));

  test('ldap', () =>
    attack.meanwhile(async () => {
      const bind = Buffer.from('300c020101600702010304008000', 'hex');
      const connection = await attack.connect('ldap');
      connection.write(Buffer.concat(Array(COMMANDS).fill(bind)));
      connection.write(Buffer.from('30050201024200', 'hex'));
      const received = await connection.untilClosed();
      assert.equal(count(received, /\x02\x01\x01\x61.\x0a\x01\x00/gs), COMMANDS);
    }));

  test('dns over tcp', () =>
    attack.meanwhile(async () => {
      const connection = await attack.connect('dns');
      const ids = Array.from({ length: COMMANDS }, (_, id) => id);
      const question = { type: 'MX', name: 'acme.example' } as const;
      connection.write(Buffer.concat(ids.map((id) => streamEncode({ id, questions: [question] }))));
      const received: (number | undefined)[] = [];
      for (const _ of ids)
        received.push(decode(await connection.octets((await connection.octets(2)).readUInt16BE())).id);
      assert.deepEqual(
        received.sort((a, b) => a! - b!),
        ids,
      );
      connection.destroy();
    }));

  test('http: the first thousand, then the connection is closed', () =>
    attack.meanwhile(async () => {
      const connection = await attack.connect('http');
      connection.write(get('/healthz').repeat(COMMANDS));
      const received = await connection.untilClosed();
      assert.equal(count(received, /^HTTP\/1\.1 200 /gm), 1000);
      assert.match(received, /^Connection: close\r$/im);
    }));
});

test('http: who asks for much and never reads takes little memory', async (context) => {
  const before = attack.memory();
  let highest = before;
  await attack.meanwhile(async () => {
    const connections = await Promise.all(Array.from({ length: 10 }, () => attack.connect('http')));
    for (const connection of connections) {
      connection.pause();
      connection.write(get('/metrics').repeat(10_000));
    }
    for (let i = 0; i < 40; i++) {
      await new Promise((later) => setTimeout(later, 50));
      highest = Math.max(highest, attack.memory());
    }
    for (const connection of connections) connection.destroy();
  });
  context.diagnostic(`${before.toFixed(0)} MiB before, ${highest.toFixed(0)} MiB at most`);
  assert.ok(highest - before < GROWTH_MIB, `memory grew from ${before.toFixed(0)} to ${highest.toFixed(0)} MiB`);
});

test('afterwards everything acknowledged is there, and nothing went wrong', (context) =>
  attack.judge((line) => context.diagnostic(line)));
