import assert from 'node:assert/strict';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type AccountId, idOf } from '../base/ids.ts';
import { MESSAGE_BUFFER_BYTES } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { operation } from '../database/operation.ts';
import { decodeHeader, encodeHeader, type HeaderValues } from '../message/header-values.ts';
import { PARSER } from '../message/structure.ts';
import { INBOX } from './accounts.ts';
import { ownMailbox } from './mailbox-key.ts';
import { findMailbox } from './mailboxes.ts';
import { type MailboxMessage, messagesBetween, sizesAfter } from './messages.ts';
import { reparse, startReparse } from './reparse.ts';
import { segmentPath } from './segment.ts';
import { TestStore, uidRange } from './testing.ts';

const HEADER = 'From: a@x\r\nMessage-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\n\r\n';

/** As migrations leave a row: without references, its bare line feeds not counted, of version 1. */
const makeOld = operation('test.makeOld', async (tx, args: { readonly id: number; readonly header: string }) => {
  await tx.run('UPDATE message SET header = ?, bare_lf = 0, parser = 1 WHERE id = ?', args.header, args.id);
});
const forgetWalk = operation('test.forgetWalk', async (tx, _: object) => {
  await tx.run("UPDATE counter SET value = 1 WHERE name = 'parser'");
});

let store: TestStore;
let account: AccountId;
const lines: string[] = [];
const line = (event: string, fields?: object): void => void lines.push(`${event} ${JSON.stringify(fields)}`);
const log: Log = { debug: line, info: line, warn: line, error: line };

before(async () => {
  store = new TestStore();
  account = await store.account();
});
after(() => store.close());

const rows = (): MailboxMessage[] =>
  messagesBetween(store.database.reader, ownMailbox(account, INBOX), uidRange(1, 1000), 1000);
const walked = (): unknown => store.database.reader.get("SELECT value FROM counter WHERE name = 'parser'")?.['value'];
const parts = () => ({
  reader: store.database.reader,
  writer: store.database.writer,
  blobs: store.blobs,
  log,
  pauseMs: 0,
});

async function makeAllOld(): Promise<void> {
  for (const { id, header } of rows()) {
    const values = [...decodeHeader(header).slice(0, 10), null] as unknown as HeaderValues;
    await store.database.writer.execute(makeOld, { id, header: encodeHeader(values) });
  }
  await store.database.writer.execute(forgetWalk, {});
}

test('messages of an older parser get what today’s reads in their bytes, and nothing else changes', async () => {
  for (let i = 0; i < 120; i++)
    await store.append(account, 'INBOX', i === 7 ? HEADER.replaceAll('\r\n', '\n') : `${HEADER}${i}`);
  const fresh = rows();
  const lineFeeds = HEADER.split('\n').length - 1;
  const completeSizes = fresh.map(({ size }, i) => (i === 7 ? size + lineFeeds : size));
  const sizes = () =>
    sizesAfter(store.database.reader, { owner: account, mailbox: INBOX }, idOf(0)).map(({ size }) => size);
  assert.deepEqual(sizes(), completeSizes);
  const mailbox = findMailbox(store.database.reader, account, 'INBOX');
  await makeAllOld();
  assert.equal(decodeHeader(rows()[0]!.header)[10], null);
  assert.equal(sizes()[7], fresh[7]!.size);
  let notifications = 0;
  store.database.onNotification(() => notifications++);
  await reparse(parts(), AbortSignal.any([]));
  assert.deepEqual(rows(), fresh);
  assert.deepEqual(sizes(), completeSizes);
  assert.deepEqual(decodeHeader(rows()[119]!.header)[10], ['1@x', '2@x']);
  assert.deepEqual(findMailbox(store.database.reader, account, 'INBOX'), mailbox);
  assert.equal(notifications, 0);
  assert.equal(walked(), PARSER);
  assert.deepEqual(lines.splice(0), [`store.reparsed {"parser":${PARSER},"messages":120,"left":0}`]);
});

test('a store that is done is not walked: nothing of a message is read', async () => {
  const { reader, ...others } = parts();
  const counterOnly = { ...reader, get: reader.get.bind(reader), arrays: () => assert.fail('messages were read') };
  await reparse({ reader: counterOnly, ...others }, AbortSignal.any([]));
  assert.deepEqual(lines, []);
});

test('a message whose bytes are not those that were stored stays as it is: they would give other values', async () => {
  await makeAllOld();
  const broken = rows().at(-1)!;
  const { segment, offset } = broken.blob;
  const file = openSync(segmentPath(store.segmentsPath, segment), 'r+');
  writeSync(file, 'T', Number(offset));
  await reparse(parts(), AbortSignal.any([]));
  assert.deepEqual(rows().at(-1), broken);
  assert.match(lines.shift()!, /^store\.reparse \{"message":"[^"]+","detail":"its bytes are not those/);
  assert.deepEqual(lines.splice(0), [`store.reparsed {"parser":${PARSER},"messages":119,"left":1}`]);
  writeSync(file, 'F', Number(offset));
  closeSync(file);
  await reparse(parts(), AbortSignal.any([]));
  assert.deepEqual(lines.splice(0), [`store.reparsed {"parser":${PARSER},"messages":1,"left":0}`]);
});

test('a message whose bytes cannot be read stays as it is, with one line, and is tried at the next start', async () => {
  await store.append(account, 'INBOX', HEADER + 'x'.repeat(MESSAGE_BUFFER_BYTES));
  await makeAllOld();
  const broken = rows().at(-1)!;
  store.blobs.forget(broken.blob.segment);
  unlinkSync(segmentPath(store.segmentsPath, broken.blob.segment));
  await reparse(parts(), AbortSignal.any([]));
  assert.equal(rows().at(-1)!.parser, 1);
  assert.ok(
    rows()
      .slice(0, -1)
      .every(({ parser }) => parser === PARSER),
  );
  assert.match(lines.shift()!, /^store\.reparse \{"message":"[^"]+","detail":"Error: ENOENT/);
  assert.deepEqual(lines.splice(0), [`store.reparsed {"parser":${PARSER},"messages":120,"left":1}`]);
  assert.equal(walked(), 1);
  await reparse(parts(), AbortSignal.any([]));
  assert.match(lines.shift()!, /ENOENT/);
  assert.deepEqual(lines.splice(0), [`store.reparsed {"parser":${PARSER},"messages":0,"left":1}`]);
});

test('a stop ends the walk, and the next start goes on from what is done', async () => {
  await makeAllOld();
  const end = startReparse({ ...parts(), pauseMs: 60_000 });
  // The first slice is written, then the walk pauses for a minute.
  while (rows()[0]!.parser !== PARSER) await new Promise((resolve) => setImmediate(resolve));
  await end();
  assert.equal(walked(), 1);
  const left = rows().filter(({ parser }) => parser !== PARSER).length;
  assert.ok(left > 1 && left < 121, `${left}`);
  await reparse(parts(), AbortSignal.any([]));
  assert.equal(rows().filter(({ parser }) => parser !== PARSER).length, 1);
});
