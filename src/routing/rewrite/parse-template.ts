// A rewrite rule's template from its text. The grammar stands in template.ts.
//
// In      text
// Out     the template, or a Failure with the column
// Limits  TEMPLATE_CHARACTERS; behind `$?` as many as one line of an SMTP reply has room for
// Takes   letters as they stand: $u is not $U
// What the lineage has beside this grammar is refused: source routes, `$B`, `$P`, look-ups, site routines.

import { ALNUM, asciiLower, type CharacterClass, characterClass, VCHAR, without } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';
import { DOORS, type Door } from '../route-request.ts';
import { columnFailure } from './column-failure.ts';
import {
  isControl,
  type Piece,
  type Substitution,
  type Template,
  type TemplateAddress,
  type TemplateControl,
} from './template.ts';

export const TEMPLATE_CHARACTERS = 1000;
/** RFC 5321 §4.5.3.1.5: 512 octets a reply line, with the codes. */
const TEXT_CHARACTERS = 480;

const NAME = withAlso(ALNUM, '-._');
const LOWER = characterClass([0x61, 0x7a]);

function withAlso(table: CharacterClass, characters: string): CharacterClass {
  const more = table.slice();
  for (const c of characters) more[c.charCodeAt(0)] = 1;
  return more;
}

/** One part of the address. */
interface Part {
  readonly what: string;
  readonly text: CharacterClass;
}

const USER: Part = { what: 'a local part', text: without(VCHAR, '$%@') };
const DOMAIN: Part = { what: 'a domain', text: withAlso(NAME, '[]:') };
/** Several hops have commas between them. */
const HOP: Part = { what: 'a next hop', text: withAlso(NAME, '[]:,') };
const CHANNEL: Part = { what: 'the name of a channel', text: NAME };

/** Throws Failure('syntax'). */
export function parseTemplate(text: string): Template {
  if (text.length > TEMPLATE_CHARACTERS)
    throw columnFailure(TEMPLATE_CHARACTERS + 1, `a template has at most ${TEMPLATE_CHARACTERS} characters`);
  return new TemplateParser(text).template();
}

class TemplateParser {
  readonly #cursor: Cursor;
  readonly #controls: TemplateControl[] = [];

  constructor(text: string) {
    this.#cursor = new Cursor(text);
  }

  template(): Template {
    const address = this.#address();
    return { controls: this.#controls, address, text: this.#text() };
  }

  #address(): TemplateAddress | undefined {
    const cursor = this.#cursor;
    const user = this.#pieces(USER);
    if (this.#isAtEnd()) {
      if (user.every(isControl)) return undefined;
      throw this.#expected('% or @ behind the local part');
    }
    if (user.every(isControl)) throw this.#expected(USER.what);
    if (cursor.tryTake('%')) {
      const domain = this.#filled(DOMAIN);
      const channel = cursor.tryTake('@') ? this.#channel() : undefined;
      this.#checkEnd();
      return { user, domain, hop: undefined, channel };
    }
    if (!cursor.tryTake('@')) throw this.#unexpected();
    const domain = this.#filled(DOMAIN);
    if (!cursor.tryTake('@')) throw this.#expected('@ and a next hop, as in A@B@H@C');
    const hop = this.#filled(HOP);
    if (!cursor.tryTake('@')) throw this.#expected('@ and a channel, as in A@B@H@C');
    const channel = this.#channel();
    this.#checkEnd();
    return { user, domain, hop, channel };
  }

  #channel(): NonNullable<TemplateAddress['channel']> {
    const before = this.#cursor.at;
    const pieces = this.#filled(CHANNEL);
    let name = '';
    for (const piece of pieces) {
      if (piece.kind === 'text') name += piece.text;
      else if (!isControl(piece)) throw columnFailure(before + 1, 'a channel is named as it is, without substitutions');
    }
    return { pieces, name: asciiLower(name), column: before + 1 };
  }

  /** At least one piece that is no control. */
  #filled(part: Part): Piece[] {
    const pieces = this.#pieces(part);
    if (pieces.every(isControl)) throw this.#expected(part.what);
    return pieces;
  }

  /** As long as they are of this part. */
  #pieces({ text }: Part): Piece[] {
    const pieces: Piece[] = [];
    while (!this.#isAtEnd()) {
      const run = this.#cursor.run(text);
      if (run !== '') addText(pieces, run);
      else if (this.#cursor.peek() !== 0x24) break;
      else this.#sequence(pieces);
    }
    return pieces;
  }

  #isAtEnd(): boolean {
    return this.#cursor.atEnd || this.#cursor.text.startsWith('$?', this.#cursor.at);
  }

  /** One that begins with `$`. */
  #sequence(pieces: Piece[]): void {
    const cursor = this.#cursor;
    const escaped = cursor.text.charAt(cursor.at + 1);
    if (escaped === '$' || escaped === '%' || escaped === '@') {
      cursor.at += 2;
      addText(pieces, escaped);
      return;
    }
    const piece = this.#control() ?? this.#substitution();
    if (piece === undefined) throw this.#unknown();
    pieces.push(piece);
    if (isControl(piece)) this.#controls.push(piece);
  }

  #control(): TemplateControl | undefined {
    const cursor = this.#cursor;
    for (const letter of ['A', 'E', 'F'] as const) if (cursor.tryTake(`$${letter}`)) return { kind: 'always', letter };
    if (cursor.tryTake('$M')) return { kind: 'door', is: true, door: this.#door() };
    if (cursor.tryTake('$N')) return { kind: 'door', is: false, door: this.#door() };
    if (cursor.tryTake('$V')) return { kind: 'domain', is: true, name: this.#name() };
    if (cursor.tryTake('$Z')) return { kind: 'domain', is: false, name: this.#name() };
    return undefined;
  }

  #door(): Door {
    const column = this.#cursor.at + 1;
    const word = this.#cursor.run(LOWER);
    const door = DOORS.find((each) => each === word);
    if (door === undefined) throw columnFailure(column, `a door is one of ${DOORS.join(', ')}`);
    return door;
  }

  /** As far as it goes: letters, digits, `-`, `_`, dots, `$D` and `$H`. */
  #name(): Substitution[] {
    const cursor = this.#cursor;
    const name: Substitution[] = [];
    for (;;) {
      const run = cursor.run(NAME);
      if (run !== '') name.push({ kind: 'text', text: run });
      else if (cursor.tryTake('$D')) name.push({ kind: 'matched' });
      else if (cursor.tryTake('$H')) name.push({ kind: 'unmatched' });
      else if (name.length === 0) throw this.#expected('the name of a domain');
      else return name;
    }
  }

  #substitution(): Substitution | undefined {
    const cursor = this.#cursor;
    if (cursor.tryTake('$U')) return { kind: 'user', part: 'all' };
    if (cursor.tryTake('$0U')) return { kind: 'user', part: 'base' };
    if (cursor.tryTake('$1U')) return { kind: 'user', part: 'subaddress' };
    if (cursor.tryTake('$D')) return { kind: 'matched' };
    if (cursor.tryTake('$H')) return { kind: 'unmatched' };
    if (cursor.tryTake('$L')) return { kind: 'rest' };
    if (cursor.tryTake('$&')) return this.#label('unmatched', 'left');
    if (cursor.tryTake('$!')) return this.#label('unmatched', 'right');
    if (cursor.tryTake('$*')) return this.#label('matched', 'left');
    if (cursor.tryTake('$#')) return this.#label('matched', 'right');
    return undefined;
  }

  #label(of: 'unmatched' | 'matched', from: 'left' | 'right'): Substitution {
    const digit = this.#cursor.peek() - 0x30;
    if (digit < 0 || digit > 9) throw this.#expected('a digit, which counts labels from 0');
    this.#cursor.at++;
    return { kind: 'label', of, from, at: digit };
  }

  #text(): string | undefined {
    const cursor = this.#cursor;
    if (!cursor.tryTake('$?')) return undefined;
    const start = cursor.at;
    const text = cursor.rest();
    if (text.trim() === '') throw columnFailure(start + 1, 'expected the text of a reply');
    if (text.length > TEXT_CHARACTERS)
      throw columnFailure(start + TEXT_CHARACTERS + 1, `a reply has at most ${TEXT_CHARACTERS} characters`);
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code < 0x20 || code > 0x7e) throw columnFailure(start + at + 1, 'a reply has printable ASCII characters');
    }
    return text;
  }

  #checkEnd(): void {
    if (!this.#isAtEnd()) throw this.#unexpected();
  }

  #expected(what: string): Error {
    return columnFailure(this.#cursor.at + 1, `expected ${what}`);
  }

  #unexpected(): Error {
    return columnFailure(this.#cursor.at + 1, `unexpected ${shown(this.#cursor, 1)}`);
  }

  #unknown(): Error {
    const digits = /[01]/.test(this.#cursor.text.charAt(this.#cursor.at + 1)) ? 3 : 2;
    return columnFailure(this.#cursor.at + 1, `unknown control sequence ${shown(this.#cursor, digits)}`);
  }
}

function addText(pieces: Piece[], text: string): void {
  const last = pieces.at(-1);
  if (last?.kind === 'text') pieces[pieces.length - 1] = { kind: 'text', text: last.text + text };
  else pieces.push({ kind: 'text', text });
}

/** The next characters, a surrogate pair whole. */
function shown({ text, at }: Cursor, count: number): string {
  const characters = [...text.slice(at, at + 2 * count)];
  return characters.slice(0, count).join('');
}
