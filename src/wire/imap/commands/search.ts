// SEARCH and UID SEARCH as a tree of keys. RFC 3501 §6.4.4, RFC 4731, RFC 5032, RFC 5182, RFC 7162 §3.1.5, RFC 8474 §6, RFC 8514 §4.3, RFC 9738 §3.2
//
// Text of keys is decoded by the CHARSET of the command; without one it is US-ASCII, and UTF-8 is taken as such.

import { asciiLower } from '../../../base/characters.ts';
import { IMAP_SEARCH_KEYS_MAX } from '../../../base/limits.ts';
import { keyword } from '../flags.ts';
import type { ImapCursor } from '../grammar.ts';
import { parseObjectId } from '../object-id.ts';
import { type ReturnOptions, tryReturnOptions } from '../return-options.ts';
import type { NumberSet, SystemFlag } from '../values.ts';

export type SearchKey =
  | { readonly key: 'all' }
  | { readonly key: 'flag'; readonly flag: SystemFlag | '\\Recent'; readonly isSet: boolean }
  | { readonly key: 'keyword'; readonly keyword: string; readonly isSet: boolean }
  | { readonly key: 'numbers'; readonly numbers: NumberSet }
  /** Days since 1970-01-01; `on` is that day, `before` is earlier, `since` that day or later. */
  | {
      readonly key: 'internal-date' | 'sent-date' | 'saved-date';
      readonly relation: 'before' | 'on' | 'since';
      readonly day: number;
    }
  /** Seconds before now; both take in what is exactly so old. */
  | { readonly key: 'within'; readonly relation: 'older' | 'younger'; readonly seconds: number }
  | { readonly key: 'size'; readonly relation: 'larger' | 'smaller'; readonly sizeBytes: number }
  /** `field` in lower case; empty `text`: the field is there. */
  | { readonly key: 'header'; readonly field: string; readonly text: string }
  | { readonly key: 'body' | 'text'; readonly text: string }
  | { readonly key: 'email-id'; readonly id: string }
  /** Changed at this mod-sequence or above it. */
  | { readonly key: 'modseq'; readonly from: number }
  | { readonly key: 'not'; readonly of: SearchKey }
  | { readonly key: 'or'; readonly of: readonly [SearchKey, SearchKey] }
  | { readonly key: 'and'; readonly of: readonly SearchKey[] };

/** Whether mod-sequences are asked for: then the answer has one. RFC 7162 §3.1.5 */
export function asksForModseq(key: SearchKey): boolean {
  if (key.key === 'modseq') return true;
  if (key.key === 'not') return asksForModseq(key.of);
  return (key.key === 'and' || key.key === 'or') && key.of.some(asksForModseq);
}

/** Whether messages are named by sequence numbers. */
export function namesNumbers(key: SearchKey): boolean {
  if (key.key === 'numbers') return key.numbers.unit === 'sequence';
  if (key.key === 'not') return namesNumbers(key.of);
  return (key.key === 'and' || key.key === 'or') && key.of.some(namesNumbers);
}

/** Which messages are meant. */
export interface SearchCriteria {
  /** As the client named it, when it is one that we don't know: then `key` means nothing. */
  readonly unknownCharset: string | undefined;
  readonly key: SearchKey;
}

export interface SearchCommand extends SearchCriteria {
  readonly name: 'SEARCH';
  /** Whether numbers or UIDs are answered. */
  readonly byUid: boolean;
  /** Undefined: nothing was said of it. */
  readonly returns: ReturnOptions | undefined;
}

const UID_MAX = 0xffff_ffff;
const CHARSETS = new Set(['US-ASCII', 'ASCII', 'UTF-8', 'UTF8']);

type KeyParser = (parser: SearchParser) => SearchKey;

const flagKey =
  (flag: SystemFlag | '\\Recent', isSet: boolean): KeyParser =>
  () => ({ key: 'flag', flag, isSet });

const dateKey =
  (key: 'internal-date' | 'sent-date' | 'saved-date', relation: 'before' | 'on' | 'since'): KeyParser =>
  (parser) => {
    parser.cursor.space();
    return { key, relation, day: parser.cursor.date() };
  };

const keywordKey =
  (isSet: boolean): KeyParser =>
  (parser) => {
    parser.cursor.space();
    return { key: 'keyword', keyword: keyword(parser.cursor), isSet };
  };

const headerKey =
  (field: string): KeyParser =>
  (parser) => ({ key: 'header', field, text: parser.text() });

const keys = new Map<string, KeyParser>([
  ['ALL', () => ({ key: 'all' })],
  ['ANSWERED', flagKey('\\Answered', true)],
  ['UNANSWERED', flagKey('\\Answered', false)],
  ['DELETED', flagKey('\\Deleted', true)],
  ['UNDELETED', flagKey('\\Deleted', false)],
  ['DRAFT', flagKey('\\Draft', true)],
  ['UNDRAFT', flagKey('\\Draft', false)],
  ['FLAGGED', flagKey('\\Flagged', true)],
  ['UNFLAGGED', flagKey('\\Flagged', false)],
  ['SEEN', flagKey('\\Seen', true)],
  ['UNSEEN', flagKey('\\Seen', false)],
  ['RECENT', flagKey('\\Recent', true)],
  ['OLD', flagKey('\\Recent', false)],
  [
    'NEW',
    () => ({
      key: 'and',
      of: [
        { key: 'flag', flag: '\\Recent', isSet: true },
        { key: 'flag', flag: '\\Seen', isSet: false },
      ],
    }),
  ],
  ['KEYWORD', keywordKey(true)],
  ['UNKEYWORD', keywordKey(false)],
  ['BEFORE', dateKey('internal-date', 'before')],
  ['ON', dateKey('internal-date', 'on')],
  ['SINCE', dateKey('internal-date', 'since')],
  ['SENTBEFORE', dateKey('sent-date', 'before')],
  ['SENTON', dateKey('sent-date', 'on')],
  ['SENTSINCE', dateKey('sent-date', 'since')],
  ['SAVEDBEFORE', dateKey('saved-date', 'before')],
  ['SAVEDON', dateKey('saved-date', 'on')],
  ['SAVEDSINCE', dateKey('saved-date', 'since')],
  ['SAVEDATESUPPORTED', () => ({ key: 'all' })],
  ['EMAILID', (parser) => ({ key: 'email-id', id: parser.objectId() })],
  // No message has one.
  [
    'THREADID',
    (parser) => {
      parser.objectId();
      return { key: 'not', of: { key: 'all' } };
    },
  ],
  ['OLDER', (parser) => parser.within('older')],
  ['YOUNGER', (parser) => parser.within('younger')],
  ['LARGER', (parser) => parser.size('larger')],
  ['SMALLER', (parser) => parser.size('smaller')],
  ['BCC', headerKey('bcc')],
  ['CC', headerKey('cc')],
  ['FROM', headerKey('from')],
  ['SUBJECT', headerKey('subject')],
  ['TO', headerKey('to')],
  ['HEADER', (parser) => parser.header()],
  ['BODY', (parser) => ({ key: 'body', text: parser.text() })],
  ['TEXT', (parser) => ({ key: 'text', text: parser.text() })],
  ['UID', (parser) => parser.uids()],
  ['MODSEQ', (parser) => parser.modseq()],
  ['UIDAFTER', (parser) => parser.uidsBeside('after')],
  ['UIDBEFORE', (parser) => parser.uidsBeside('before')],
  ['NOT', (parser) => ({ key: 'not', of: parser.spacedKey() })],
  ['OR', (parser) => ({ key: 'or', of: [parser.spacedKey(), parser.spacedKey()] })],
]);

export function parseSearch(cursor: ImapCursor, byUid: boolean): SearchCommand {
  const returns = tryReturnOptions(cursor);
  return { name: 'SEARCH', byUid, returns, ...parseOptionalCharset(cursor) };
}

/** ` [CHARSET charset] keys` to the end of the command. */
export function parseOptionalCharset(cursor: ImapCursor): SearchCriteria {
  cursor.space();
  let charset = 'US-ASCII';
  if (cursor.tryWord('CHARSET ')) {
    cursor.at--;
    cursor.space();
    charset = cursor.astring();
    cursor.space();
  }
  return parseCriteria(cursor, charset);
}

/** ` charset keys` to the end of the command, as SORT and THREAD have them. RFC 5256 §5 */
export function parseCharsetCriteria(cursor: ImapCursor): SearchCriteria {
  cursor.space();
  const charset = cursor.astring();
  cursor.space();
  return parseCriteria(cursor, charset);
}

/** The keys, to the end of the command. */
function parseCriteria(cursor: ImapCursor, charset: string): SearchCriteria {
  const key = new SearchParser(cursor).all();
  cursor.end();
  const unknownCharset = CHARSETS.has(charset.toUpperCase()) ? undefined : charset;
  return { unknownCharset, key };
}

class SearchParser {
  readonly cursor: ImapCursor;
  #keys = 0;

  constructor(cursor: ImapCursor) {
    this.cursor = cursor;
  }

  /** One key or more, all of which must match. */
  all(): SearchKey {
    const of = [this.key()];
    while (this.cursor.trySpace()) of.push(this.key());
    return of.length === 1 ? of[0]! : { key: 'and', of };
  }

  key(): SearchKey {
    const { cursor } = this;
    if (++this.#keys > IMAP_SEARCH_KEYS_MAX) cursor.fail(`at most ${IMAP_SEARCH_KEYS_MAX} keys`);
    if (cursor.tryTake('(')) {
      // A blank here is one too many.
      while (cursor.tryTake(' '));
      const key = cursor.nested(() => this.all());
      cursor.take(')');
      return key;
    }
    const code = cursor.peek();
    // A digit, `*` or `$`.
    if ((code >= 0x30 && code <= 0x39) || code === 0x2a || code === 0x24)
      return { key: 'numbers', numbers: cursor.sequenceSet() };
    const start = cursor.at;
    const parse = keys.get(cursor.word());
    if (parse !== undefined) return cursor.nested(() => parse(this));
    cursor.at = start;
    return cursor.fail('a search key');
  }

  spacedKey(): SearchKey {
    this.cursor.space();
    return this.key();
  }

  text(): string {
    this.cursor.space();
    return decodeText(this.cursor.astring());
  }

  objectId(): string {
    this.cursor.space();
    return parseObjectId(this.cursor);
  }

  within(relation: 'older' | 'younger'): SearchKey {
    this.cursor.space();
    return { key: 'within', relation, seconds: this.cursor.nzNumber() };
  }

  size(relation: 'larger' | 'smaller'): SearchKey {
    this.cursor.space();
    return { key: 'size', relation, sizeBytes: this.cursor.number32() };
  }

  /** RFC 9738 §3.2 */
  uidsBeside(side: 'after' | 'before'): SearchKey {
    this.cursor.space();
    const uid = this.cursor.nzNumber();
    if (side === 'before' && uid === 1) return { key: 'not', of: { key: 'all' } };
    const range = side === 'before' ? { first: 1, last: uid - 1 } : { first: uid + 1, last: UID_MAX };
    return { key: 'numbers', numbers: { unit: 'uid', ranges: [range] } };
  }

  /** A client may name a flag: mod-sequences are kept for messages, so it means nothing. RFC 7162 §3.1.5 */
  modseq(): SearchKey {
    this.cursor.space();
    if (this.cursor.peek() === 0x22) {
      this.cursor.tryQuoted();
      this.cursor.space();
      if (!['PRIV', 'SHARED', 'ALL'].includes(this.cursor.word())) this.cursor.fail('priv, shared or all');
      this.cursor.space();
    }
    return { key: 'modseq', from: this.cursor.modSequence() };
  }

  uids(): SearchKey {
    this.cursor.space();
    return { key: 'numbers', numbers: this.cursor.uidSet() };
  }

  header(): SearchKey {
    this.cursor.space();
    const field = asciiLower(this.cursor.astring());
    return { key: 'header', field, text: this.text() };
  }
}

/** UTF-8 that is none stays as its bytes: it matches nothing that decodes. */
function decodeText(text: string): string {
  for (let i = 0; i < text.length; i++)
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'latin1').toString('utf8');
  return text;
}
