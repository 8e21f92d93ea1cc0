// Messages that are too large, too deep, too many: taken whole or refused whole, and what was taken can be read.
// RFC 1870 §6, RFC 5321 §2.3.8 §4.5.3.1.8, RFC 2046 §5.1; CVE-2023-51764, CVE-2024-23184, CVE-2020-12100

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { flood, UnderAttack } from '../support/under-attack.ts';

const MIB = 1024 * 1024;
/** The default limit. */
const LIMIT = 50 * MIB;
/** What one message of 50 MB may add to the server's memory on its way in and out. */
const GROWTH_MIB = 300;

let attack: UnderAttack;
// Also where the last test, which stops the server, is not asked for.
after(() => attack?.server.stop());
before(async () => {
  attack = await UnderAttack.start();
});

/** A transaction up to 354. */
async function begin(): Promise<SmtpClient> {
  const client = await SmtpClient.open(attack.server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  await client.command(`RCPT TO:<${attack.mallory.login}>`);
  assert.equal((await client.command('DATA')).code, 354);
  return client;
}

const mallory = (): Promise<ImapClient> =>
  ImapClient.login(attack.server.listeners.imap, attack.mallory.login, attack.mallory.password);

/** Removes all that mallory has. */
async function empty(client: ImapClient): Promise<void> {
  await client.command('SELECT INBOX');
  await client.command('STORE 1:* +FLAGS.SILENT (\\Deleted)');
  await client.command('EXPUNGE');
}

test('a message of 50 MB is taken and fetched whole, in bounded memory', async (context) => {
  const before = attack.memory();
  let highest = before;
  const look = setInterval(() => {
    highest = Math.max(highest, attack.memory());
  }, 50);
  context.after(() => clearInterval(look));
  const head = Buffer.from('Subject: large\r\n\r\n');
  const piece = Buffer.from(`${'0123456789abcdef'.repeat(4)}\r\n`.repeat(10_000));
  const pieces = Math.floor((LIMIT - head.length) / piece.length);
  const hash = createHash('sha256').update(head);
  for (let i = 0; i < pieces; i++) hash.update(piece);
  await attack.meanwhile(async () => {
    const client = await begin();
    client.connection.write(head);
    assert.equal(await flood(client.connection, piece, pieces * piece.length), pieces * piece.length);
    assert.equal((await client.command('.')).code, 250);
    await client.quit();
  });
  await attack.meanwhile(async () => {
    const client = await mallory();
    await client.command('SELECT INBOX');
    const fetched = await client.command('FETCH 1 (RFC822.SIZE BODY.PEEK[])');
    const body = fetched.untagged[0]!.literals[0]!;
    const sent = body.subarray(body.indexOf('Subject: large'));
    assert.equal(sent.length, head.length + pieces * piece.length);
    assert.equal(createHash('sha256').update(sent).digest('hex'), hash.digest('hex'));
    // A part of it, from its end.
    const part = await client.command(`FETCH 1 BODY.PEEK[]<${body.length - 6}.100>`);
    assert.match(part.untagged[0]!.text, /\{6\}|"cdef/);
    await empty(client);
    client.destroy();
  });
  context.diagnostic(`${before.toFixed(0)} MiB before, ${highest.toFixed(0)} MiB at most`);
  assert.ok(highest - before < GROWTH_MIB, `memory grew from ${before.toFixed(0)} to ${highest.toFixed(0)} MiB`);
});

test('a larger one is refused, announced or not, and the session goes on', async () => {
  const client = await SmtpClient.open(attack.server.listeners.smtp);
  const announced = await client.command(`MAIL FROM:<carol@remote.example> SIZE=${LIMIT + 1}`);
  assert.deepEqual([announced.code, announced.lines[0]?.slice(0, 5)], [552, '5.3.4']);
  // An announced size is no promise: bytes count.
  await client.command('MAIL FROM:<carol@remote.example> SIZE=10');
  await client.command(`RCPT TO:<${attack.mallory.login}>`);
  await client.command('DATA');
  const piece = Buffer.from(`${'y'.repeat(70)}\r\n`.repeat(15_000));
  await attack.meanwhile(() => flood(client.connection, piece, LIMIT + 2 * piece.length));
  const refused = await client.command('.');
  assert.deepEqual([refused.code, refused.lines[0]?.slice(0, 5)], [552, '5.3.4']);
  await client.send('carol@remote.example', [attack.mallory.login], Buffer.from('Subject: small\r\n\r\nx\r\n'));
  await client.quit();
  const imap = await mallory();
  assert.equal(await imap.count(), 1);
  await empty(imap);
  await imap.logout();
});

test('recipients beyond a thousand get 452 4.5.3; the others get the message', async () => {
  const client = await SmtpClient.open(attack.server.listeners.smtp);
  await client.command('MAIL FROM:<carol@remote.example>');
  client.connection.write(`RCPT TO:<${attack.mallory.login}>\r\n`.repeat(1010));
  const codes: string[] = [];
  for (let i = 0; i < 1010; i++) codes.push((await client.connection.line()).slice(0, 9));
  assert.deepEqual([...new Set(codes.slice(0, 1000))], ['250 2.1.5']);
  assert.deepEqual([...new Set(codes.slice(1000))], ['452 4.5.3']);
  await client.command('DATA');
  client.connection.write('Subject: many\r\n\r\n.\r\n');
  assert.equal((await client.reply()).code, 250);
  await client.quit();
  const imap = await mallory();
  assert.equal(await imap.count(), 1, 'one person, one copy');
  await empty(imap);
  await imap.logout();
});

for (const end of [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\r\r\n.\r\n',
  '\0.\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
])
  test(`smuggling: ${JSON.stringify(end)} does not end a message, and nothing behind it is obeyed`, async () => {
    const smuggled = `MAIL FROM:<x@y.example>\r\nRCPT TO:<${attack.ann.login}>\r\nDATA\r\nSubject: smuggled\r\n\r\n`;
    const client = await begin();
    client.connection.write(`Subject: carrier\r\n\r\nfirst${end}${smuggled}\r\n.\r\n`);
    const reply = await client.reply();
    assert.equal(reply.code, 550, reply.lines.join());
    // Nobody can know where the peer believes its message to end.
    assert.equal(await client.connection.untilClosed(), '');
    client.destroy();
  });

/** Each is taken; its ENVELOPE, BODYSTRUCTURE and bytes can be had. */
const SHAPES: readonly (readonly [what: string, text: () => string])[] = [
  ['500,000 addresses in one field', () => `To: ${'a@b.example, '.repeat(500_000)}c@d.example\r\n\r\nx\r\n`],
  ['100,000 header fields', () => `${'X-Field: value\r\n'.repeat(100_000)}\r\nx\r\n`],
  ['a header line of 5 MB', () => `Subject: ${'x'.repeat(5 * MIB)}\r\n\r\nx\r\n`],
  ['no header at all', () => '\r\n\r\n\r\n'],
  ['nothing but a header, unended', () => 'Subject: x\r\nContent-Type: multipart/mixed; boundary=\r\n'],
  [
    'brackets never closed',
    () => `From: ${'('.repeat(50_000)}\r\nTo: ${'a:'.repeat(50_000)}\r\nCc: ${'<'.repeat(50_000)}\r\n\r\n`,
  ],
  ['100,000 parameters', () => `Content-Type: text/plain${'; a*1*=x'.repeat(100_000)}\r\n\r\nx\r\n`],
  [
    'multiparts 10,000 deep',
    () =>
      Array.from({ length: 10_000 }, (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`).join(
        '',
      ),
  ],
  ['messages 5,000 deep', () => 'Content-Type: message/rfc822\r\n\r\n'.repeat(5000)],
  [
    '100,000 parts',
    () => `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(100_000)}--b--\r\n`,
  ],
  ['a million lines of dashes', () => `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--\r\n'.repeat(1_000_000)}`],
  ['encoded words without an end', () => `Subject: ${'=?utf-8?q?'.repeat(50_000)}\r\n\r\n`],
  [
    'names that are words of the language',
    () =>
      '__proto__: x\r\nconstructor: y\r\ntoString: z\r\nContent-Type: __proto__/constructor; toString=x\r\n\r\n.\r\n',
  ],
];
for (const [what, text] of SHAPES)
  test(`${what}: taken, and readable`, async () => {
    const sent = Buffer.from(text(), 'latin1');
    await attack.meanwhile(async () => {
      const client = await SmtpClient.open(attack.server.listeners.smtp);
      await client.send('carol@remote.example', [attack.mallory.login], sent);
      await client.quit();
      const imap = await mallory();
      await imap.command('SELECT INBOX');
      const { untagged } = await imap.command(
        'FETCH 1 (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1])',
      );
      assert.ok(untagged[0]!.text.startsWith('1 FETCH (ENVELOPE ('));
      const [message] = await imap.fetchAll();
      assert.ok(message!.body.subarray(-sent.length).equals(sent), 'it is not what was sent');
      await imap.command('SEARCH OR TEXT nowhere SUBJECT nowhere');
      await empty(imap);
      await imap.logout();
    });
  });

test('afterwards everything acknowledged is there, and nothing went wrong', (context) =>
  attack.judge((line) => context.diagnostic(line)));
