// Address lists of header fields (From, To, Cc, ...), in the four parts that IMAP's ENVELOPE has.
//
// In      the unfolded value of a field, latin1; any text at all, it never throws
// Out     addresses in order, groups as a start and an end marker; encoded words stay as they are
// Limits  HEADER_ADDRESSES_MAX; the text is walked once, without recursion
// What is missing in a broken address is empty text, because null means a group there.
// Only what stands there: behind an address and behind a group other text is skipped up to the next comma (in a group up
// to its end, too), what has neither a name nor a mailbox is no address, and words are not joined over white space.
// RFC 5322 §3.4 §4.4, RFC 3501 §7.4.2

import { characterClass } from '../base/characters.ts';
import { Cursor } from '../base/cursor.ts';
import { HEADER_ADDRESSES_MAX } from '../base/limits.ts';
import { comment, quotedString, skipSpaces } from './lexical.ts';

/**
 * RFC 3501 §7.4.2: an address has a mailbox and a host; the start of a group has a mailbox (the group's name) and no
 * host; the end of a group has neither. The route is the obsolete source route, `@a,@b`.
 */
export type HeaderAddress = readonly [
  name: string | null,
  route: string | null,
  mailbox: string | null,
  host: string | null,
];

const GROUP_END: HeaderAddress = [null, null, null, null];

/** All that ends a word of text: white space and specials, RFC 5322 §3.2.3, without the dot. */
const WORD = characterClass([0x01, 0x08], [0x0b, 0x0c], [0x0e, 0x1f], [0x21, 0xff]);
for (const c of '()<>[]:;@\\,"') WORD[c.charCodeAt(0)] = 0;

/** What has been read of the address at hand. */
class Draft {
  /** The words so far as a name, one space where there was white space. */
  text = '';
  /** The last run of words that belong together: `ann . smith @ acme . example` is one (RFC 5322 §4.4). */
  bare = '';
  /** Where the last `@` stands in `bare`. */
  at = -1;
  wordCount = 0;
  /** Of `bare`, NaN where that is empty. Kept apart: a string that has grown is copied when one of its characters is asked for. */
  #lastCode = Number.NaN;
  comment: string | null = null;
  angle: HeaderAddress | undefined;
  /** `bare` is an address, and what follows does not belong to it: if no bracket comes it is skipped. */
  isComplete = false;
  /** Behind a group: nothing counts any more. */
  isOver = false;

  addWord(word: string, isApart: boolean): void {
    if (isApart && this.wordCount > 0 && !isJoint(this.#lastCode, word.charCodeAt(0))) {
      if (this.at >= 0) this.isComplete = true;
      else {
        this.bare = '';
        this.#lastCode = Number.NaN;
      }
    }
    if (isApart || this.wordCount === 0) this.wordCount++;
    this.text += isApart && this.wordCount > 1 ? ` ${word}` : word;
    if (this.isComplete) return;
    this.bare += word;
    if (word !== '') this.#lastCode = word.charCodeAt(word.length - 1);
  }

  addAt(isApart: boolean): void {
    const place = this.bare.length;
    this.addWord('@', isApart);
    if (!this.isComplete) this.at = place;
  }

  /** Undefined when there was nothing but white space and comments, and for a host without a mailbox. */
  take(): HeaderAddress | undefined {
    if (this.angle !== undefined) return this.angle[0] === null && this.angle[2] === '' ? undefined : this.angle;
    if (this.wordCount === 0 || this.at === 0) return undefined;
    if (this.at > 0) return [this.comment, null, this.bare.slice(0, this.at), this.bare.slice(this.at + 1)];
    if (this.wordCount > 1) return [this.text, null, '', ''];
    return this.bare === '' ? undefined : [this.comment, null, this.bare, ''];
  }
}

/** White space between these two separates nothing: a dot or an `@` stands on one side. */
function isJoint(before: number, after: number): boolean {
  return before === 0x2e || before === 0x40 || after === 0x2e || after === 0x40;
}

export function parseAddressList(value: string, most = HEADER_ADDRESSES_MAX): HeaderAddress[] {
  const cursor = new Cursor(value);
  const list: HeaderAddress[] = [];
  let draft = new Draft();
  let inGroup = false;
  const finish = (): void => {
    const address = draft.take();
    if (address !== undefined) list.push(address);
    draft = new Draft();
  };
  while (list.length < most) {
    const before = cursor.at;
    skipSpaces(cursor);
    const isApart = cursor.at > before;
    const code = cursor.peek();
    if (code < 0) break;
    switch (code) {
      case 0x2c: // ,
        cursor.at++;
        finish();
        break;
      case 0x3a: // :
        cursor.at++;
        if (draft.isOver) break;
        // A group in a group is none: the inner name is dropped, its members stay.
        if (!inGroup) list.push([null, null, draft.text, null]);
        inGroup = true;
        draft = new Draft();
        break;
      case 0x3b: // ;
        cursor.at++;
        finish();
        if (inGroup) {
          list.push(GROUP_END);
          draft.isOver = true;
        }
        inGroup = false;
        break;
      case 0x28: // (
        draft.comment = comment(cursor) || draft.comment;
        nameByComment(draft);
        break;
      case 0x3c: // <
        cursor.at++;
        if (draft.isOver || draft.angle !== undefined) angleAddress(cursor, null);
        else draft.angle = angleAddress(cursor, draft.text || draft.comment);
        break;
      default:
        readWord(cursor, code, draft, isApart);
    }
  }
  finish();
  if (inGroup) list.push(GROUP_END);
  return list;
}

/** `<ann@acme.example> (Ann)`: the comment behind is the name when there is no other. */
function nameByComment(draft: Draft): void {
  if (draft.angle === undefined || draft.comment === null) return;
  const [name, route, mailbox, host] = draft.angle;
  if (name === null) draft.angle = [draft.comment, route, mailbox, host];
}

/** One word, quoted string, domain literal, `@` or stray character. */
function readWord(cursor: Cursor, code: number, draft: Draft, isApart: boolean): void {
  if (code === 0x40) {
    cursor.at++;
    if (!draft.isOver) draft.addAt(isApart);
    return;
  }
  const word = wordText(cursor, code);
  if (draft.isOver || draft.angle !== undefined) return;
  // A bracket behind a bare address that was never opened.
  if (code === 0x3e && draft.at >= 0) draft.isComplete = true;
  else draft.addWord(word, isApart);
}

function wordText(cursor: Cursor, code: number): string {
  if (code === 0x22) return quotedString(cursor);
  if (code === 0x5b) return domainLiteral(cursor);
  const word = cursor.run(WORD);
  if (word !== '') return word;
  // A stray backslash, bracket or NUL: kept, so that a reader sees what was sent.
  cursor.at++;
  return String.fromCharCode(code);
}

function domainLiteral(cursor: Cursor): string {
  const close = cursor.text.indexOf(']', cursor.at);
  const end = close < 0 ? cursor.text.length : close + 1;
  const text = cursor.text.slice(cursor.at, end);
  cursor.at = end;
  return text;
}

/** Behind `<`, up to and with `>` or the end of the text. */
function angleAddress(cursor: Cursor, name: string | null): HeaderAddress {
  let route: string | null = null;
  let text = '';
  let beginsWithAt = false;
  let at = -1;
  const add = (piece: string): void => {
    if (text === '') beginsWithAt = piece.startsWith('@');
    text += piece;
  };
  for (;;) {
    skipSpaces(cursor);
    const code = cursor.peek();
    // A bracket that is never closed: the next address begins behind the comma. In front of it stands no route.
    if (code < 0 || (code === 0x2c && at > 0)) break;
    if (code === 0x28) {
      comment(cursor);
    } else if (code === 0x3e) {
      cursor.at++;
      break;
    } else if (code === 0x3a && route === null && beginsWithAt) {
      cursor.at++;
      route = text;
      text = '';
      at = -1;
    } else if (code === 0x40 || code === 0x2c || code === 0x3a || code === 0x3b || code === 0x3c) {
      cursor.at++;
      if (code === 0x40) at = text.length;
      add(String.fromCharCode(code));
    } else add(wordText(cursor, code));
  }
  return at < 0 ? [name, route, text, ''] : [name, route, text.slice(0, at), text.slice(at + 1)];
}
