// The one tokenizer: a position in a line of text that was decoded once (latin1: an offset is a byte).
//
// In      text
// Out     tokens by grammar production; subclasses in wire/ and message/ add theirs, named as the ABNF names them
// Two families: tryX() returns undefined and stays; x() takes or throws a SyntaxFailure that names what it expected.

import type { CharacterClass } from './characters.ts';
import { Failure } from './failure.ts';

/** Text that does not match its grammar: where, and what was expected there. */
export class SyntaxFailure extends Failure {
  readonly offset: number;
  readonly expected: string;
  constructor(expected: string, offset: number) {
    super('syntax', `expected ${expected} at position ${offset + 1}`);
    this.name = 'SyntaxFailure';
    this.offset = offset;
    this.expected = expected;
  }
}

export class Cursor {
  readonly text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** Char code here, -1 at the end. */
  peek(): number {
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : -1;
  }

  fail(expected: string): never {
    throw new SyntaxFailure(expected, this.at);
  }

  /** Takes `literal` (case-sensitive) or stays. */
  tryTake(literal: string): boolean {
    if (!this.text.startsWith(literal, this.at)) return false;
    this.at += literal.length;
    return true;
  }

  take(literal: string): void {
    if (!this.tryTake(literal)) this.fail(`"${literal}"`);
  }

  /** Takes `word` in any ASCII case or stays; `word` is given in upper case. */
  tryWord(word: string): boolean {
    const end = this.at + word.length;
    if (end > this.text.length) return false;
    for (let i = 0; i < word.length; i++) {
      let code = this.text.charCodeAt(this.at + i);
      if (code >= 0x61 && code <= 0x7a) code -= 0x20;
      if (code !== word.charCodeAt(i)) return false;
    }
    this.at = end;
    return true;
  }

  /** The longest run of the class, possibly empty, at most `max` characters. */
  run(table: CharacterClass, max = Number.POSITIVE_INFINITY): string {
    const start = this.at;
    const end = Math.min(this.text.length, start + max);
    let at = start;
    while (at < end) {
      const code = this.text.charCodeAt(at);
      if (code > 255 || table[code] === 0) break;
      at++;
    }
    this.at = at;
    return this.text.slice(start, at);
  }

  /** As run(), and with the class all characters beyond ASCII but the control characters among them. */
  runBeyond(table: CharacterClass): string {
    let text = this.run(table);
    while (this.peek() > 0x9f) {
      const start = this.at;
      while (this.peek() > 0x9f) this.at++;
      text += this.text.slice(start, this.at) + this.run(table);
    }
    return text;
  }

  /** Unsigned decimal of at most `digits` digits (15 keep it below 2^53), or undefined. */
  tryNumber(digits = 15): number | undefined {
    const start = this.at;
    let value = 0;
    while (this.at < this.text.length) {
      const digit = this.text.charCodeAt(this.at) - 0x30;
      if (digit < 0 || digit > 9) break;
      if (this.at - start >= digits) this.fail(`a number of at most ${digits} digits`);
      value = value * 10 + digit;
      this.at++;
    }
    return this.at === start ? undefined : value;
  }

  number(digits = 15): number {
    return this.tryNumber(digits) ?? this.fail('a number');
  }

  space(): void {
    this.take(' ');
  }

  end(): void {
    if (this.at < this.text.length) this.fail('the end of the line');
  }

  rest(): string {
    const text = this.text.slice(this.at);
    this.at = this.text.length;
    return text;
  }
}
