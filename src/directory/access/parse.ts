// Access rules as the values of `aci` write them: Netscape's language, version 3.0.
//
//   value      = *( "(" target ")" ) "(" "version" "3.0" ";" "acl" name ";" 1*( permission bind ";" ) ")"
//   target     = target | targetscope | targetattr | targetfilter | targattrfilters, each once, ("=" / "!=") text
//   permission = ("allow" / "deny") "(" right *("," right) ")"
//   bind       = term *( ("and" / "or") term )         from left to right, none binds closer
//   term       = "not" term | "(" bind ")" | (userdn | groupdn | roledn | userattr) ("=" / "!=") text
//
// In      a value
// Out     the rule, or what is wrong and the column where, which counts characters from 1
// Limits  LENGTH_MAX characters, NESTING_MAX parentheses, ALTERNATIVES_MAX names in a text
// Never   half carries out: `ip dns timeofday dayofweek authmethod ssf`, macros, URLs with a filter and roles that are not
//         ours do not parse, nor do attributes that the schema does not know. Letter case of words means nothing

import { ALNUM, asciiLower } from '../../base/characters.ts';
import { Cursor, SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import type { Filter } from '../../wire/ldap/filter.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { normalizeDn } from '../dn.ts';
import type { AttributeValue } from '../entry.ts';
import { partyOf } from '../list-party.ts';
import { askingNoSecrets, compileFilter, type Match, OUTSIDE, secretIn } from '../match.ts';
import { schema } from '../schema.ts';
import { namePattern } from './name-pattern.ts';
import {
  type Aci,
  type AttributeSet,
  type Bind,
  type EntryFilter,
  type NamePattern,
  type Permission,
  RIGHTS,
  type Right,
  ROLES,
  ROLES_KEY,
  type Scope,
  type ValueFilter,
  type ValueFilters,
} from './rule.ts';

export type ParsedAci = { readonly aci: Aci } | { readonly problem: string };

const LENGTH_MAX = 16_384;
const NESTING_MAX = 16;
const ALTERNATIVES_MAX = 200;
const NAME_LENGTH_MAX = 128;
const STARS_MAX = 8;
const LEVEL_MAX = 4;
const SHOWN_MAX = 60;

const SCOPES: readonly string[] = ['base', 'onelevel', 'subtree', 'subordinate'] satisfies Scope[];
const NOT_CARRIED_OUT: readonly string[] = ['ip', 'dns', 'timeofday', 'dayofweek', 'authmethod', 'ssf'];
const TARGETS = 'target, targetscope, targetattr, targetfilter or targattrfilters';
const BINDS = 'userdn, groupdn, roledn or userattr';
const SCHEME = 'ldap:///';
const OWN_DOMAIN = 'waypostowndomainmatch';
/** The same of a URL and a DN; any address is. */
const OWN_NAME = 'waypostownnamematch';
const OWN: readonly string[] = [OWN_DOMAIN, OWN_NAME];
const NO_SECRETS = askingNoSecrets(OUTSIDE);

export function parseAci(value: string): ParsedAci {
  if (value.length > LENGTH_MAX) return { problem: `column ${LENGTH_MAX + 1}: the value is too long` };
  try {
    return { aci: new AciCursor(value).value() };
  } catch (error) {
    if (error instanceof BadAci) return { problem: error.message };
    throw error;
  }
}

class BadAci extends Error {}

/** A text between quotes, and where it begins. */
interface Quoted {
  readonly text: string;
  readonly at: number;
}

class AciCursor extends Cursor {
  override fail(expected: string): never {
    const found = this.text.slice(this.at, this.at + 1);
    this.wrong(this.at, `${expected} is expected, ${found === '' ? 'nothing' : shown(found)} stands here`);
  }

  wrong(at: number, what: string): never {
    throw new BadAci(`column ${at + 1}: ${what}`);
  }

  value(): Aci {
    const found: { -readonly [key in keyof Aci]?: Aci[key] } = {};
    const seen = new Set<string>();
    for (;;) {
      this.mark('(');
      const at = this.at;
      const word = this.word();
      if (word === 'version') break;
      if (seen.has(word)) this.wrong(at, `${word} stands here a second time`);
      seen.add(word);
      this.targetPart(word, at, found);
      this.mark(')');
    }
    const { name, permissions } = this.rest3();
    this.blanks();
    if (!this.atEnd) this.fail('the end');
    return {
      name,
      permissions,
      target: found.target,
      isTargetComplement: found.isTargetComplement ?? false,
      scope: found.scope ?? 'subtree',
      attributes: found.attributes,
      filter: found.filter,
      values: found.values,
    };
  }

  targetPart(word: string, at: number, found: { -readonly [key in keyof Aci]?: Aci[key] }): void {
    switch (word) {
      case 'target':
        found.isTargetComplement = this.isUnequal();
        found.target = this.namesIn(this.quoted(), (text, place) => this.pattern(text, place))[0]!;
        return;
      case 'targetscope': {
        if (this.isUnequal()) this.wrong(at, 'targetscope takes = alone');
        const quoted = this.quoted();
        const scope = asciiLower(quoted.text.trim());
        if (!SCOPES.includes(scope)) this.wrong(quoted.at, `${SCOPES.join(', ')} is expected`);
        found.scope = scope as Scope;
        return;
      }
      case 'targetattr':
        found.attributes = this.attributeSet(this.isUnequal(), this.quoted());
        return;
      case 'targetfilter': {
        const isComplement = this.isUnequal();
        found.filter = this.entryFilter(isComplement, this.quoted());
        return;
      }
      case 'targattrfilters':
        if (this.isUnequal()) this.wrong(at, 'targattrfilters takes = alone');
        found.values = this.valueFilters(this.quoted());
        return;
      default:
        this.at = at;
        this.fail(`${TARGETS}, or version,`);
    }
  }

  /** Behind the word `version`. */
  rest3(): { readonly name: string; readonly permissions: readonly Permission[] } {
    this.blanks();
    if (!this.tryTake('3.0')) this.fail('3.0');
    this.mark(';');
    this.keyword('acl');
    const name = this.quoted();
    if (name.text.length > NAME_LENGTH_MAX) this.wrong(name.at, `a name has at most ${NAME_LENGTH_MAX} characters`);
    this.mark(';');
    const permissions: Permission[] = [];
    do permissions.push(this.permission());
    while (!this.tryMark(')'));
    return { name: name.text, permissions };
  }

  permission(): Permission {
    const at = this.place();
    const word = this.word();
    if (word !== 'allow' && word !== 'deny') {
      this.at = at;
      this.fail('allow or deny');
    }
    const rights = new Set<Right>();
    this.mark('(');
    do this.right(rights);
    while (this.tryMark(','));
    this.mark(')');
    const bind = this.bind(1);
    this.mark(';');
    return { allows: word === 'allow', rights, bind };
  }

  right(rights: Set<Right>): void {
    const at = this.place();
    const word = this.word();
    if (word === 'all') {
      for (const right of RIGHTS) if (right !== 'proxy') rights.add(right);
      return;
    }
    if (!(RIGHTS as readonly string[]).includes(word)) {
      this.at = at;
      this.fail(`a right (${RIGHTS.join(', ')} or all)`);
    }
    rights.add(word as Right);
  }

  bind(depth: number): Bind {
    if (depth > NESTING_MAX) this.wrong(this.at, `more than ${NESTING_MAX} parentheses are not read`);
    let left = this.term(depth);
    for (let terms = 1; ; terms++) {
      const at = this.place();
      const word = this.word();
      if (word !== 'and' && word !== 'or') {
        this.at = at;
        return left;
      }
      if (terms >= ALTERNATIVES_MAX) this.wrong(at, `more than ${ALTERNATIVES_MAX} conditions are not read`);
      left = { kind: word, left, right: this.term(depth) };
    }
  }

  term(depth: number): Bind {
    if (this.tryMark('(')) {
      const bind = this.bind(depth + 1);
      this.mark(')');
      return bind;
    }
    const at = this.place();
    const word = this.word();
    if (word === 'not') {
      if (depth >= NESTING_MAX) this.wrong(at, `more than ${NESTING_MAX} levels are not read`);
      return { kind: 'not', bind: this.term(depth + 1) };
    }
    if (NOT_CARRIED_OUT.includes(word)) this.wrong(at, `${word} is not carried out`);
    const read = { userdn: this.user, groupdn: this.group, roledn: this.role, userattr: this.attribute }[word];
    if (read === undefined) {
      this.at = at;
      this.fail(BINDS);
    }
    const isUnequal = this.isUnequal();
    const quoted = this.quoted();
    const binds =
      word === 'userattr' ? [this.attribute(quoted.text, quoted.at)] : this.namesIn(quoted, read.bind(this));
    const [first, ...more] = binds;
    const bind = more.reduce<Bind>((left, right) => ({ kind: 'or', left, right }), first!);
    return isUnequal ? { kind: 'not', bind } : bind;
  }

  user(text: string, at: number): Bind {
    const word = asciiLower(text);
    if (word === 'self' || word === 'all' || word === 'anyone' || word === 'parent') return { kind: word };
    return { kind: 'user', name: this.pattern(text, at) };
  }

  group(text: string, at: number): Bind {
    return { kind: 'group', dn: this.dn(text, at) };
  }

  role(text: string, at: number): Bind {
    const dn = this.dn(text, at);
    const role = ROLES.find((name) => dn === `cn=${name}`);
    if (role === undefined) this.wrong(at, `a role is cn=${ROLES.join(', cn=')}; no other is carried out`);
    return { kind: 'role', role };
  }

  /** `owner#USERDN`, `parent[0,1].owner#GROUPDN` */
  attribute(text: string, at: number): Bind {
    const hash = text.indexOf('#');
    const what = asciiLower(text.slice(hash + 1));
    if (hash < 0 || (what !== 'userdn' && what !== 'groupdn'))
      this.wrong(at + Math.max(0, hash), 'ATTRIBUTE#USERDN or ATTRIBUTE#GROUPDN is expected; no other is carried out');
    let name = text.slice(0, hash);
    let levels: readonly number[] = [0];
    let nameAt = at;
    if (asciiLower(name.slice(0, 7)) === 'parent[') {
      const end = name.indexOf('].');
      if (end < 0) this.wrong(at + 7, 'levels and ]. are expected');
      levels = this.levels(name.slice(7, end), at + 7);
      nameAt = at + end + 2;
      name = name.slice(end + 2);
    }
    return {
      kind: 'attribute',
      attribute: this.typeKey(name, nameAt),
      names: what === 'userdn' ? 'user' : 'group',
      levels,
    };
  }

  levels(text: string, at: number): readonly number[] {
    return text.split(',').map((part) => {
      const level = part.trim();
      if (level.length !== 1 || level < '0' || level > String(LEVEL_MAX))
        this.wrong(at, `levels are numbers from 0 to ${LEVEL_MAX}`);
      return Number(level);
    });
  }

  attributeSet(isComplement: boolean, { text, at }: Quoted): AttributeSet {
    const keys = new Set<string>();
    const patterns: NamePattern[] = [];
    let [allUser, allOperational] = [false, false];
    for (const { text: name, at: place } of this.alternatives({ text, at })) {
      if (name === '*') allUser = true;
      else if (name === '+') allOperational = true;
      else if (name.includes('*')) patterns.push(this.namePatternOf(name, place));
      else keys.add(this.typeKey(name, place));
    }
    return { isComplement, allUser, allOperational, keys, patterns };
  }

  /** Of names that no attribute may have yet: the schema grows. */
  namePatternOf(name: string, at: number): NamePattern {
    const parts = asciiLower(name).split('*');
    if (parts.length > STARS_MAX + 1) this.wrong(at, `a name has at most ${STARS_MAX} stars`);
    return parts;
  }

  entryFilter(isComplement: boolean, quoted: Quoted): EntryFilter {
    const filter = this.filter(quoted);
    const asksRoles = attributesOf(filter).some((name) => schema().attributeType(name)?.key === ROLES_KEY);
    return { isComplement, matches: compileFilter(filter), looksBeside: looksBeside(filter), asksRoles };
  }

  /** `add=NAME:FILTER && NAME:FILTER, del=NAME:FILTER` */
  valueFilters(quoted: Quoted): ValueFilters {
    const own = new Set<string>();
    const found = { own, add: new Map<string, ValueFilter>(), delete: new Map<string, ValueFilter>() };
    let rest = quoted;
    for (;;) {
      rest = trimmed(rest);
      const word = asciiLower(rest.text.slice(0, 3));
      const equals = rest.text.indexOf('=');
      if ((word !== 'add' && word !== 'del') || rest.text.slice(3, equals).trim() !== '')
        this.wrong(rest.at, 'add= or del= is expected');
      const of = word === 'add' ? found.add : found.delete;
      if (of.size > 0) this.wrong(rest.at, `${word} stands here a second time`);
      rest = behind(rest, equals + 1);
      for (;;) {
        const start = trimmed(rest);
        const colon = start.text.indexOf(':');
        if (colon < 0) this.wrong(start.at, 'NAME:FILTER is expected');
        const key = this.typeKey(start.text.slice(0, colon).trim(), start.at);
        const filter = trimmed(behind(start, colon + 1));
        const end = filterEnd(filter.text);
        if (of.has(key)) this.wrong(start.at, 'the attribute stands here a second time');
        const { filter: parsed, matches } = this.valueFilter(key, { text: filter.text.slice(0, end), at: filter.at });
        of.set(key, matches);
        if (asksOwn(parsed)) own.add(key);
        if (of.size > ALTERNATIVES_MAX) this.wrong(start.at, `more than ${ALTERNATIVES_MAX} attributes are not read`);
        rest = trimmed(behind(filter, end));
        if (!rest.text.startsWith('&&')) break;
        rest = behind(rest, 2);
      }
      if (rest.text === '') return found;
      if (!rest.text.startsWith(',')) this.wrong(rest.at, '&&, a comma or the end is expected');
      rest = behind(rest, 1);
    }
  }

  /** It is asked of one value at a time, so it may ask for no other attribute. */
  valueFilter(key: string, quoted: Quoted): { readonly filter: Filter; readonly matches: ValueFilter } {
    const filter = this.filter(quoted);
    const other = attributesOf(filter).find((name) => schema().description(name)?.type.key !== key);
    if (other !== undefined) this.wrong(quoted.at, `the filter asks for ${shown(other)}, which is another attribute`);
    return { filter, matches: compileValueFilter(filter) };
  }

  filter({ text, at }: Quoted): Filter {
    let filter: Filter;
    try {
      filter = parseFilter(text);
    } catch (error) {
      if (!(error instanceof SyntaxFailure)) throw error;
      // Its offset counts octets.
      const before = Buffer.from(text, 'utf8').subarray(0, error.offset).toString('utf8').length;
      this.wrong(at + before, `${error.expected} is expected in the filter`);
    }
    const unknown = attributesOf(filter).find((name) => schema().description(name) === undefined);
    if (unknown !== undefined) this.wrong(at, `the filter asks for ${shown(unknown)}, which is not in the schema`);
    const secret = secretIn(filter);
    if (secret !== undefined) this.wrong(at, `the filter asks for ${shown(secret)}, which is secret`);
    return filter;
  }

  typeKey(name: string, at: number): string {
    const type = schema().attributeType(name.trim());
    if (type === undefined) this.wrong(at, `${shown(name.trim())} is no attribute of the schema`);
    return type.key;
  }

  /** Each `ldap:///NAME` of a text, by `||`. */
  namesIn<T>(quoted: Quoted, read: (text: string, at: number) => T): T[] {
    return this.alternatives(quoted).map(({ text, at }) => {
      if (asciiLower(text.slice(0, SCHEME.length)) !== SCHEME) this.wrong(at, `${SCHEME} is expected`);
      const name = text.slice(SCHEME.length);
      const macro = name.search(/\(\$|\[\$|\$attr/i);
      if (macro >= 0) this.wrong(at + SCHEME.length + macro, 'macros are not carried out');
      const query = name.indexOf('?');
      if (query >= 0) this.wrong(at + SCHEME.length + query, 'URLs with a filter are not carried out');
      return read(decoded(name), at + SCHEME.length);
    });
  }

  alternatives({ text, at }: Quoted): Quoted[] {
    const found: Quoted[] = [];
    let place = at;
    for (const part of text.split('||')) {
      const lead = part.length - part.trimStart().length;
      const each = { text: part.trim(), at: place + lead };
      if (each.text === '') this.wrong(place, 'a name is expected');
      found.push(each);
      place += part.length + 2;
    }
    if (found.length > ALTERNATIVES_MAX) this.wrong(at, `more than ${ALTERNATIVES_MAX} names are not read`);
    return found;
  }

  pattern(text: string, at: number): NamePattern {
    return this.named(at, () => {
      const pattern = namePattern(text);
      if (pattern.length > STARS_MAX + 1) this.wrong(at, `a DN has at most ${STARS_MAX} stars`);
      return pattern;
    });
  }

  dn(text: string, at: number): string {
    return this.named(at, () => normalizeDn(text));
  }

  named<T>(at: number, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (error instanceof Failure) this.wrong(at, 'a DN is expected');
      throw error;
    }
  }

  /** `=` or `!=`. */
  isUnequal(): boolean {
    this.blanks();
    if (this.tryTake('!=')) return true;
    if (!this.tryTake('=')) this.fail('= or !=');
    return false;
  }

  quoted(): Quoted {
    this.blanks();
    if (!this.tryTake('"')) this.fail('a text in quotes');
    const at = this.at;
    const end = this.text.indexOf('"', at);
    if (end < 0) {
      this.at = this.text.length;
      this.fail('a closing quote');
    }
    this.at = end + 1;
    return { text: this.text.slice(at, end), at };
  }

  /** In lower case. */
  word(): string {
    this.blanks();
    return asciiLower(this.run(ALNUM));
  }

  keyword(word: string): void {
    const at = this.place();
    if (this.word() === word) return;
    this.at = at;
    this.fail(word);
  }

  mark(character: string): void {
    if (!this.tryMark(character)) this.fail(shown(character));
  }

  tryMark(character: string): boolean {
    this.blanks();
    return this.tryTake(character);
  }

  /** Where the next word begins. */
  place(): number {
    this.blanks();
    return this.at;
  }

  blanks(): void {
    while (this.at < this.text.length && ' \t\r\n'.includes(this.text[this.at]!)) this.at++;
  }
}

function shown(text: string): string {
  const short = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
  return `"${short.replace(/[^\x20-\x7e]/g, '?')}"`;
}

function behind({ text, at }: Quoted, count: number): Quoted {
  return { text: text.slice(count), at: at + count };
}

function trimmed(quoted: Quoted): Quoted {
  return behind({ ...quoted, text: quoted.text.trimEnd() }, quoted.text.length - quoted.text.trimStart().length);
}

/** Of a filter at the beginning of this text, by its parentheses; a value has none that is not written by its number. */
function filterEnd(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth <= 0) return at + 1;
  }
  return text.length;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `(mgrpErrorsTo:waypostOwnDomainMatch:=TRUE)`: rules that match here alone, since they ask where the entry stands. */
function compileValueFilter(filter: Filter): ValueFilter {
  switch (filter.kind) {
    case 'and':
    case 'or': {
      const winner = filter.kind === 'or';
      const parts = filter.filters.map(compileValueFilter);
      return (entry, isOwn) => {
        let result: Match = !winner;
        for (const part of parts) {
          const match = part(entry, isOwn);
          if (match === winner) return winner;
          if (match === undefined) result = undefined;
        }
        return result;
      };
    }
    case 'not': {
      const inner = compileValueFilter(filter.filter);
      return (entry, isOwn) => {
        const match = inner(entry, isOwn);
        return match === undefined ? undefined : !match;
      };
    }
    case 'extensible': {
      const rule = asciiLower(filter.rule ?? '');
      if (!OWN.includes(rule)) break;
      const key = schema().description(filter.attribute!)!.key;
      const wanted = filter.value === 'TRUE';
      const isFree = rule === OWN_NAME ? isAddress : () => false;
      return (entry, isOwn) =>
        entry.attributes.get(key)?.values.some((value) => (isFree(value) || isOwn(value)) === wanted) ?? false;
    }
  }
  const matches = compileFilter(filter);
  return (entry) => matches(entry, NO_SECRETS);
}

function asksOwn(filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.some(asksOwn);
    case 'not':
      return asksOwn(filter.filter);
    default:
      return filter.kind === 'extensible' && OWN.includes(asciiLower(filter.rule ?? ''));
  }
}

function isAddress(value: AttributeValue): boolean {
  const party = typeof value === 'string' ? partyOf(value) : '';
  return typeof party !== 'string' && 'address' in party;
}

function attributesOf(filter: Filter): readonly string[] {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.flatMap(attributesOf);
    case 'not':
      return attributesOf(filter.filter);
    case 'extensible':
      return filter.attribute === undefined ? [] : [filter.attribute];
    default:
      return [filter.attribute];
  }
}

/** Roles are no members: a rule about them does not read those of a list at each change of it. */
function looksBeside(filter: Filter): boolean {
  return attributesOf(filter).some((name) => {
    const type = schema().description(name)?.type;
    if (type?.key === ROLES_KEY) return false;
    return type === undefined || type.isMade || type.keys.some((key) => schema().attributeType(key)!.isKeptInRows);
  });
}
