// URLs that are signed: all octets of a large message by one, NIL for each that is not the one that was signed, and at its end.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ImapClient } from '../../demo/clients/imap-client.ts';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { openTestImap, type TestImap } from './testing.ts';

const START = Date.UTC(2026, 10, 28);
const OF_ANN = 'imap://ann%40acme.example@mail.example/INBOX/;UID=1';
/** More than two pieces. */
const message = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => 32 + (((i * 7919) ^ (i >> 9)) & 63)));

let now = START;
let imap: TestImap;
let ann: ImapClient;
let bob: LineConnection;
before(async () => {
  imap = await openTestImap({ clock: { now: () => now, monotonic: () => now } });
  for (const login of ['ann@acme.example', 'bob@acme.example']) await imap.addAccount(login, 'secret');
  ann = await ImapClient.login(imap, 'ann@acme.example', 'secret');
  bob = await LineConnection.open(imap.host, imap.port);
  await bob.line();
  bob.write('a LOGIN bob@acme.example secret\r\n');
  assert.match(await bob.line(), /^a OK/);
  await ann.append('INBOX', message);
});
after(() => {
  ann?.destroy();
  bob?.destroy();
  return imap?.close();
});

async function sign(rump: string): Promise<string> {
  const { untagged } = await ann.command(`GENURLAUTH "${rump}" INTERNAL`);
  return /^GENURLAUTH "(.*)"$/.exec(untagged[0]!.text)![1]!;
}

/** What each gives, null for NIL. */
async function fetch(...urls: readonly string[]): Promise<(Buffer | null)[]> {
  bob.write(`a URLFETCH ${urls.map((url) => `"${url}"`).join(' ')}\r\n`);
  const given: (Buffer | null)[] = [];
  for (const url of urls) {
    const line = await bob.line();
    assert.ok(line.startsWith(`* URLFETCH "${url}" `), line);
    const size = /\{(\d+)\}$/.exec(line)?.[1];
    if (size === undefined) assert.ok(line.endsWith(' NIL'), line);
    given.push(size === undefined ? null : Buffer.from(await bob.octets(Number(size))));
    if (size !== undefined) assert.equal(await bob.line(), '');
  }
  assert.match(await bob.line(), /^a OK/);
  return given;
}

test('a large message comes whole, and a piece of it', async () => {
  const whole = await sign(`${OF_ANN};URLAUTH=anonymous`);
  const piece = await sign(`${OF_ANN}/;PARTIAL=1000001.1200000;URLAUTH=user+bob%40acme.example`);
  const [one, part, again] = await fetch(whole, piece, whole);
  assert.ok(one!.equals(message));
  assert.ok(part!.equals(message.subarray(1_000_001, 2_200_001)));
  assert.ok(again!.equals(message));
});

test('with any character changed, added or left out it gives nothing', async () => {
  const signed = await sign(`${OF_ANN}/;PARTIAL=0.3;URLAUTH=user+bob%40acme.example`);
  assert.deepEqual(await fetch(signed), [message.subarray(0, 3)]);
  // The token may be written in capitals, and so may its mechanism.
  const token = signed.lastIndexOf(':');
  assert.deepEqual(await fetch(signed.slice(0, token) + signed.slice(token).toUpperCase()), [message.subarray(0, 3)]);
  const changed: string[] = [];
  for (let i = 0; i < signed.length; i++) {
    const before = signed.slice(0, i);
    if (i < token - ':internal'.length || i > token)
      changed.push(before + (signed[i] === '1' ? '2' : '1') + signed.slice(i + 1));
    changed.push(before + signed.slice(i + 1));
  }
  changed.push(`${signed}0`, `${signed}00`, signed.slice(0, token + 33), signed.replace('INBOX', 'inbox'));
  for (let i = 0; i < changed.length; i += 50) {
    const urls = changed.slice(i, i + 50);
    assert.deepEqual(
      await fetch(...urls),
      urls.map(() => null),
    );
  }
});

test('until it expires', async () => {
  const signed = await sign(`${OF_ANN}/;PARTIAL=0.1;EXPIRE=2026-11-28T01:00:01+01:00;URLAUTH=authuser`);
  now = START + 999;
  assert.deepEqual(await fetch(signed), [message.subarray(0, 1)]);
  now = START + 1000;
  assert.deepEqual(await fetch(signed), [null]);
});

test('a command has a hundred URLs at most', async () => {
  const urls = Array.from({ length: 100 }, () => `${OF_ANN};URLAUTH=anonymous`);
  assert.equal((await fetch(...urls)).length, 100);
  await assert.rejects(ann.command(`URLFETCH${' x'.repeat(101)}`), /BAD .*at most 100/);
  await assert.rejects(ann.command(`GENURLAUTH${' x INTERNAL'.repeat(101)}`), /BAD .*at most 100/);
});
