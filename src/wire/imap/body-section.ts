// `[section]<partial>` of FETCH, both ways. RFC 3501 §6.4.5, §9 section

import { MIME_DEPTH_MAX } from '../../base/limits.ts';
import type { ImapCursor } from './grammar.ts';
import { encodeAstring } from './responses/strings.ts';
import type { BodySection, Partial } from './values.ts';

const FIELDS_MAX = 1000;

export function parseSection(cursor: ImapCursor): BodySection {
  cursor.take('[');
  const part: number[] = [];
  while (isDigit(cursor.peek())) {
    if (part.length > MIME_DEPTH_MAX) cursor.fail(`at most ${MIME_DEPTH_MAX} levels of parts`);
    part.push(cursor.nzNumber());
    if (!cursor.tryTake('.')) {
      cursor.take(']');
      return { part, text: undefined, fields: [] };
    }
  }
  const text = parseText(cursor, part.length > 0);
  let fields: readonly string[] = [];
  if (text === 'HEADER.FIELDS' || text === 'HEADER.FIELDS.NOT') {
    cursor.space();
    fields = cursor.list(() => cursor.astring());
    if (fields.length === 0 || fields.length > FIELDS_MAX) cursor.fail(`1 to ${FIELDS_MAX} field names`);
  }
  cursor.take(']');
  return { part, text, fields };
}

function parseText(cursor: ImapCursor, inPart: boolean): BodySection['text'] {
  // The longest name first: each is the beginning of the next.
  if (cursor.tryWord('HEADER.FIELDS.NOT')) return 'HEADER.FIELDS.NOT';
  if (cursor.tryWord('HEADER.FIELDS')) return 'HEADER.FIELDS';
  if (cursor.tryWord('HEADER')) return 'HEADER';
  if (cursor.tryWord('TEXT')) return 'TEXT';
  if (!inPart) return cursor.peek() === 0x5d ? undefined : cursor.fail('a section');
  return cursor.tryWord('MIME') ? 'MIME' : cursor.fail('HEADER, TEXT, MIME or a part number');
}

export function parsePartial(cursor: ImapCursor): Partial | undefined {
  if (!cursor.tryTake('<')) return undefined;
  const offset = cursor.number32();
  cursor.take('.');
  const length = cursor.nzNumber();
  cursor.take('>');
  return { offset, length };
}

/** As the response names it: `BODY[1.HEADER]<0>`, the partial by its offset only. */
export function encodeSection(section: BodySection, partial: Partial | undefined): string {
  const names = section.fields.length > 0 ? ` (${section.fields.map(encodeAstring).join(' ')})` : '';
  const text = [...section.part, ...(section.text === undefined ? [] : [section.text])].join('.');
  return `BODY[${text}${names}]${partial === undefined ? '' : `<${partial.offset}>`}`;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
