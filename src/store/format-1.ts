// What format 1 stored of a message's header, as format 2 stores it: IMAP ENVELOPE text becomes values.
//
// In      rows of format 1: `envelope` text, and the same text inside the structure for messages in the message
// Out     the same rows with values that give the same ENVELOPE and BODYSTRUCTURE, and `parser` 1: they have no
//         references, so each is parsed again from its bytes later (reparse.ts)
// Errors  what cannot be read becomes empty values and a line in the log; its `parser` is 0
// Limits  a page of rows in memory
// RFC 3501 §7.4.2, §9 (envelope, env-from, address)

import { Failure } from '../base/failure.ts';
import { idText } from '../base/ids.ts';
import type { MigrationConnection } from '../database/operation.ts';
import type { HeaderAddress } from '../message/addresses.ts';
import { EMPTY_HEADER, encodeHeader, type HeaderValues } from '../message/header-values.ts';
import { ImapCursor } from '../wire/imap/grammar.ts';

/** Column `header` holds the envelope's text when this begins. */
export function convertMessages(connection: MigrationConnection): void {
  const count = Number(connection.get('SELECT count(*) AS n FROM message')?.['n']);
  const page = 'SELECT id, header, structure FROM message WHERE id > ? ORDER BY id LIMIT +?';
  let done = 0;
  for (const rows of connection.pages(page, ['id'], [-1])) {
    for (const { id, header, structure } of rows) {
      const damages: string[] = [];
      const values = convertEnvelope(String(header), damages);
      const converted = convertStructure(String(structure), damages);
      if (converted === structure && damages.length === 0)
        connection.run('UPDATE message SET header = ? WHERE id = ?', encodeHeader(values), id!);
      else
        connection.run(
          'UPDATE message SET header = ?, structure = ?, parser = ? WHERE id = ?',
          encodeHeader(values),
          converted,
          damages.length === 0 ? 1 : 0,
          id!,
        );
      for (const detail of damages)
        connection.log.warn('store.header', { message: idText(Number(id)), detail: `format 1: ${detail}` });
    }
    done += rows.length;
    connection.progress(done, count);
  }
}

/** The values of an ENVELOPE. What cannot be read gives empty values, and a word in `damages`. */
export function convertEnvelope(text: string, damages: string[]): HeaderValues {
  try {
    return readEnvelope(new ImapCursor(text));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    damages.push(error.message);
    return EMPTY_HEADER;
  }
}

function readEnvelope(cursor: ImapCursor): HeaderValues {
  cursor.take('(');
  const date = nstring(cursor);
  const subject = nstring(cursor);
  const author = cursor.at;
  const from = addresses(cursor);
  const authorText = cursor.text.slice(author, cursor.at);
  const sender = unlessFilledIn(cursor, authorText);
  const replyTo = unlessFilledIn(cursor, authorText);
  const to = addresses(cursor);
  const cc = addresses(cursor);
  const bcc = addresses(cursor);
  const inReplyTo = nstring(cursor);
  const messageId = cursor.nstring() ?? null;
  cursor.take(')');
  cursor.end();
  return [date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId, null];
}

/** With the space behind it. */
function nstring(cursor: ImapCursor): string | null {
  const text = cursor.nstring() ?? null;
  cursor.take(' ');
  return text;
}

/** An absent Sender or Reply-To was written as the author, so what is equal to the author is taken for absent. */
function unlessFilledIn(cursor: ImapCursor, authorText: string): HeaderAddress[] | null {
  const start = cursor.at;
  const list = addresses(cursor);
  return cursor.text.slice(start, cursor.at) === authorText ? null : list;
}

function addresses(cursor: ImapCursor): HeaderAddress[] | null {
  const list: HeaderAddress[] = [];
  if (!cursor.tryWord('NIL')) {
    cursor.take('(');
    while (cursor.tryTake('(')) {
      list.push([nstring(cursor), nstring(cursor), nstring(cursor), cursor.nstring() ?? null]);
      cursor.take(')');
    }
    cursor.take(')');
  }
  cursor.take(' ');
  return list.length === 0 ? null : list;
}

/** Slots of a stored part: its inner parts, and what the header of the message in it says. */
const PARTS = 7;
const HEADER = 8;

/** A stored structure whose messages in the message have values. The same text where there are none. */
export function convertStructure(text: string, damages: string[]): string {
  if (!text.includes('"message/rfc822"')) return text;
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    damages.push(String(error));
    return text;
  }
  convertPart(root, damages);
  return JSON.stringify(root);
}

/** Calls itself for the parts of a part: the depth was bounded when the structure was made. */
function convertPart(part: unknown, damages: string[]): void {
  if (!Array.isArray(part)) return;
  if (typeof part[HEADER] === 'string') part[HEADER] = convertEnvelope(part[HEADER], damages);
  if (Array.isArray(part[PARTS])) for (const inner of part[PARTS]) convertPart(inner, damages);
}
