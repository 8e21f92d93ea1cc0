// The tokens of RFC 3501 §9, one method a production, over a command put together by the command framer.
//
// In      a command as latin1 text: a character is a byte, literals are in it as `{n}` CRLF bytes
// Out     values; text of strings is latin1 too: a caller that needs characters decodes it
// Limits  nesting, ranges in a set, digits: base/limits.ts and below
// Never   accepts NUL, or 8-bit characters outside of literals
// Forgives blanks too many: between words, in lists, before the end of the line
// RFC 3501 §4 §9, RFC 7162 §7, RFC 7888

import { isUtf8 } from 'node:buffer';
import { ALNUM, asciiLower, type CharacterClass, characterClass, isAll, without } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';
import { IMAP_NESTING_MAX, IMAP_SET_RANGES_MAX } from '../../base/limits.ts';
import { parseImapDate, parseImapDateTime } from '../../message/date.ts';
import { decodeMailboxName, decodeUtf8Name } from './mailbox-name.ts';
import { type NumberRange, type NumberSet, STAR } from './values.ts';

const CHAR = characterClass([0x01, 0x7f]);
/** Any CHAR except ( ) { SP CTL list-wildcards quoted-specials resp-specials. */
const ATOM_CHAR = without(characterClass([0x21, 0x7e]), '(){%*"\\]');
export const ASTRING_CHAR = withThe(ATOM_CHAR, ']');
const LIST_CHAR = withThe(ASTRING_CHAR, '%*');
const TAG_CHAR = without(ASTRING_CHAR, '+');
const FETCH_CHAR = withThe(ALNUM, '.');
const QUOTED_CHAR = without(CHAR, '\r\n"\\');
/** With the octets of UTF-8. */
const QUOTED_UTF8 = without(characterClass([0x01, 0x7f], [0x80, 0xff]), '\r\n"\\');

const TAG_CHARACTERS_MAX = 64;
const NUMBER_MAX = 0xffff_ffff;
const DIGIT = characterClass([0x30, 0x39]);
/** 2^63 - 1 */
const MODSEQ_MAX = '9223372036854775807';

function withThe(table: CharacterClass, characters: string): CharacterClass {
  const copy = table.slice();
  for (const c of characters) copy[c.charCodeAt(0)] = 1;
  return copy;
}

/** The tag that a line begins with, undefined when it has none: then the reply is untagged. */
export function tagOf(text: string): string | undefined {
  const space = text.indexOf(' ');
  const tag = space < 0 ? text : text.slice(0, space);
  return tag.length > 0 && tag.length <= TAG_CHARACTERS_MAX && isAll(tag, TAG_CHAR) ? tag : undefined;
}

export class ImapCursor extends Cursor {
  /** Whether quoted strings may hold UTF-8, and names of mailboxes are in it. RFC 6855 §3, RFC 9051 §5.1 */
  allowsUtf8 = false;
  #depth = 0;

  /** One, and those that are too many. */
  override space(): void {
    super.space();
    this.#skipBlanks();
  }

  override end(): void {
    this.#skipBlanks();
    super.end();
  }

  /** Whether there is one more of a row of words: blanks alone, before a closing parenthesis or the end, announce none. */
  trySpace(): boolean {
    const start = this.at;
    this.#skipBlanks();
    return this.at > start && !this.atEnd && this.peek() !== 0x29;
  }

  #skipBlanks(): void {
    while (this.peek() === 0x20) this.at++;
  }

  tag(): string {
    const tag = this.run(TAG_CHAR, TAG_CHARACTERS_MAX);
    return tag === '' ? this.fail('a tag') : tag;
  }

  tryAtom(): string | undefined {
    const atom = this.run(ATOM_CHAR);
    return atom === '' ? undefined : atom;
  }

  atom(): string {
    return this.tryAtom() ?? this.fail('an atom');
  }

  /** A command's or item's name: an atom in upper case. */
  word(): string {
    return this.atom().toUpperCase();
  }

  /** The name of a FETCH item, which may be followed by `[`. */
  fetchWord(): string {
    const word = this.run(FETCH_CHAR);
    return word === '' ? this.fail('an item to fetch') : word.toUpperCase();
  }

  /** `number`: 32 bits. */
  number32(): number {
    const start = this.at;
    const value = this.number(10);
    if (value <= NUMBER_MAX) return value;
    this.at = start;
    return this.fail('a number below 2^32');
  }

  nzNumber(): number {
    const start = this.at;
    const value = this.number32();
    if (value > 0) return value;
    this.at = start;
    return this.fail('a number above 0');
  }

  /** `mod-sequence-valzer`: 63 bits. What is above 2^53 is above all that there are, and becomes the largest exact number. RFC 7162 §7 */
  modSequence(): number {
    const start = this.at;
    const digits = this.run(DIGIT);
    if (digits !== '' && digits.length <= MODSEQ_MAX.length && digits.padStart(MODSEQ_MAX.length, '0') <= MODSEQ_MAX)
      return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
    this.at = start;
    return this.fail('a mod-sequence below 2^63');
  }

  tryQuoted(): string | undefined {
    if (this.peek() !== 0x22) return undefined;
    const start = this.at++;
    const characters = this.allowsUtf8 ? QUOTED_UTF8 : QUOTED_CHAR;
    let text = this.run(characters);
    while (this.tryTake('\\')) {
      const c = this.peek();
      if (c !== 0x22 && c !== 0x5c) this.fail('a quoted " or \\');
      this.at++;
      text += String.fromCharCode(c) + this.run(characters);
    }
    this.take('"');
    if (this.allowsUtf8 && !isUtf8(Buffer.from(text, 'latin1'))) {
      this.at = start;
      this.fail('a string in UTF-8');
    }
    return text;
  }

  /** The framer has checked the count; a NUL is not allowed. */
  tryLiteral(): string | undefined {
    if (this.peek() !== 0x7b) return undefined;
    const start = this.at;
    const text = this.#literalBytes();
    if (text.includes('\0')) {
      this.at = start;
      this.fail('a literal without NUL');
    }
    return text;
  }

  #literalBytes(): string {
    this.take('{');
    const length = this.number(10);
    this.take('}\r\n');
    if (this.at + length > this.text.length) this.fail('the bytes of the literal');
    const text = this.text.slice(this.at, this.at + length);
    this.at += length;
    return text;
  }

  /** `~{n}` and its bytes, NUL among them. RFC 3516 §6 */
  tryLiteral8(): string | undefined {
    if (this.peek() !== 0x7e) return undefined;
    this.at++;
    return this.#literalBytes();
  }

  tryString(): string | undefined {
    return this.tryQuoted() ?? this.tryLiteral();
  }

  string(): string {
    return this.tryString() ?? this.fail('a string');
  }

  nstring(): string | undefined {
    return this.tryWord('NIL') ? undefined : this.string();
  }

  astring(): string {
    const atom = this.run(ASTRING_CHAR);
    return atom !== '' ? atom : (this.tryString() ?? this.fail('an atom or string'));
  }

  /** A mailbox name in Unicode, INBOX in upper case. Throws `invalid` when it is not modified UTF-7, or UTF-8. RFC 3501 §5.1 */
  mailbox(): string {
    const name = this.astring();
    if (asciiLower(name) === 'inbox') return 'INBOX';
    return this.allowsUtf8 ? decodeUtf8Name(name) : decodeMailboxName(name);
  }

  /** The pattern of LIST, still as on the wire. */
  listMailbox(): string {
    const pattern = this.run(LIST_CHAR);
    return pattern !== '' ? pattern : (this.tryString() ?? this.fail('a mailbox pattern'));
  }

  /** `( item item ... )`, maybe empty. */
  list<T>(item: () => T): T[] {
    this.take('(');
    this.#skipBlanks();
    const items: T[] = [];
    if (this.tryTake(')')) return items;
    do items.push(item());
    while (this.trySpace());
    this.take(')');
    return items;
  }

  /** `parse` one level deeper; too deep is a syntax failure, never an exhausted stack. */
  nested<T>(parse: () => T): T {
    if (++this.#depth > IMAP_NESTING_MAX) this.fail(`at most ${IMAP_NESTING_MAX} levels`);
    const value = parse();
    this.#depth--;
    return value;
  }

  #setNumber(): number {
    return this.tryTake('*') ? STAR : this.nzNumber();
  }

  #set(unit: NumberSet['unit']): NumberSet {
    if (this.tryTake('$')) return { unit: 'saved', ranges: [] };
    const ranges: NumberRange[] = [];
    do {
      if (ranges.length >= IMAP_SET_RANGES_MAX) this.fail(`at most ${IMAP_SET_RANGES_MAX} ranges`);
      const first = this.#setNumber();
      ranges.push({ first, last: this.tryTake(':') ? this.#setNumber() : first });
    } while (this.tryTake(','));
    return { unit, ranges };
  }

  sequenceSet(): NumberSet {
    return this.#set('sequence');
  }

  uidSet(): NumberSet {
    return this.#set('uid');
  }

  numberSet(byUid: boolean): NumberSet {
    return this.#set(byUid ? 'uid' : 'sequence');
  }

  /** `date` of SEARCH, perhaps in quotes: days since 1970-01-01. */
  date(): number {
    return parseImapDate(this);
  }

  /** `date-time` with its quotes: epoch milliseconds. */
  dateTime(): number {
    return parseImapDateTime(this).at;
  }
}
