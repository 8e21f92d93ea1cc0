// Peers that send nonsense, never read, never speak: bounded memory, an answer or a close, and others are served.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { until } from '../../../test/support/until.ts';
import { OUTPUT_BUFFER_BYTES } from '../../base/limits.ts';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { openTestImap, type TestImap } from './testing.ts';

const bugs: unknown[] = [];
const note = (event: string, fields?: { readonly [key: string]: unknown }) => {
  if (event !== 'imap.login') bugs.push([event, fields]);
};

let imap: TestImap;
before(async () => {
  imap = await openTestImap({
    limits: { loginTimeoutMs: 5000 },
    log: { debug: note, info: note, warn: note, error: note },
  });
  await imap.addAccount('ann', 'secret');
  const socket = await loggedIn();
  await command(socket, `APPEND INBOX {${LARGE}+}\r\n${'x'.repeat(LARGE)}`);
  socket.destroy();
});
after(() => imap?.close());

const LARGE = 200_000;

function open(): Socket {
  const socket = connect(imap.port, imap.host);
  socket.on('error', () => {});
  return socket;
}

async function command(socket: Socket, text: string): Promise<string> {
  let received = '';
  const done = new Promise<void>((resolve) => {
    const listen = (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (!/^zz (OK|NO|BAD) [^\n]*\n/m.test(received)) return;
      socket.off('data', listen);
      resolve();
    };
    socket.on('data', listen);
    socket.once('close', () => resolve());
  });
  socket.write(`zz ${text}\r\n`);
  await done;
  return received;
}

async function loggedIn(): Promise<Socket> {
  const socket = open();
  assert.match(await command(socket, 'LOGIN ann secret'), /^zz OK/m);
  return socket;
}

const words = fc.constantFrom(
  'a ',
  'NOOP',
  'LOGIN ',
  'ann ',
  'secret',
  'SELECT ',
  'INBOX',
  'APPEND ',
  'FETCH ',
  'UID ',
  'STORE ',
  'SEARCH ',
  'COPY ',
  'EXPUNGE',
  'IDLE',
  'DONE',
  'AUTHENTICATE PLAIN',
  'LIST ',
  'STATUS ',
  '1:* ',
  '1 ',
  '*',
  '(',
  ')',
  '"',
  '\\',
  '{3}\r\n',
  '{3+}\r\n',
  '{90+}\r\n',
  '{99999999}\r\n',
  'BODY[',
  ']',
  '<0.1>',
  'FLAGS',
  ' (\\Seen)',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\xff',
  '&',
  'TEXT ',
  'OR ',
  'NOT ',
  'ALL',
  'LOGOUT',
  'CLOSE',
  'ID NIL',
  'a AUTHENTICATE LOGIN\r\n',
  'YW5u',
  '=',
);

test('any bytes in any state get an answer or a close, and the next session is served', {
  timeout: 120_000,
}, async () => {
  const openings = fc.constantFrom('', 'b LOGIN ann secret\r\n', 'b LOGIN ann secret\r\nc SELECT INBOX\r\n');
  await fc.assert(
    fc.asyncProperty(openings, fc.array(words, { maxLength: 40 }), async (opening, parts) => {
      const socket = open();
      socket.resume();
      socket.write(Buffer.from(opening + parts.join(''), 'latin1'));
      // Whatever it is in the middle of, the end of the connection ends it.
      socket.end();
      await once(socket, 'close');
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(bugs, []);
  const next = await loggedIn();
  assert.match(await command(next, 'SELECT INBOX'), /^zz OK/m);
  next.destroy();
});

test('output for a peer that asks and does not read is bounded, and no other connection waits for it', async () => {
  const socket = await loggedIn();
  await command(socket, 'SELECT INBOX');
  const session = [...imap.sessions].at(-1)!;
  socket.pause();
  for (let i = 0; i < 10_000; i++) socket.write(`q${i} FETCH 1 BODY.PEEK[]\r\n`);
  // Time for the server to do what it can: other sessions are served all along.
  for (let i = 0; i < 20; i++) {
    const other = await loggedIn();
    assert.match(await command(other, 'STATUS INBOX (MESSAGES)'), /MESSAGES/);
    other.destroy();
  }
  assert.ok(
    session.connection.output.waitingBytes < OUTPUT_BUFFER_BYTES / 8,
    `${session.connection.output.waitingBytes} wait`,
  );
  assert.ok(session.connection.framer.waitingBytes < 512 * 1024, `${session.connection.framer.waitingBytes} unread`);
  socket.destroy();
});

test('a session that is closed from outside answers what is under way, then says goodbye', async () => {
  for (const text of ['f FETCH 1 BODY.PEEK[]\r\n'.repeat(30), 'i IDLE\r\n']) {
    const socket = await loggedIn();
    await command(socket, 'SELECT INBOX');
    const session = [...imap.sessions].at(-1)!;
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      session.close('Stopping');
    });
    socket.write(text);
    await once(socket, 'close');
    assert.match(received, /\r\n\* BYE Stopping\r\n$/);
    const whole = `* 1 FETCH (BODY[] {${LARGE}}\r\n${'x'.repeat(LARGE)})\r\nf OK FETCH completed\r\n`;
    const rest = received.replaceAll(whole, '').replace('+ idling\r\n', '');
    assert.equal(rest, '* BYE Stopping\r\n');
  }
});

test('a client that does not log in is disconnected, whatever else it sends', async () => {
  const socket = open();
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  const chatter = setInterval(() => socket.write('a NOOP\r\n'), 50);
  await once(socket, 'close');
  clearInterval(chatter);
  assert.match(received, /\* BYE Too slow to log in\r\n$/);
});

test('a login whose time is over when it succeeds comes to nothing, nor does what was said behind it', async (context) => {
  const slow = await openTestImap({ limits: { loginTimeoutMs: 50 } });
  context.after(() => slow.close());
  await slow.addAccount('ann', 'secret');
  const { logins } = slow.door;
  const right = Promise.withResolvers<void>();
  const statuses: string[] = [];
  const login = logins.login.bind(logins);
  Object.assign(logins, { login: (...asked: Parameters<typeof login>) => right.promise.then(() => login(...asked)) });
  Object.assign(slow.door, { countReply: (_listener: string, status: string) => statuses.push(status) });
  const connection = await LineConnection.open(slow.host, slow.port);
  connection.write('a LOGIN ann secret\r\nb CREATE x\r\n');
  assert.match(await connection.untilClosed(), /^\* OK [^\n]*\n\* BYE [^\n]*\n$/);
  right.resolve();
  await until('the reply', () => statuses.length > 0);
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  assert.deepEqual(statuses, ['NO']);
});

test('a message that breaks off leaves nothing behind', async () => {
  const socket = await loggedIn();
  const before = await command(socket, 'STATUS INBOX (MESSAGES UIDNEXT)');
  const other = await loggedIn();
  other.write('a APPEND INBOX {3000000+}\r\n');
  other.write('y'.repeat(2_000_000));
  await new Promise((resolve) => setTimeout(resolve, 50));
  other.destroy();
  await once(other, 'close');
  assert.equal(await command(socket, 'STATUS INBOX (MESSAGES UIDNEXT)'), before);
  socket.destroy();
  await until('no session', () => imap.sessions.size === 0);
  assert.equal(imap.door.intakes.held.bytes, 0);
});
