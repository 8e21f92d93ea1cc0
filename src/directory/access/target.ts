// What rules may ask about an entry, read before they are asked.
//
// In      an entry, as it is or as a change would make it; the rules in question
// Out     a AccessTarget of decide.ts
// Reads   nothing where the rules look at the entry alone

import { asciiLower } from '../../base/characters.ts';
import { TENANT } from '../../base/tenant.ts';
import { decodeEntry, ENTRY_COLUMNS } from '../entries.ts';
import { type Attribute, type AttributeValue, type Entry, textValues } from '../entry.ts';
import { askingNoSecrets, OUTSIDE } from '../match.ts';
import { prepareFor } from '../matching.ts';
import { schema } from '../schema.ts';
import type { AccessTarget, CallerFacts } from './decide.ts';
import { aboveOf, type Domains, isDomain, isDomainClass, type OwnDomain, ownDomainsOf } from './domains.ts';
import { groupsOf } from './groups.ts';
import type { Look } from './look.ts';
import { isOwnValue } from './own-values.ts';
import { factsOf, rolesIn } from './roles.ts';
import { type AciRule, type Bind, ROLES_KEY } from './rule.ts';

type AttributeBind = Extract<Bind, { kind: 'attribute' }>;

/** What rules ask beside the entry. */
export interface Needs {
  readonly isDomain: boolean;
  /** Attributes of which a rule asks whether a value is the domain's own. */
  readonly own: ReadonlySet<string>;
  readonly attributes: readonly AttributeBind[];
  readonly looksBeside: boolean;
  readonly asksRoles: boolean;
}

export function needsOf(rules: readonly AciRule[]): Needs {
  const binds = rules.flatMap(({ bind }) => leavesOf(bind));
  return {
    isDomain:
      rules.some(({ values }) => values !== undefined) ||
      binds.some((bind) => bind.kind === 'role' && bind.role === 'domain administrator'),
    own: new Set(rules.flatMap(({ values }) => [...(values?.own ?? [])])),
    attributes: binds.filter((bind) => bind.kind === 'attribute'),
    looksBeside: rules.some(({ filter }) => filter?.looksBeside === true),
    asksRoles: rules.some(({ filter }) => filter?.asksRoles === true),
  };
}

function leavesOf(bind: Bind): readonly Bind[] {
  switch (bind.kind) {
    case 'and':
    case 'or':
      return [...leavesOf(bind.left), ...leavesOf(bind.right)];
    case 'not':
      return leavesOf(bind.bind);
    default:
      return [bind];
  }
}

export interface ValuesOf {
  /** A type key. */
  readonly key: string;
  readonly values: readonly AttributeValue[];
}

export interface TargetQuestion {
  readonly entry: Entry;
  readonly needs: Needs;
  readonly caller: CallerFacts;
  readonly domains: Domains;
  /** It is not there yet: whose it is, is said by where it will stand. */
  readonly isNew?: boolean;
  /** A superior of it as it will be. */
  readonly moved?: Entry | undefined;
  /** Of which a rule may ask whether they are the domain's own. */
  readonly values?: readonly ValuesOf[];
}

const BY_ID = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE id = ?`;
const MEMBERS = 'SELECT attribute, value FROM dit_value WHERE entry = ? ORDER BY id';
const HAS_MEMBER = `SELECT 1 FROM dit_value WHERE tenant = ? AND attribute = ? AND entry = ?
  AND key IN (SELECT value FROM json_each(?)) LIMIT 1`;
const CHILD = 'SELECT 1 FROM dit WHERE parent = ? LIMIT 1';

export function* targetOf({
  entry,
  needs,
  caller,
  domains,
  isNew = false,
  moved,
  values = [],
}: TargetQuestion): Look<AccessTarget> {
  const own = needs.isDomain ? yield* ownDomains(entry, domains, isNew) : [];
  const named = needs.attributes.length > 0 ? yield* namesIn({ entry, moved, isNew }, needs.attributes, caller) : NONE;
  const whole = needs.looksBeside ? yield* withMembers(entry) : entry;
  const hasChild = needs.looksBeside && !isNew && (yield [CHILD, entry.id]).length > 0;
  const withAll = needs.asksRoles ? yield* withRoles(whole) : whole;
  const ownValues = new Set<AttributeValue>();
  // Where no rule asks, thousands of values are not read.
  const asked = own.length > 0 ? values.filter(({ key }) => needs.own.has(key)) : [];
  for (const each of asked)
    for (const value of each.values) if (yield* isOwnValue(value, own, domains)) ownValues.add(value);
  const context = askingNoSecrets({ ...OUTSIDE, hasSubordinates: () => hasChild });
  return {
    entry,
    above: aboveOf(entry.normalizedDn),
    isAdministered: () =>
      own.some(({ administrators }) => administrators.some((dn) => dn === caller.dn || caller.groups.has(dn))),
    names: (attribute, level, what) => named.has(`${attribute} ${level} ${what}`),
    matches: ({ filter }) => filter!.matches(withAll, context) === true,
    isOwn: (value) => ownValues.has(value),
  };
}

const NONE: ReadonlySet<string> = new Set();

/** Nothing is below it, no domain is at it, and it has none of the attributes in which rules read names. */
export function isPlain(entry: Entry, { attributes }: Needs): boolean {
  for (const { attribute } of attributes) if (mayName(entry, attribute)) return false;
  let leaf = false;
  for (const name of entry.attributes.get('objectclass')?.values ?? []) {
    const kind = kindOf(name);
    if (kind === 'domain') return false;
    if (kind === 'leaf') leaf = true;
  }
  return leaf;
}

const KINDS_KEPT = 1000;
const kinds = new Map<AttributeValue, 'leaf' | 'domain' | 'other'>();

/** By a class as it is written. */
function kindOf(name: AttributeValue): 'leaf' | 'domain' | 'other' {
  const known = kinds.get(name);
  if (known !== undefined) return known;
  const key = typeof name === 'string' ? asciiLower(name) : '';
  const kind = isDomainClass(key) ? 'domain' : LEAVES.has(key) ? 'leaf' : 'other';
  if (kinds.size < KINDS_KEPT) kinds.set(name, kind);
  return kind;
}

/** An entry of these is no domain's base: their thousands need no look. */
const LEAVES: ReadonlySet<string> = new Set(['person', 'groupofuniquenames', 'groupofnames']);

function* ownDomains(entry: Entry, domains: Domains, isNew: boolean): Look<readonly OwnDomain[]> {
  const from = isNew || (isLeaf(entry) && !isDomain(entry)) ? aboveOf(entry.normalizedDn) : entry.normalizedDn;
  return from === undefined ? [] : yield* ownDomainsOf(from, domains);
}

function isLeaf(entry: Entry): boolean {
  const classes = entry.attributes.get('objectclass')?.values ?? [];
  return classes.some((name) => typeof name === 'string' && LEAVES.has(asciiLower(name)));
}

function* namesIn(
  { entry, moved, isNew }: Pick<TargetQuestion, 'entry' | 'moved'> & { readonly isNew: boolean },
  binds: readonly AttributeBind[],
  caller: CallerFacts,
): Look<ReadonlySet<string>> {
  const found = new Set<string>();
  if (caller.dn === undefined) return found;
  const line: (Entry | undefined)[] = [entry];
  let groups: readonly string[] | undefined;
  for (const { attribute, levels, names } of binds)
    for (const level of levels) {
      const key = `${attribute} ${level} ${names}`;
      // Who adds an entry would write into it who may.
      if (found.has(key) || (isNew && level === 0)) continue;
      while (line.length <= level) line.push(yield* superior(line.at(-1), moved));
      const at = line[level];
      if (at === undefined || !mayName(at, attribute)) continue;
      // The groups of now: these are named by the entry, not by the rule, so that no rule has changed with them.
      if (names === 'group') groups ??= [...(yield* groupsOf(caller.dn))];
      if (yield* namesOneOf(at, attribute, names === 'user' ? [caller.dn] : groups!)) found.add(key);
    }
  return found;
}

function* superior(entry: Entry | undefined, moved: Entry | undefined): Look<Entry | undefined> {
  if (moved !== undefined && entry?.parent === moved.id) return moved;
  if (entry?.parent === undefined) return undefined;
  const [row] = yield [BY_ID, entry.parent];
  return row && decodeEntry(row);
}

function mayName(entry: Entry, attribute: string): boolean {
  return entry.attributes.has(attribute) || entry.memberCounts?.has(attribute) === true;
}

function* namesOneOf(entry: Entry, attribute: string, dns: readonly string[]): Look<boolean> {
  for (const value of textValues(entry, attribute)) {
    const dn = prepareFor('distinguishedNameMatch', value);
    if (dn !== undefined && dns.includes(dn)) return true;
  }
  if (entry.memberCounts?.has(attribute) !== true) return false;
  return (yield [HAS_MEMBER, TENANT, attribute, entry.id, JSON.stringify(dns)]).length > 0;
}

/** For a filter of a rule, which may ask for members. */
function* withMembers(entry: Entry): Look<Entry> {
  if (entry.memberCounts === undefined) return entry;
  const members = new Map<string, string[]>();
  for (const [key, value] of yield [MEMBERS, entry.id]) {
    const of = members.get(key as string);
    if (of === undefined) members.set(key as string, [value as string]);
    else of.push(value as string);
  }
  const attributes = new Map<string, Attribute>(entry.attributes);
  for (const [key, values] of members) attributes.set(key, { name: schema().attributeType(key)!.name, values });
  const { memberCounts: _, ...rest } = entry;
  return { ...rest, attributes };
}

function* withRoles(entry: Entry): Look<Entry> {
  const roles = rolesIn(yield* factsOf(entry.normalizedDn)).map((role) => `cn=${role}`);
  if (roles.length === 0) return entry;
  return { ...entry, attributes: new Map(entry.attributes).set(ROLES_KEY, { name: 'nsRole', values: roles }) };
}
