// Own mailboxes of a store from before other people's had names.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openForWriting } from '../database/connection.ts';
import { migrate } from '../database/format.ts';
import { storeUnit } from './tables.ts';

test('Shared and Other Users become names that are free, with all below and their subscriptions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-test-'));
  const database = openForWriting(join(directory, 'store.db'), 'OFF');
  try {
    const before = storeUnit.migrations.filter(({ version }) => version < 8);
    migrate(database, { units: [{ ...storeUnit, migrations: before }] });
    const insert = database.prepare(
      `INSERT INTO mailbox (account, id, name, uidvalidity, uidnext, modseq, messages, unseen, bytes, recent_from, selectable)
       VALUES (?, ?, ?, 1, 1, 1, 0, 0, 0, 1, 1)`,
    );
    const names = {
      1: ['INBOX', 'Shared', 'Shared/a', 'Shared/a/b', 'Shared (1)/x', 'Shared0', 'shared'],
      2: ['INBOX', 'Other Users/ann', 'Other', 'Shared!'],
      3: ['INBOX', 'A/Shared'],
    };
    for (const [account, list] of Object.entries(names))
      for (const [index, name] of list.entries()) insert.run(Number(account), index + 1, name);
    database.exec(`INSERT INTO subscription (account, name) VALUES (1, 'Shared/a'), (3, 'Shared/gone'), (3, 'INBOX')`);

    migrate(database, { units: [storeUnit] });

    const listed = (table: string): string[] =>
      database
        .prepare(`SELECT account || ' ' || name AS line FROM ${table} ORDER BY account, name`)
        .all()
        .map(({ line }) => String(line));
    assert.deepEqual(listed('mailbox'), [
      ...['1 INBOX', '1 Shared (1)/x', '1 Shared (2)', '1 Shared (2)/a', '1 Shared (2)/a/b', '1 Shared0', '1 shared'],
      ...['2 INBOX', '2 Other', '2 Other Users (1)/ann', '2 Shared!'],
      ...['3 A/Shared', '3 INBOX'],
    ]);
    assert.deepEqual(listed('subscription'), ['1 Shared (2)/a', '3 INBOX', '3 Shared (1)/gone']);
  } finally {
    database.close();
    rmSync(directory, { recursive: true });
  }
});
