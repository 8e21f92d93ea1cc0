// A store of format 1 brought along: rows as that program wrote them, through the steps of the unit.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { corpus } from '../../test/support/messages.ts';
import type { Log } from '../base/log.ts';
import { openForWriting, openReader } from '../database/connection.ts';
import { migrate } from '../database/format.ts';
import { decodeHeader, EMPTY_HEADER } from '../message/header-values.ts';
import { decodeStructure } from '../message/structure.ts';
import { encodeBodyStructure } from '../wire/imap/responses/body-structure.ts';
import { encodeEnvelopeItem } from '../wire/imap/responses/envelope.ts';
import { storeUnit } from './tables.ts';

const warnings: string[] = [];
const log: Log = {
  debug() {},
  info() {},
  warn: (event, fields) => warnings.push(`${event} ${JSON.stringify(fields)}`),
  error() {},
};

const READ = 'SELECT header, structure, parser, bare_lf, length, received FROM message WHERE id = ?';

test('a store of format 1 gives the same answers, knows what is to be parsed again, and goes on counting', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-test-'));
  const path = join(directory, 'store.db');
  const database = openForWriting(path, 'OFF');
  try {
    migrate(database, { units: [{ ...storeUnit, migrations: storeUnit.migrations.slice(0, 1) }] });
    const insert = database.prepare(
      `INSERT INTO message (id, segment, offset, length, hash, codec, received, trace_bytes, envelope, structure, refs)
       VALUES (?, 1, 64, ?, x'00', 0, 5, 0, ?, ?, 1)`,
    );
    for (const [id, { message, envelope, structure }] of corpus().entries())
      insert.run(id, message.length, envelope, structure);
    insert.run(5000, 1, '("cut', '["text/plain"]');
    database.exec(
      `INSERT INTO account (id, tenant, uuid, created, next_mailbox) VALUES (3, 1, 'a', 7, 4), (9, 1, 'b', 8, 2)`,
    );
    database.exec('DELETE FROM account WHERE id = 9');

    migrate(database, { units: [storeUnit], log });

    const { reader, close } = openReader(path);
    for (const [id, { message, envelope, bodyStructure }] of corpus().entries()) {
      const [header, structure, ...rest] = reader.arrays(READ, id)[0]!;
      assert.equal(encodeEnvelopeItem(decodeHeader(String(header))), envelope, message);
      assert.equal(encodeBodyStructure(decodeStructure(String(structure))), bodyStructure, message);
      assert.deepEqual(rest, [1, 0, message.length, 5]);
    }
    const [damaged, , parser] = reader.arrays(READ, 5000)[0]!;
    assert.deepEqual(decodeHeader(String(damaged)), EMPTY_HEADER);
    assert.equal(parser, 0);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /^store\.header \{"message":"[^"]+","detail":"format 1: /);
    assert.deepEqual(
      { ...reader.get('SELECT * FROM account') },
      { id: 3, tenant: 1, uuid: 'a', created: 7, next_mailbox: 4, furnished: 0 },
    );
    const account = 'INSERT INTO account (tenant, uuid, created, next_mailbox) VALUES (?, ?, 0, 1) RETURNING id';
    assert.equal(database.prepare(account).get(2, 'a')?.['id'], 10);
    assert.throws(() => database.prepare(account).get(1, 'a'), /UNIQUE/);
    close();
  } finally {
    database.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
