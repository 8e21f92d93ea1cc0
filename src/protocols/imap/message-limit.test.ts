// A server that lets a command look at a thousand messages: the newest are taken, and the client goes on below them. RFC 9738

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ImapClient, ImapRefusal } from '../../demo/clients/imap-client.ts';
import { openTestImap, type TestImap } from './testing.ts';

const LIMIT = 1000;

let imap: TestImap;
let client: ImapClient;
before(async () => {
  imap = await openTestImap({ limits: { imapMessagesMax: LIMIT } });
  await imap.addAccount('ann', 'secret');
  client = await ImapClient.login(imap, 'ann', 'secret');
  await client.append('INBOX', Buffer.from('x'));
  await client.command('SELECT INBOX');
  // 1, 2, 4 ... 1024 messages, each copied by a command within the limit.
  for (let count = 1; count <= 512; count *= 2) await client.command(`COPY 1:${count} INBOX`);
  await client.command('COPY 1:476 INBOX');
  await client.command('CREATE Archive');
});
after(() => {
  client?.connection.destroy();
  return imap?.close();
});

function textsOf({ untagged }: Awaited<ReturnType<ImapClient['command']>>): string[] {
  return untagged.map(({ text }) => text);
}

test('FETCH, STORE and SEARCH do the last thousand, and say where to go on', async () => {
  const fetched = await client.command('FETCH 1:* (UID)');
  assert.match(fetched.text, /^ ?\[MESSAGELIMIT 1000 501\]/);
  assert.equal(fetched.untagged.length, LIMIT);
  assert.equal(textsOf(fetched)[0], '501 FETCH (UID 501)');
  const rest = await client.command('UID FETCH 1:500 (FLAGS)');
  assert.ok(!rest.text.includes('MESSAGELIMIT'));
  const stored = await client.command('UID STORE 300:1400 +FLAGS (\\Flagged)');
  assert.match(stored.text, /\[MESSAGELIMIT 1000 401\]/);
  const found = await client.command('SEARCH FLAGGED');
  assert.match(found.text, /\[MESSAGELIMIT 1000 501\]/);
  assert.equal(textsOf(found)[0]!.split(' ').length - 1, 900);
  assert.equal(textsOf(await client.command('UID SEARCH UIDBEFORE 501 FLAGGED'))[0]!.split(' ').length - 1, 100);
  const after = await client.command('UID SEARCH UIDAFTER 1398');
  assert.equal(textsOf(after)[0], `SEARCH 1399 1400 ${Array.from({ length: 100 }, (_, i) => 1401 + i).join(' ')}`);
  assert.equal(textsOf(await client.command('SEARCH UIDBEFORE 1'))[0], 'SEARCH');
});

test('COPY, SORT, THREAD and a PARTIAL that is too long do nothing', async () => {
  const refusals: readonly (readonly [command: string, code: string])[] = [
    ['COPY 1:1001 Archive', 'MESSAGELIMIT 1000 2'],
    ['UID FETCH 1:* (FLAGS) (PARTIAL -1:-1001)', 'MESSAGELIMIT 1000'],
    ['SORT (SIZE) UTF-8 ALL', 'MESSAGELIMIT 1000'],
    ['THREAD REFS UTF-8 ALL', 'MESSAGELIMIT 1000'],
  ];
  for (const [command, code] of refusals)
    await assert.rejects(client.command(command), (error) => {
      assert.ok(error instanceof ImapRefusal && error.message.includes(` NO [${code}] `), `${command}: ${error}`);
      return true;
    });
  assert.equal(await client.count('Archive'), 0);
});

test('MOVE and UID EXPUNGE go on with the same command; EXPUNGE has no limit', async () => {
  const moved = await client.command('UID MOVE 1:* Archive');
  assert.match(textsOf(moved)[0]!, /^OK \[COPYUID \d+ 501:1500 1:1000\]/);
  assert.match(moved.text, /\[MESSAGELIMIT 1000 501\]/);
  const last = await client.command('UID MOVE 1:* Archive');
  assert.ok(!last.text.includes('MESSAGELIMIT'));
  await client.command('SELECT Archive');
  await client.command('UID STORE 1:1000 +FLAGS.SILENT (\\Deleted)');
  await client.command('UID STORE 1001:* +FLAGS.SILENT (\\Deleted)');
  const expunged = await client.command('UID EXPUNGE 1:*');
  assert.match(expunged.text, /\[MESSAGELIMIT 1000 501\]/);
  assert.equal(await client.count('Archive'), 500);
  await client.command('STORE 1 -FLAGS.SILENT (\\Deleted)');
  assert.ok(!(await client.command('EXPUNGE')).text.includes('MESSAGELIMIT'));
  assert.equal(await client.count('Archive'), 1);
});

test('the limit is announced in the place of SAVELIMIT', async () => {
  const [capabilities] = textsOf(await client.command('CAPABILITY'));
  assert.ok(capabilities!.includes(' MESSAGELIMIT=1000 ') && !capabilities!.includes('SAVELIMIT'));
});
