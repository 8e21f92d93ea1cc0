// The session runner itself: a wrong answer must fail, or every transcript passes for nothing.

import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { fill, matchLine, unescapeRaw } from './pattern.ts';
import { runSession, SessionFailure } from './run.ts';
import { parseScript, ScriptError, type Way } from './script.ts';

test('a name is captured on first sight and compared afterwards', () => {
  const captures = new Map<string, string>();
  assert.ok(matchLine('* OK [UIDVALIDITY {validity}] {*}', '* OK [UIDVALIDITY 17] as ever', captures));
  assert.equal(captures.get('validity'), '17');
  assert.ok(matchLine('{validity} {validity}', '17 17', captures));
  assert.ok(!matchLine('{validity}', '18', captures));
  assert.equal(fill('UID FETCH {validity} (FLAGS) {5}', captures), 'UID FETCH 17 (FLAGS) {5}');
  assert.throws(() => fill('{unknown}', captures), /unknown/);
});

test('a name twice in one line means the same text twice', () => {
  assert.ok(matchLine('{a}-{a}', 'x-x', new Map()));
  assert.ok(!matchLine('{a}-{a}', 'x-y', new Map()));
});

test('all else in a pattern is literal, a literal count too, and the whole line is meant', () => {
  assert.ok(matchLine('* 1 FETCH (BODY[] {12}', '* 1 FETCH (BODY[] {12}', new Map()));
  assert.ok(matchLine('{{size}}', '{345}', new Map()));
  assert.ok(!matchLine('250 ok', '250 ok then', new Map()));
  assert.ok(!matchLine('a.c', 'abc', new Map()));
  assert.ok(matchLine('250{?}SIZE', '250-SIZE', new Map()));
});

test('raw text knows its escapes, and what is sent may repeat', () => {
  assert.equal(unescapeRaw('a\\r\\n\\x00\\\\'), 'a\r\n\0\\');
  assert.throws(() => unescapeRaw('\\q'), /unknown escape/);
  assert.equal(fill('{ab*3}', new Map()), 'ababab');
});

test('a line that is none of a session is an error with its number', () => {
  assert.throws(
    () => parseScript('connect A smtp\n\nwait 5'),
    (error: Error) => error instanceof ScriptError && error.message.startsWith('3:'),
  );
  assert.throws(() => parseScript('A< [\nA< x'), ScriptError);
});

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that says `greeting` and then the next of `replies` for each line it gets. */
async function scripted(greeting: string, replies: readonly string[]): Promise<number> {
  const server = createServer((socket: Socket) => {
    let rest = '';
    let next = 0;
    socket.write(greeting);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
        rest = rest.slice(at + 1);
        const reply = replies[next++];
        if (reply === undefined) socket.end();
        else socket.write(reply);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return (server.address() as { port: number }).port;
}

async function play(door: string, greeting: string, replies: readonly string[], script: string): Promise<void> {
  const port = await scripted(greeting, replies);
  const doors = { [door]: { host: '127.0.0.1', port } };
  await runSession(
    parseScript(script),
    { server: 'scripted', hostname: 'h', doors, fixture: async () => ({}) },
    'play',
  );
}

test('an SMTP reply of several lines is skipped as one', async () => {
  await play(
    'smtp',
    '220 h\r\n',
    ['250-a\r\n250-b\r\n250 c\r\n', '221 bye\r\n'],
    'connect C smtp\nC< 220 h\nC> EHLO x\nC< 250 ...\nC> QUIT\nC< 221 {*}',
  );
});

test('a block in any order takes each line once', async () => {
  const script = 'connect C smtp\nC< 220 h\nC> EHLO x\nC< [\nC<  250{?}b\nC<  250{?}a\nC< ]';
  await play('smtp', '220 h\r\n', ['250-a\r\n250 b\r\n'], script);
  await assert.rejects(play('smtp', '220 h\r\n', ['250-a\r\n250 a\r\n'], script), SessionFailure);
});

test('IMAP tags are made, and OK means the reply to the oldest command', async () => {
  const script = 'connect A imap\nA< * OK hi\nA> NOOP\nA< * 1 EXISTS\nA< OK\nA> NOOP\nA< ...\nA< NO why';
  await play(
    'imap',
    '* OK hi\r\n',
    ['* 1 EXISTS\r\na001 OK done\r\n', '* 2 EXISTS\r\n* 3 EXISTS\r\na002 NO why\r\n'],
    script,
  );
  await assert.rejects(play('imap', '* OK hi\r\n', ['* 1 EXISTS\r\na002 OK done\r\n'], script), SessionFailure);
});

test('a connection that should be closed and says more has not passed, with the line and the talk in the failure', async () => {
  const script = 'connect C smtp\nC< 220 h\nC> QUIT\nclosed';
  await play('smtp', '220 h\r\n', [], script);
  await assert.rejects(
    play('smtp', '220 h\r\n', ['221 bye\r\n', '500 x\r\n'], 'connect C smtp\nC< 220 h\nC| A\\nB\\nC\\n\nclosed'),
    {
      message: /^play:4: .*221 bye[\s\S]*C< 220 h/s,
    },
  );
});

/** A server that greets, says `ok` to each line, and notes in what pieces it was asked and whether the client said all. */
async function noting(): Promise<{ port: number; pieces: string[] }> {
  const pieces: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.write('220 h\r\n');
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      pieces.push(text);
      for (const _ of text.matchAll(/\n/g)) socket.write('250 ok\r\n');
    });
    socket.on('end', () => {
      pieces.push('end');
      socket.end();
    });
    socket.on('error', () => {});
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return { port: (server.address() as { port: number }).port, pieces };
}

test('what is said reaches the server in the way that is asked for', async () => {
  const script =
    'connect C smtp\nC< 220 h\nC> a\nC< 250 {word}\nC> b\nC< 250 ok\nC> {word}\nC< 250 ok\nC> d\nC< 250 ok';
  const asked = async (way: Way, text = script): Promise<string[]> => {
    const { port, pieces } = await noting();
    const doors = { smtp: { host: '127.0.0.1', port } };
    const target = { server: 'noting', hostname: 'h', doors, fixture: async () => ({}) };
    await runSession(parseScript(text), target, 'ways', way);
    return pieces;
  };
  assert.deepEqual(await asked('as-written'), ['a\r\n', 'b\r\n', 'ok\r\n', 'd\r\n']);
  // {word} is not known before the first answer.
  assert.deepEqual(await asked('one-packet'), ['a\r\nb\r\n', 'ok\r\nd\r\n']);
  assert.deepEqual(await asked('half-closed'), ['a\r\n', 'b\r\n', 'ok\r\n', 'd\r\n', 'end']);
  const octets = await asked('octets');
  assert.equal(octets.join(''), 'a\r\nb\r\nok\r\nd\r\n');
  assert.ok(octets.length > 8, octets.join('|'));
  // Another client acts in between.
  const two = 'connect C smtp\nC< 220 h\nC> a\nC< 250 ok\nconnect D smtp\nD< 220 h\nC> b\nC< 250 ok';
  assert.deepEqual(await asked('one-packet', two), ['a\r\n', 'b\r\n']);
  assert.deepEqual(await asked('one-packet', `not one-packet for a reason\n${two}`), []);
  assert.throws(() => parseScript('not one-packet'), ScriptError);
});

test('what is long is not sent octet by octet in its middle, and arrives whole', async () => {
  const { port, pieces } = await noting();
  const doors = { smtp: { host: '127.0.0.1', port } };
  const target = { server: 'noting', hostname: 'h', doors, fixture: async () => ({}) };
  for (const length of [500, 1500, 5000]) {
    pieces.length = 0;
    const script = `connect C smtp\nC< 220 h\nC> {x*${length}}\nC< 250 ok`;
    await runSession(parseScript(script), target, 'long', 'octets');
    assert.equal(pieces.join('').replaceAll('end', ''), `${'x'.repeat(length)}\r\n`);
  }
});

test('a server that leaves a client half-closed has not passed', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('250 ok\r\n'));
    socket.write('220 h\r\n');
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const doors = { smtp: { host: '127.0.0.1', port: (server.address() as { port: number }).port } };
  const target = { server: 'noting', hostname: 'h', doors, waitMs: 200, fixture: async () => ({}) };
  await assert.rejects(
    runSession(parseScript('connect C smtp\nC< 220 h\nC> a\nC< 250 ok'), target, 'open', 'half-closed'),
    SessionFailure,
  );
});

test('a session for another server is skipped', async () => {
  const target = { server: 'scripted', hostname: 'h', doors: {}, fixture: async () => ({}) };
  assert.equal(await runSession(parseScript('only waypost\nconnect C smtp'), target, 'x'), 'skipped');
});
