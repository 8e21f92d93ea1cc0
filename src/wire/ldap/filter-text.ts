// A filter as text, in LDAP URLs and in tests: `(&(objectClass=mailDomain)(dc=acme*))`
//
// In      text; a value's octets that are not UTF-8 are written `\xx`. Blanks around parentheses are passed over, as OpenLDAP does: RFC 4515
//         has none, and people fold long filters
// Limits  as BER filters: LDAP_FILTER_NESTING_MAX, LDAP_FILTER_PARTS_MAX
// RFC 4515

import { asciiLower, type CharacterClass, characterClass, without } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';
import { LDAP_FILTER_NESTING_MAX, LDAP_FILTER_PARTS_MAX } from '../../base/limits.ts';
import { extensibleFilter, type Filter, substringsFilter } from './filter.ts';
import { type AttributeValue, decodeValue } from './values.ts';

const BLANK = characterClass(' \t\r\n');
/** Attribute descriptions and OIDs, and the underscore that some schemas have. */
const DESCRIPTION = characterClass('-;._', [0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a]);
/** Octets that stand for themselves in a value: the text is latin1 of UTF-8 by then. */
const VALUE = without(characterClass([0x01, 0xff]), '*()\\');

class FilterCursor extends Cursor {
  #parts = 0;

  filter(depth = 1): Filter {
    if (depth > LDAP_FILTER_NESTING_MAX) this.fail(`a filter nested at most ${LDAP_FILTER_NESTING_MAX} deep`);
    this.#countPart();
    this.blanks();
    this.take('(');
    this.blanks();
    const filter = this.#component(depth);
    this.blanks();
    this.take(')');
    return filter;
  }

  blanks(): void {
    this.run(BLANK);
  }

  #component(depth: number): Filter {
    if (this.tryTake('&')) return { kind: 'and', filters: this.#list(depth) };
    if (this.tryTake('|')) return { kind: 'or', filters: this.#list(depth) };
    if (this.tryTake('!')) return { kind: 'not', filter: this.filter(depth + 1) };
    return this.#item();
  }

  #list(depth: number): Filter[] {
    const filters: Filter[] = [];
    for (this.blanks(); this.peek() === 0x28; this.blanks()) filters.push(this.filter(depth + 1));
    return filters;
  }

  #item(): Filter {
    const attribute = this.run(DESCRIPTION);
    if (this.peek() === 0x3a) return this.#extensible(attribute === '' ? undefined : attribute);
    if (attribute === '') this.fail('an attribute');
    if (this.tryTake('~=')) return { kind: 'approx', attribute, value: this.value() };
    if (this.tryTake('>=')) return { kind: 'greaterOrEqual', attribute, value: this.value() };
    if (this.tryTake('<=')) return { kind: 'lessOrEqual', attribute, value: this.value() };
    this.take('=');
    const first = this.value();
    if (!this.tryTake('*')) return { kind: 'equality', attribute, value: first };
    const parts = [first, this.value()];
    for (; this.tryTake('*'); parts.push(this.value())) this.#countPart();
    return this.#substrings(attribute, parts);
  }

  #countPart(): void {
    if (++this.#parts > LDAP_FILTER_PARTS_MAX) this.fail(`a filter of at most ${LDAP_FILTER_PARTS_MAX} parts`);
  }

  /** `parts` are what stands before, between and after the stars. */
  #substrings(attribute: string, parts: readonly AttributeValue[]): Filter {
    if (parts.length === 2 && parts.every((part) => part.length === 0)) return { kind: 'present', attribute };
    const any = parts.slice(1, -1);
    if (any.some((part) => part.length === 0)) this.fail('a character between two stars');
    const filled = (part: AttributeValue): AttributeValue | undefined => (part.length === 0 ? undefined : part);
    return substringsFilter(attribute, filled(parts[0]!), any, filled(parts.at(-1)!));
  }

  /** After an attribute, or after nothing: `:=`, `:dn:=`, `:rule:=` or `:dn:rule:=`. */
  #extensible(attribute: string | undefined): Filter {
    this.take(':');
    let rule = this.run(DESCRIPTION);
    const dnAttributes = asciiLower(rule) === 'dn';
    if (dnAttributes) {
      this.take(':');
      rule = this.run(DESCRIPTION);
    }
    if (rule !== '') this.take(':');
    else if (attribute === undefined) this.fail('an attribute or a matching rule');
    this.take('=');
    return extensibleFilter(rule === '' ? undefined : rule, attribute, this.value(), dnAttributes);
  }

  value(): AttributeValue {
    let octets = this.run(VALUE);
    while (this.tryTake('\\')) octets += String.fromCharCode(this.#hexPair()) + this.run(VALUE);
    return decodeValue(Buffer.from(octets, 'latin1'));
  }

  #hexPair(): number {
    const digits = this.run(HEX, 2);
    if (digits.length < 2) this.fail('two hexadecimal digits');
    return Number.parseInt(digits, 16);
  }
}

const HEX: CharacterClass = characterClass([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);

/** Throws a SyntaxFailure; its offset counts octets of UTF-8. */
export function parseFilter(text: string): Filter {
  const cursor = new FilterCursor(Buffer.from(text, 'utf8').toString('latin1'));
  const filter = cursor.filter();
  cursor.blanks();
  if (!cursor.atEnd) cursor.fail('the end of the filter');
  return filter;
}
