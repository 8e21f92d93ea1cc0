// Queue rows of format 1 are rows of format 2: of each state, with addresses as they are written.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openForWriting, openReader } from '../database/connection.ts';
import { migrate, type Unit } from '../database/format.ts';
import { carriedBy, listQueue, queueRow } from './queue.ts';
import { transferUnit } from './tables.ts';

const format1: Unit = { ...transferUnit, migrations: transferUnit.migrations.slice(0, 1) };

const ROWS = [
  [
    'smtp',
    'remote.example',
    'ann@acme.example',
    'rex@remote.example',
    'Rex@REMOTE.example',
    '{"body":"8BITMIME"}',
    'waiting',
  ],
  ['smtp', '[192.0.2.1]', '', '"a b"@[192.0.2.1]', null, '{"body":"7BIT"}', 'waiting'],
  ['store', '', 'ann@acme.example', 'postmaster', 'postmaster', '{"body":"7BIT"}', 'waiting'],
  ['store', '', '', 'bob@acme.example', 'bob@acme.example', '{"body":"7BIT"}', 'failed'],
  ['smtp', 'remote.example', 'ann@acme.example', 'late@remote.example', null, 'not JSON', 'waiting'],
] as const;

test('a row of format 1 carries its envelope, and is resolved as for a sender who may not relay', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-test-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'store.db');
  const database = openForWriting(path, 'OFF');
  migrate(database, { units: [format1] });
  const insert = database.prepare(
    `INSERT INTO queue (tenant, message, channel, destination, sender, recipient, original, options, state, waits_for,
       created, next_attempt, attempts, last_attempt, waited, lease, status, remote, last_error)
     VALUES (1, 64, ?, ?, ?, ?, ?, ?, ?, NULL, 1000, 5, 2, 4, 3, 0, '4.2.1', 'mx.example', '450 4.2.1 busy')`,
  );
  for (const row of ROWS) insert.run(...row);
  migrate(database, { units: [transferUnit] });
  database.close();

  const { reader, close } = openReader(path);
  const rows = reader.all('SELECT * FROM queue ORDER BY id');
  assert.deepEqual(
    listQueue(reader).map(({ channel, destination, sender, recipient, state, attempts, lastError }) => [
      channel,
      destination,
      sender,
      recipient,
      state,
      attempts,
      lastError,
    ]),
    ROWS.map(([channel, destination, sender, recipient, , , state]) => [
      channel,
      destination,
      sender,
      recipient,
      state,
      2,
      'mx.example: 450 4.2.1 busy',
    ]),
  );
  assert.ok(rows.every((row) => !('waits_for' in row) && !('original' in row)));
  const ann = { localPart: 'ann', domain: 'acme.example' };
  const carried = rows.map((row) => carriedBy(queueRow(row)));
  assert.deepEqual(
    carried.map(({ envelope }) => envelope),
    [
      {
        sender: ann,
        recipients: [{ address: { localPart: 'rex', domain: 'remote.example' }, original: 'Rex@REMOTE.example' }],
        body: '8BITMIME',
      },
      { sender: undefined, recipients: [{ address: { localPart: 'a b', domain: '[192.0.2.1]' } }], body: '7BIT' },
      {
        sender: ann,
        recipients: [{ address: { localPart: 'postmaster', domain: '' }, original: 'postmaster' }],
        body: '7BIT',
      },
      {
        sender: undefined,
        recipients: [{ address: { localPart: 'bob', domain: 'acme.example' }, original: 'bob@acme.example' }],
        body: '7BIT',
      },
      { sender: ann, recipients: [{ address: { localPart: 'late', domain: 'remote.example' } }], body: '7BIT' },
    ],
  );
  for (const { request, envelope, target } of carried) {
    assert.deepEqual(request, {
      sender: envelope.sender,
      caller: { kind: 'anonymous' },
      mayRelay: false,
      door: 'smtp',
    });
    assert.deepEqual(target.recipient, envelope.recipients[0]?.address);
  }
  assert.equal(new Set(carried.map(({ target }) => target.key)).size, ROWS.length);
  close();
});
