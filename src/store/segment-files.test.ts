import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { idOf, idText } from '../base/ids.ts';
import { INBOX } from './accounts.ts';
import { highestId } from './collect.ts';
import { ownMailbox } from './mailbox-key.ts';
import { messagesBetween } from './messages.ts';
import { segmentPath } from './segment.ts';
import { hasSegments, removeAside, settleSegmentFiles } from './segment-files.ts';
import { TestStore } from './testing.ts';

const NOTHING = { removed: 0, aside: [], back: [], missing: [] };

async function open(context: TestContext) {
  const store = new TestStore();
  context.after(() => store.close());
  const account = await store.account();
  await store.append(account, 'INBOX', 'kept');
  const { reader } = store.database;
  const { segment } = messagesBetween(reader, ownMailbox(account, INBOX), [idOf(1), idOf(1)], 1)[0]!.blob;
  const directory = store.segmentsPath;
  return { reader, segment, directory, settle: () => settleSegmentFiles(reader, directory) };
}

test('files that no row knows go at a start; others and strangers stay', async (context) => {
  const { directory, segment, settle } = await open(context);
  for (const name of ['zzz.seg', '1.seg', 'notes.txt']) writeFileSync(join(directory, name), '');
  writeFileSync(join(directory, '2.seg'), 'of messages that were expunged');
  assert.deepEqual(await settle(), { ...NOTHING, removed: 3 });
  assert.deepEqual(readdirSync(directory).sort(), [`${idText(segment)}.seg`, 'notes.txt'].sort());
});

test('a file that is newer than the store is kept aside for seven days, and is back with the store that knows it', async (context) => {
  const { reader, directory, segment, settle } = await open(context);
  const newer = idText(highestId(reader) + 1);
  writeFileSync(join(directory, `${newer}.seg`), 'acknowledged');
  assert.deepEqual(await settle(), { ...NOTHING, aside: [`${newer}.seg.aside`] });
  assert.deepEqual(await settle(), NOTHING);
  assert.equal(readFileSync(join(directory, `${newer}.seg.aside`), 'utf8'), 'acknowledged');
  const day = 24 * 3600 * 1000;
  assert.deepEqual(await removeAside(directory, Date.now() + 6.9 * day), []);
  assert.deepEqual(await removeAside(directory, Date.now() + 7.1 * day), [`${newer}.seg.aside`]);

  const own = segmentPath(directory, segment);
  renameSync(own, `${own}.aside`);
  assert.deepEqual(await settle(), { ...NOTHING, back: [`${idText(segment)}.seg`] });
  assert.deepEqual(readdirSync(directory), [`${idText(segment)}.seg`]);
});

test('a file whose messages have rows and that is not there is named', async (context) => {
  const { directory, segment, settle } = await open(context);
  assert.equal(await hasSegments(directory), true);
  rmSync(segmentPath(directory, segment));
  assert.deepEqual(await settle(), { ...NOTHING, missing: [{ segment, messages: 1 }] });
  writeFileSync(join(directory, '1.seg'), '');
  assert.equal(await hasSegments(directory), false);
});
