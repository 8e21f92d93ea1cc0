// FETCH gives the corpus' goldens for new messages; for those that format 1 stored it gives what that program gave, until they
// are parsed again under an open session.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { corpus, type Fetched } from '../../../test/support/messages.ts';
import { silentLog } from '../../base/log.ts';
import { operation } from '../../database/operation.ts';
import { ImapClient } from '../../demo/clients/imap-client.ts';
import { encodeHeader } from '../../message/header-values.ts';
import { PARSER } from '../../message/structure.ts';
import { convertEnvelope, convertStructure } from '../../store/format-1.ts';
import { reparse } from '../../store/reparse.ts';
import { openTestImap, type TestImap } from './testing.ts';

interface OldRow {
  readonly offset: number;
  readonly header: string;
  readonly structure: string;
}

/** The rows in the order in which they were stored, as the migration of format 1 leaves them. */
const makeOld = operation('test.makeOld', async (tx, rows: readonly OldRow[]) => {
  for (const { offset, header, structure } of rows)
    await tx.run(
      'UPDATE message SET header = ?, structure = ?, parser = 1 WHERE id = (SELECT id FROM message ORDER BY id LIMIT 1 OFFSET ?)',
      header,
      structure,
      offset,
    );
  await tx.run("UPDATE counter SET value = 1 WHERE name = 'parser'");
});

// APPEND takes no empty message and no NUL.
const messages = corpus().filter(({ message }) => message !== '' && !message.includes('\0'));

let imap: TestImap;
let client: ImapClient;
before(async () => {
  imap = await openTestImap();
  await imap.addAccount('ann', 'secret');
  client = await ImapClient.login(imap, 'ann', 'secret');
  for (const { message } of messages) await client.append('INBOX', Buffer.from(message, 'latin1'));
  await client.command('SELECT INBOX');
});
after(async () => {
  client?.destroy();
  await imap?.close();
});

/** Of which parser the answers are: `either` while messages are parsed again. */
async function checkGoldens(parser: 'old' | 'now' | 'either'): Promise<void> {
  const { untagged } = await client.command('FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE)');
  assert.equal(untagged.length, messages.length);
  for (const [at, { text, literals }] of untagged.entries()) {
    const golden = messages[at]!;
    const goldens = [
      ...(parser === 'now' ? [] : [fetched(at, golden)]),
      ...(parser === 'old' ? [] : [fetched(at, golden.now ?? golden)]),
    ];
    let whole = '';
    let rest = text;
    for (const literal of literals) {
      const end = rest.indexOf(`{${literal.length}}`) + `{${literal.length}}`.length;
      whole += `${rest.slice(0, end)}\r\n${literal.toString('latin1')}`;
      rest = rest.slice(end);
    }
    if (!goldens.includes(whole + rest)) assert.equal(whole + rest, goldens.at(-1), golden.message);
  }
}

function fetched(at: number, { envelope, body, bodyStructure }: Fetched): string {
  return `${at + 1} FETCH (ENVELOPE ${envelope} BODY ${body} BODYSTRUCTURE ${bodyStructure})`;
}

test('of new messages', () => checkGoldens('now'));

test('of messages that format 1 had, before and while they are parsed again', async () => {
  const rows = messages.map(({ envelope, structure }, offset) => ({
    offset,
    header: encodeHeader(convertEnvelope(envelope, [])),
    structure: convertStructure(structure, []),
  }));
  const { reader, writer } = imap.database;
  await writer.execute(makeOld, rows);
  await checkGoldens('old');
  let isDone = false;
  const parts = { reader, writer, blobs: imap.door.blobs, log: silentLog, pauseMs: 5 };
  const walk = reparse(parts, AbortSignal.any([])).then(() => {
    isDone = true;
  });
  do await checkGoldens('either');
  while (!isDone);
  await walk;
  await checkGoldens('now');
  assert.deepEqual((await client.command('NOOP')).untagged, []);
  assert.equal(reader.get('SELECT min(parser) AS lowest FROM message')?.['lowest'], PARSER);
});
