// A store of format 5, made by a program that writes it: no row changes, mail is read as before, and bytes of mail that was
// expunged then are dead bytes now.
//
// In      format-5/: the store (make.ts says how)
// Out     the same mail over IMAP, before and behind the rewriting of its segment; a checker without findings

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { FORMAT } from '../../src/database/format.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';
import { PASSWORD } from '../support/directory.ts';
import { startWaypost } from '../support/server.ts';
import { contents, copyOfStore } from './fixture.ts';
import { ANN, APPENDED, BOB, CONFIG, SHARED } from './format-5/content.ts';

test('mail is read as it was', async () => {
  using store = copyOfStore({ format: 5 });
  await using server = await startWaypost({ data: store.data, config: CONFIG });
  for (const [login, messages] of [
    [ANN, [SHARED, APPENDED]],
    [BOB, [SHARED]],
  ] as const) {
    const imap = await ImapClient.login(server.listeners.imap, login, PASSWORD);
    const texts = (await imap.fetchAll()).map(({ body }) => body.toString('latin1'));
    assert.deepEqual(
      texts.map((text) => text.slice(text.indexOf('Subject: '))),
      messages.map(String),
    );
    await imap.logout();
  }
});

test('no row is rewritten, and no copy is made', () => {
  using store = copyOfStore({ format: 5 });
  const before = contents(store.path) as Record<string, readonly string[]>;
  bringToFormat(store.data, { log: silentLog, synchronous: 'FULL' });
  using database = new DatabaseSync(store.path, { readOnly: true });
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], FORMAT);
  const after = contents(store.path) as Record<string, readonly string[]>;
  assert.equal(existsSync(`${store.path}.format-5`), false);
  // Tables have columns more; what stood in the rows stands there still.
  for (const table of ['mailbox', 'mailbox_message', 'account', 'message', 'segment', 'dit']) {
    const rows = (of: Record<string, readonly string[]>) => of[table]!.slice(1).map((row) => JSON.parse(row) as object);
    assert.equal(rows(after).length, rows(before).length, table);
    for (const [i, row] of rows(before).entries())
      assert.deepEqual({ ...rows(after)[i], ...row }, rows(after)[i], table);
  }
});
