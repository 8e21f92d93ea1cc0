// Queue rows of format 1 as format 2 has them: `options` held {body}, beside it the columns `original` and `waits_for`.
//
// Format 1 does not say who submitted the message and whether the sender might relay: such rows are resolved again as for
// a sender who may not relay, which is what the older program did.

import { asFailure } from '../base/failure.ts';
import type { MigrationConnection, Row } from '../database/operation.ts';
import { type Address, tryParseAddress } from '../message/address.ts';
import type { BodyKind } from '../message/envelope.ts';
import { encodeCarried } from './queue.ts';

export function migrateQueueToFormat2(connection: MigrationConnection): void {
  const of = Number(connection.get('SELECT count(*) AS n FROM queue')?.['n']);
  let done = 0;
  const rows = `SELECT id, channel, destination, sender, recipient, original, options FROM queue
    WHERE id > ? ORDER BY id LIMIT +?`;
  for (const page of connection.pages(rows, ['id'], [0])) {
    for (const row of page)
      connection.run('UPDATE queue SET options = ? WHERE id = ?', optionsOf(connection, row), row['id']!);
    done += page.length;
    connection.progress(done, of);
  }
  connection.run('ALTER TABLE queue DROP COLUMN waits_for');
  connection.run('ALTER TABLE queue DROP COLUMN original');
}

function optionsOf({ log }: MigrationConnection, row: Row): string {
  const [channel, destination, sender, recipient] = [
    row['channel'],
    row['destination'],
    row['sender'],
    row['recipient'],
  ].map(String) as [string, string, string, string];
  const address = addressOf(recipient);
  const from = sender === '' ? undefined : addressOf(sender);
  const original = row['original'] === null ? {} : { original: String(row['original']) };
  let body: BodyKind = '7BIT';
  try {
    body = (JSON.parse(String(row['options'])) as { body: unknown }).body === '8BITMIME' ? '8BITMIME' : '7BIT';
  } catch (error) {
    log.warn('transfer.migrate', { row: Number(row['id']), detail: asFailure(error).detail });
  }
  return encodeCarried({
    envelope: { sender: from, recipients: [{ address, ...original }], body },
    target: { channel, destination, recipient: address, key: `${channel} ${destination} ${recipient}`, options: {} },
    request: { sender: from, caller: { kind: 'anonymous' }, mayRelay: false, door: 'smtp' },
  });
}

/** What is no address by today's rules was one when it was accepted. */
function addressOf(text: string): Address {
  const address = tryParseAddress(text);
  if (address !== undefined) return address;
  const at = text.lastIndexOf('@');
  return at < 0 ? { localPart: text, domain: '' } : { localPart: text.slice(0, at), domain: text.slice(at + 1) };
}
