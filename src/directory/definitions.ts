// Definitions of attribute types and object classes as a client writes them.
//
// In      one text, RFC 4512 §4.1.1, §4.1.2; X- extensions, DESC and OBSOLETE are read and mean nothing here
// Out     the definition; or what is expected, and at which column
// Limits  LENGTH_MAX characters, NAMES_MAX names in a list

import { asciiLower, characterClass } from '../base/characters.ts';
import { Cursor, SyntaxFailure } from '../base/cursor.ts';
import type { ObjectClassKind } from './schema-data.ts';

export interface TypeDefinition {
  readonly oid: string;
  readonly names: readonly string[];
  readonly superior: string | undefined;
  /** OID. */
  readonly syntax: string | undefined;
  readonly equality: string | undefined;
  readonly ordering: string | undefined;
  readonly substrings: string | undefined;
  readonly singleValued: boolean;
  /** COLLECTIVE, NO-USER-MODIFICATION, another USAGE than userApplications: not for definitions of a site. */
  readonly isOperational: boolean;
}

export interface ClassDefinition {
  readonly oid: string;
  readonly names: readonly string[];
  readonly superiors: readonly string[];
  readonly kind: ObjectClassKind;
  readonly must: readonly string[];
  readonly may: readonly string[];
}

type Parsed<T> = { readonly definition: T } | { readonly problem: string };

const LENGTH_MAX = 8192;
const NAMES_MAX = 500;
const DIGITS = characterClass([0x30, 0x39], '.');
const LETTERS = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-');
const WORD = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-._;');
const OID = /^[0-2](\.(0|[1-9][0-9]{0,40})){1,30}$/;
const NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,63}$/;
const KINDS = ['ABSTRACT', 'STRUCTURAL', 'AUXILIARY'] as const;

export function parseTypeDefinition(text: string): Parsed<TypeDefinition> {
  return parsed(text, (parser) => {
    const { oid, names, fields } = parser.definition();
    const of = (keyword: string): string | undefined => fields.get(keyword)?.[0];
    const usage = of('USAGE') ?? 'userApplications';
    const operational = fields.has('COLLECTIVE') || fields.has('NO-USER-MODIFICATION') || usage !== 'userApplications';
    return {
      oid,
      names,
      superior: of('SUP'),
      syntax: of('SYNTAX'),
      equality: of('EQUALITY'),
      ordering: of('ORDERING'),
      substrings: of('SUBSTR'),
      singleValued: fields.has('SINGLE-VALUE'),
      isOperational: operational,
    };
  });
}

export function parseClassDefinition(text: string): Parsed<ClassDefinition> {
  return parsed(text, (parser) => {
    const { oid, names, fields } = parser.definition();
    return {
      oid,
      names,
      superiors: fields.get('SUP') ?? ['top'],
      kind: KINDS.find((kind) => fields.has(kind)) ?? 'STRUCTURAL',
      must: fields.get('MUST') ?? [],
      may: fields.get('MAY') ?? [],
    };
  });
}

function parsed<T>(text: string, read: (parser: Parser) => T): Parsed<T> {
  if (text.length > LENGTH_MAX) return { problem: `column ${LENGTH_MAX + 1}: the definition is too long` };
  try {
    return { definition: read(new Parser(text)) };
  } catch (error) {
    if (error instanceof SyntaxFailure) return { problem: `column ${error.offset + 1}: ${error.expected} is expected` };
    throw error;
  }
}

/** What stands behind each keyword: nothing, one word, or a list of words. */
const FORMS: ReadonlyMap<string, 'flag' | 'word' | 'syntax' | 'words' | 'text'> = new Map([
  ...['OBSOLETE', 'SINGLE-VALUE', 'COLLECTIVE', 'NO-USER-MODIFICATION', ...KINDS].map(
    (keyword) => [keyword, 'flag'] as const,
  ),
  ...['EQUALITY', 'ORDERING', 'SUBSTR', 'USAGE'].map((keyword) => [keyword, 'word'] as const),
  ...['SUP', 'MUST', 'MAY'].map((keyword) => [keyword, 'words'] as const),
  ['SYNTAX', 'syntax'],
  ['DESC', 'text'],
]);

interface Read {
  readonly oid: string;
  readonly names: readonly string[];
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

class Parser extends Cursor {
  definition(): Read {
    this.#blanks();
    this.take('(');
    this.#blanks();
    const start = this.at;
    const oid = this.run(DIGITS, LENGTH_MAX);
    if (!OID.test(oid)) this.#failAt(start, 'a numeric OID');
    const fields = new Map<string, readonly string[]>();
    let names: readonly string[] = [];
    for (this.#blanks(); !this.tryTake(')'); this.#blanks()) {
      const at = this.at;
      const keyword = this.run(WORD, LENGTH_MAX);
      this.#blanks();
      const form = FORMS.get(keyword);
      if (fields.has(keyword)) this.#failAt(at, `${keyword} once`);
      if (keyword === 'NAME') names = this.#quotedNames();
      else if (keyword.startsWith('X-') || form === 'text') this.#quoted();
      else if (form === 'flag') fields.set(keyword, []);
      else if (form === 'word') fields.set(keyword, [this.#word()]);
      else if (form === 'syntax') fields.set(keyword, [this.#syntax()]);
      else if (form === 'words') fields.set(keyword, this.#words());
      else this.#failAt(at, 'a keyword of the definition, or ")"');
      if (keyword === 'NAME') fields.set(keyword, []);
    }
    this.#blanks();
    if (!this.atEnd) this.fail('the end');
    if (names.length === 0) this.fail('a NAME');
    return { oid, names, fields };
  }

  #quotedNames(): readonly string[] {
    const start = this.at;
    const names = this.#quoted();
    if (names.length === 0 || !names.every((name) => NAME.test(name))) this.#failAt(start, 'a name in quotes');
    return names;
  }

  #quoted(): readonly string[] {
    if (!this.tryTake('(')) return [this.#quotedText()];
    const texts: string[] = [];
    for (this.#blanks(); !this.tryTake(')'); this.#blanks()) {
      if (texts.length === NAMES_MAX) this.fail('")"');
      texts.push(this.#quotedText());
    }
    return texts;
  }

  #quotedText(): string {
    this.take("'");
    const end = this.text.indexOf("'", this.at);
    if (end < 0) this.fail('a closing quote');
    const text = this.text.slice(this.at, end);
    this.at = end + 1;
    return text;
  }

  #words(): readonly string[] {
    if (!this.tryTake('(')) return [this.#word()];
    const words: string[] = [];
    do {
      this.#blanks();
      if (words.length === NAMES_MAX) this.fail('")"');
      words.push(this.#word());
      this.#blanks();
    } while (this.tryTake('$'));
    this.take(')');
    return words;
  }

  #word(): string {
    const start = this.at;
    const word = this.run(WORD, LENGTH_MAX);
    if (!NAME.test(word) && !OID.test(word)) this.#failAt(start, 'a name or an OID');
    return word;
  }

  /** A length behind it bounds nothing. */
  #syntax(): string {
    const oid = this.#word();
    if (this.tryTake('{')) {
      this.run(LETTERS, LENGTH_MAX);
      this.take('}');
    }
    return oid;
  }

  #blanks(): void {
    while (this.peek() === 0x20 || this.peek() === 0x09) this.at++;
  }

  #failAt(at: number, expected: string): never {
    this.at = at;
    return this.fail(expected);
  }
}

/** By what a definition is found among others: its OID. RFC 4517 §4.2.26; undefined where it has none. */
export function firstComponent(text: string): string | undefined {
  const found = /^\s*\(?\s*([a-zA-Z0-9.-]{1,200})/.exec(text.slice(0, 400))?.[1];
  return found === undefined ? undefined : asciiLower(found);
}
