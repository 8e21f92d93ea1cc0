// FETCH and UID FETCH as values. RFC 3501 §6.4.5, RFC 3516 §4.2, RFC 4466 §2.4, RFC 7162 §3.1.4 §3.2.6, RFC 8474 §5.3, RFC 8514 §4.2, RFC 8970 §6, RFC 9394 §3.3

import { IMAP_FETCH_ITEMS_MAX } from '../../../base/limits.ts';
import { parsePartial, parseSection } from '../body-section.ts';
import type { ImapCursor } from '../grammar.ts';
import { type PartialRange, parsePartialRange } from '../partial-range.ts';
import type { BodySection, NumberSet, Partial } from '../values.ts';

const names = [
  'ENVELOPE',
  'FLAGS',
  'INTERNALDATE',
  'RFC822.SIZE',
  'BODY',
  'BODYSTRUCTURE',
  'UID',
  'MODSEQ',
  'SAVEDATE',
  'EMAILID',
  'THREADID',
] as const;
export type FetchAttribute = (typeof names)[number];

export interface FetchSection {
  readonly section: BodySection;
  readonly partial: Partial | undefined;
  /** BODY.PEEK and RFC822.HEADER leave \Seen as it is. */
  readonly peek: boolean;
  /** The old name that was asked for and is answered: RFC822, RFC822.HEADER, RFC822.TEXT. */
  readonly alias: 'RFC822' | 'RFC822.HEADER' | 'RFC822.TEXT' | undefined;
}

/** A part with its transfer encoding undone, or the size of that. RFC 3516 */
export interface FetchBinary {
  readonly binary: 'content' | 'size';
  /** `1.2` is [1, 2]; empty for the message itself. */
  readonly part: readonly number[];
  /** Of the decoded octets. */
  readonly partial: Partial | undefined;
  readonly peek: boolean;
}

/** RFC 8970 */
export interface FetchPreview {
  /** `lazy`: none where it takes time. */
  readonly preview: 'made' | 'lazy';
  readonly peek: true;
}

/** What is made from a message's bytes. */
export type FetchContent = FetchSection | FetchBinary | FetchPreview;

/** What is asked of each message. */
export interface FetchItems {
  /** Each once, macros replaced. UID FETCH implies UID. */
  readonly attributes: ReadonlySet<FetchAttribute>;
  readonly sections: readonly FetchContent[];
}

export interface FetchCommand extends FetchItems {
  readonly name: 'FETCH';
  readonly messages: NumberSet;
  /** Which of the messages, counted as SEARCH counts its results; UID FETCH only. */
  readonly partial: PartialRange | undefined;
  /** Only messages that have changed above this modseq. */
  readonly changedSince: number | undefined;
  /** What has gone since then is told, too; UID FETCH only. */
  readonly vanished: boolean;
}

const attributes = new Map<string, FetchAttribute>(names.map((name) => [name, name]));

const bracketed: ReadonlySet<string> = new Set(['BODY', 'BODY.PEEK', 'BINARY', 'BINARY.PEEK', 'BINARY.SIZE']);

const macros = new Map<string, readonly FetchAttribute[]>([
  ['FAST', ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE']],
  ['ALL', ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE']],
  ['FULL', ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY']],
]);

const whole: BodySection = { part: [], text: undefined, fields: [] };
const aliases = new Map<string, FetchSection>([
  ['RFC822', { section: whole, partial: undefined, peek: false, alias: 'RFC822' }],
  ['RFC822.HEADER', { section: { ...whole, text: 'HEADER' }, partial: undefined, peek: true, alias: 'RFC822.HEADER' }],
  ['RFC822.TEXT', { section: { ...whole, text: 'TEXT' }, partial: undefined, peek: false, alias: 'RFC822.TEXT' }],
]);

export function parseFetch(cursor: ImapCursor, byUid: boolean): FetchCommand {
  cursor.space();
  const messages = cursor.numberSet(byUid);
  cursor.space();
  const found = { attributes: new Set<FetchAttribute>(byUid ? ['UID'] : []), sections: [] as FetchContent[] };
  if (cursor.peek() !== 0x28) parseItem(cursor, found, true);
  else if (cursor.list(() => parseItem(cursor, found, false)).length === 0) cursor.fail('an item to fetch');
  const modifiers = cursor.tryTake(' (') ? parseModifiers(cursor, byUid) : NO_MODIFIERS;
  // RFC 7162 §3.1.4.1: implied.
  if (modifiers.changedSince !== undefined) found.attributes.add('MODSEQ');
  cursor.end();
  return { name: 'FETCH', messages, ...found, ...modifiers };
}

/** `(item item ...)`, without macros. */
export function parseFetchItems(cursor: ImapCursor): FetchItems {
  const found = { attributes: new Set<FetchAttribute>(), sections: [] as FetchContent[] };
  if (cursor.list(() => parseItem(cursor, found, false)).length === 0) cursor.fail('an item to fetch');
  return found;
}

type Modifiers = Pick<FetchCommand, 'partial' | 'changedSince' | 'vanished'>;

const NO_MODIFIERS: Modifiers = { partial: undefined, changedSince: undefined, vanished: false };

function parseModifiers(cursor: ImapCursor, byUid: boolean): Modifiers {
  let partial: PartialRange | undefined;
  let changedSince: number | undefined;
  let vanished = false;
  cursor.at--;
  const count = cursor.list(() => {
    const start = cursor.at;
    const word = cursor.word();
    if (word === 'PARTIAL' && byUid && partial === undefined) {
      cursor.space();
      partial = parsePartialRange(cursor);
    } else if (word === 'CHANGEDSINCE' && changedSince === undefined) {
      cursor.space();
      changedSince = cursor.modSequence();
    } else if (word === 'VANISHED' && byUid && !vanished) vanished = true;
    else {
      cursor.at = start;
      cursor.fail('a modifier');
    }
  }).length;
  if (count === 0) cursor.fail('a modifier');
  if (vanished && changedSince === undefined) cursor.fail('CHANGEDSINCE beside VANISHED');
  return { partial, changedSince, vanished };
}

function parseItem(
  cursor: ImapCursor,
  found: { attributes: Set<FetchAttribute>; sections: FetchContent[] },
  macrosAllowed: boolean,
): void {
  const start = cursor.at;
  // `[` is an atom character, so the name ends before it by hand.
  const word = cursor.fetchWord();
  if (cursor.peek() === 0x5b) {
    if (!bracketed.has(word)) cursor.fail('a space or ")"');
    if (found.sections.length >= IMAP_FETCH_ITEMS_MAX) cursor.fail(`at most ${IMAP_FETCH_ITEMS_MAX} sections`);
    if (word.startsWith('BINARY')) {
      found.sections.push(parseBinary(cursor, word));
      return;
    }
    const section = parseSection(cursor);
    found.sections.push({ section, partial: parsePartial(cursor), peek: word === 'BODY.PEEK', alias: undefined });
    return;
  }
  if (word === 'PREVIEW') {
    found.sections.push({ preview: tryLazy(cursor) ? 'lazy' : 'made', peek: true });
    return;
  }
  const attribute = attributes.get(word);
  const alias = aliases.get(word);
  const macro = macrosAllowed ? macros.get(word) : undefined;
  if (attribute !== undefined) found.attributes.add(attribute);
  else if (alias !== undefined) {
    if (!found.sections.includes(alias)) found.sections.push(alias);
  } else if (macro !== undefined) for (const one of macro) found.attributes.add(one);
  else {
    cursor.at = start;
    cursor.fail('an item to fetch');
  }
}

function parseBinary(cursor: ImapCursor, word: string): FetchBinary {
  const section = parseSection(cursor);
  if (section.text !== undefined) cursor.fail('a part number');
  const isSize = word === 'BINARY.SIZE';
  const partial = isSize ? undefined : parsePartial(cursor);
  return { binary: isSize ? 'size' : 'content', part: section.part, partial, peek: word !== 'BINARY' };
}

/** ` (LAZY)`, if it comes here. */
function tryLazy(cursor: ImapCursor): boolean {
  if (!cursor.tryTake(' (')) return false;
  cursor.at--;
  const modifiers = cursor.list(() => cursor.tryWord('LAZY') || cursor.fail('LAZY'));
  return modifiers.length > 0 || cursor.fail('LAZY');
}
