// Random rules, groups and domains against a naive evaluator, which knows the rules as they were thought and not as they are
// written: for every caller, every entry and every attribute the same reads, filters, changes and new names.
// `RULES_RUNS` is how many, beside the examples.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../base/failure.ts';
import type { Filter } from '../../wire/ldap/filter.ts';
import { ANONYMOUS, type Caller, callerOf } from '../caller.ts';
import { getEntry } from '../entries.ts';
import type { DirectoryChange } from '../entry.ts';
import { openTestDirectory, replaceAci, searchAll, type TestDirectory } from '../testing.ts';
import { sightOf } from './sight.ts';

const RUNS = Number(process.env['RULES_RUNS'] ?? 10);

const ROOT = 'o=internet';
const ACME = 'dc=acme,dc=example,o=internet';
const SUB = `dc=sub,${ACME}`;
const FAR = 'dc=far,dc=example,o=internet';
const BASE = 'o=base,o=internet';
const PEOPLE = `ou=people,${ACME}`;
const ANN = `uid=ann,${PEOPLE}`;
const PERSONS = [ANN, `uid=bob,${PEOPLE}`, `uid=kim,${SUB}`, `uid=zoe,${BASE}`];
const GROUPS = ['cn=g0', 'cn=g1', 'cn=g2', 'cn=g3', 'cn=g4', 'cn=g5', 'cn=g6'].map((rdn) => `${rdn},${BASE}`);
const DOMAINS = [ACME, SUB, FAR];
const RULED = [ROOT, ACME, PEOPLE, ANN];
const ATTRIBUTES = ['cn', 'description', 'telephonenumber'] as const;
const RIGHTS = ['read', 'search', 'compare', 'write', 'add', 'delete'] as const;
const VALUES = ['x', 'y'] as const;

/** objectClass stands for all that no rule names. */
type Attribute = (typeof ATTRIBUTES)[number] | 'objectclass';
type Right = (typeof RIGHTS)[number];

type Bind =
  | { is: 'anyone' | 'all' | 'self' | 'parent' | 'role' }
  | { is: 'user' | 'group'; dn: string }
  | { is: 'manager'; of: 'USERDN' | 'GROUPDN'; levels: number[] }
  | { is: 'and' | 'or'; left: Bind; right: Bind }
  | { is: 'not'; bind: Bind };

interface Thought {
  target: string | undefined;
  scope: 'base' | 'onelevel' | 'subtree' | 'subordinate';
  attributes: { not: boolean; names: readonly string[] } | undefined;
  filter: { not: boolean; value: string } | undefined;
  /** Values of `description` that may come: that one, or all but it. */
  comes: { not: boolean; value: string } | undefined;
  allows: boolean;
  rights: readonly Right[];
  bind: Bind;
}

interface Node {
  dn: string;
  values: Map<string, string[]>;
}
interface World {
  nodes: Map<string, Node>;
  rules: Map<string, Thought[]>;
}

const aboveOf = (dn: string): string | undefined => (dn.includes(',') ? dn.slice(dn.indexOf(',') + 1) : undefined);

function lineOf(dn: string): string[] {
  const above = aboveOf(dn);
  return above === undefined ? [dn] : [dn, ...lineOf(above)];
}

function groupsOf(world: World, member: string): Set<string> {
  const found = new Set<string>();
  let level = [member];
  for (let depth = 0; depth < 5; depth++) {
    level = GROUPS.filter((group) => level.some((dn) => world.nodes.get(group)!.values.get('member')?.includes(dn)));
    for (const group of level) found.add(group);
  }
  return found;
}

function administers(world: World, caller: string, dn: string): boolean {
  for (const at of lineOf(dn)) {
    const here = DOMAINS.filter((domain) => domain === at || world.nodes.get(domain)!.values.get('base')?.[0] === at);
    if (here.length === 0) continue;
    const named = here.flatMap((domain) => world.nodes.get(domain)!.values.get('administrator') ?? []);
    return named.some((name) => name === caller || groupsOf(world, caller).has(name));
  }
  return false;
}

function holds(world: World, bind: Bind, caller: string | undefined, at: { dn: string; isNew: boolean }): boolean {
  switch (bind.is) {
    case 'and':
      return holds(world, bind.left, caller, at) && holds(world, bind.right, caller, at);
    case 'or':
      return holds(world, bind.left, caller, at) || holds(world, bind.right, caller, at);
    case 'not':
      return !holds(world, bind.bind, caller, at);
    case 'anyone':
      return true;
  }
  if (caller === undefined) return false;
  switch (bind.is) {
    case 'all':
      return true;
    case 'self':
      return caller === at.dn;
    case 'parent':
      return caller === aboveOf(at.dn);
    case 'user':
      return caller === bind.dn;
    case 'group':
      return groupsOf(world, caller).has(bind.dn);
    case 'role':
      return administers(world, caller, at.isNew ? aboveOf(at.dn)! : at.dn);
    case 'manager':
      return bind.levels.some((level) => {
        if (at.isNew && level === 0) return false;
        const managers = world.nodes.get(lineOf(at.dn)[level] ?? '')?.values.get('manager') ?? [];
        return managers.some((dn) => (bind.of === 'USERDN' ? dn === caller : groupsOf(world, caller).has(dn)));
      });
  }
}

function inScope(scope: Thought['scope'], dn: string, base: string): boolean {
  const depth = lineOf(dn).indexOf(base);
  if (depth < 0) return false;
  return { base: depth === 0, onelevel: depth === 1, subtree: true, subordinate: depth > 0 }[scope];
}

interface Asked {
  dn: string;
  right: Right;
  attribute?: Attribute;
  /** Of an added value. */
  value?: string;
  isNew?: boolean;
}

/** True, false, or undefined where no rule says anything. */
function decided(world: World, caller: string | undefined, asked: Asked): boolean | undefined {
  let allowed: boolean | undefined;
  for (const at of lineOf(asked.dn))
    for (const rule of world.rules.get(at) ?? []) {
      if (!rule.rights.includes(asked.right) || !inScope(rule.scope, asked.dn, rule.target ?? at)) continue;
      if (!lineOf(asked.dn).includes(at)) continue;
      if (rule.filter !== undefined) {
        const has = world.nodes.get(asked.dn)?.values.get('description')?.includes(rule.filter.value) === true;
        if (has === rule.filter.not) continue;
      }
      if (!isOf(rule, asked)) continue;
      if (!holds(world, rule.bind, caller, { dn: asked.dn, isNew: asked.isNew === true })) continue;
      if (!rule.allows) return false;
      allowed = true;
    }
  return allowed;
}

function isOf({ attributes, comes }: Thought, { attribute, value }: Asked): boolean {
  if (attribute === undefined)
    return attributes === undefined ? comes === undefined : !attributes.not && attributes.names.includes('*');
  if (comes !== undefined && attribute === 'description' && value !== undefined)
    return (value === comes.value) !== comes.not;
  if (attributes === undefined) return false;
  const isNamed = attributes.names.includes('*') || attributes.names.includes(attribute);
  return isNamed !== attributes.not;
}

// As text.

function bindText(bind: Bind): string {
  switch (bind.is) {
    case 'and':
    case 'or':
      return `(${bindText(bind.left)} ${bind.is} ${bindText(bind.right)})`;
    case 'not':
      return `not ${bindText(bind.bind)}`;
    case 'role':
      return 'roledn = "ldap:///cn=domain administrator"';
    case 'user':
      return `userdn="ldap:///${bind.dn}"`;
    case 'group':
      return `groupdn = "ldap:///${bind.dn.toUpperCase()}"`;
    case 'manager': {
      const parent = bind.levels.length === 1 && bind.levels[0] === 0 ? '' : `parent[${bind.levels.join(',')}].`;
      return `userattr = "${parent}manager#${bind.of}"`;
    }
    default:
      return `userdn = "ldap:///${bind.is}"`;
  }
}

function textOf(rule: Thought, name: number): string {
  const { target, scope, attributes, filter, comes, allows, rights, bind } = rule;
  return [
    target === undefined ? '' : `(target = "ldap:///${target}")`,
    `(targetscope = "${scope}")`,
    attributes === undefined ? '' : `(targetattr ${attributes.not ? '!=' : '='} "${attributes.names.join(' || ')}")`,
    filter === undefined ? '' : `(targetfilter ${filter.not ? '!=' : '='} "(description=${filter.value})")`,
    comes === undefined
      ? ''
      : `(targattrfilters="add=description:${comes.not ? '(!' : ''}(description=${comes.value})${comes.not ? ')' : ''}")`,
    `(version 3.0; acl "r${name}"; ${allows ? 'allow' : 'deny'} (${rights.join(',')}) ${bindText(bind)};)`,
  ].join(' ');
}

// What is random.

const { bind } = fc.letrec<{ bind: Bind }>((tie) => ({
  bind: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    fc.constantFrom<Bind>({ is: 'anyone' }, { is: 'all' }, { is: 'self' }, { is: 'parent' }, { is: 'role' }),
    fc.constantFrom(...PERSONS).map((dn): Bind => ({ is: 'user', dn })),
    fc.constantFrom(...GROUPS).map((dn): Bind => ({ is: 'group', dn })),
    fc.record({
      is: fc.constant('manager' as const),
      of: fc.constantFrom('USERDN' as const, 'GROUPDN' as const),
      levels: fc.constantFrom<number[][]>([0], [1], [0, 1, 2]),
    }),
    fc.record({ is: fc.constantFrom('and' as const, 'or' as const), left: tie('bind'), right: tie('bind') }),
    fc.record({ is: fc.constant('not' as const), bind: tie('bind') }),
  ),
}));

const names = fc.oneof(fc.constant(['*']), fc.subarray([...ATTRIBUTES], { minLength: 1 }));
const valued = fc.record({ not: fc.boolean(), value: fc.constantFrom(...VALUES) });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined, freq: 2 });
const thought = (at: string): fc.Arbitrary<Thought> =>
  fc.record({
    target: maybe(fc.constantFrom(at, ...[ACME, PEOPLE, ANN, BASE].filter((dn) => lineOf(dn).includes(at)))),
    scope: fc.constantFrom<Thought['scope'][]>('subtree', 'subtree', 'base', 'onelevel', 'subordinate'),
    attributes: fc.option(fc.record({ not: fc.boolean(), names }), { nil: undefined, freq: 6 }),
    filter: maybe(valued),
    comes: fc.option(valued, { nil: undefined, freq: 1 }),
    allows: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
    rights: fc.subarray([...RIGHTS], { minLength: 2 }),
    bind,
  });

type Step =
  | { kind: 'rules'; at: string; rules: Thought[] }
  | { kind: 'member'; dn: string; values: string[] }
  | { kind: 'administrator'; dn: string; values: string[] }
  | { kind: 'base'; dn: string; values: string[] }
  | { kind: 'manager' | 'description'; dn: string; values: string[] };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.constantFrom(...RULED).chain((at) =>
      fc.record({
        kind: fc.constant('rules' as const),
        at: fc.constant(at),
        rules: fc.array(thought(at), { maxLength: 4 }),
      }),
    ),
    weight: 3,
  },
  fc.record({
    kind: fc.constant('member' as const),
    dn: fc.constantFrom(...GROUPS),
    values: fc.subarray([...PERSONS, ...GROUPS], { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('administrator' as const),
    dn: fc.constantFrom(...DOMAINS),
    values: fc.subarray([...PERSONS, ...GROUPS], { maxLength: 2 }),
  }),
  fc.record({
    kind: fc.constant('base' as const),
    dn: fc.constant(FAR),
    values: fc.constantFrom<string[][]>([], [BASE]),
  }),
  fc.record({
    kind: fc.constant('manager' as const),
    dn: fc.constantFrom(...PERSONS),
    values: fc.subarray([...PERSONS, ...GROUPS], { maxLength: 2 }),
  }),
  fc.record({
    kind: fc.constant('description' as const),
    dn: fc.constantFrom(...PERSONS, PEOPLE, ACME),
    values: fc.subarray([...VALUES]),
  }),
);

const WRITTEN: Readonly<Record<string, string>> = { administrator: 'waypostAdministrator', base: 'inetDomainBaseDN' };

const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    fc.record({
      kind: fc.constant('equality' as const),
      attribute: fc.constantFrom(...ATTRIBUTES),
      value: fc.constantFrom('x', 'y', 'ann'),
    }),
    fc.record({ kind: fc.constant('present' as const), attribute: fc.constantFrom(...ATTRIBUTES) }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      filters: fc.array(tie('filter'), { maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
  ),
})).filter;

function matches(world: World, of: Filter, caller: string | undefined, dn: string): boolean | undefined {
  switch (of.kind) {
    case 'and':
    case 'or': {
      const winner = of.kind === 'or';
      const each = of.filters.map((inner) => matches(world, inner, caller, dn));
      return each.includes(winner) ? winner : each.includes(undefined) ? undefined : !winner;
    }
    case 'not': {
      const inner = matches(world, of.filter, caller, dn);
      return inner === undefined ? undefined : !inner;
    }
    case 'present':
    case 'equality': {
      if (decided(world, caller, { dn, right: 'search', attribute: of.attribute as Attribute }) !== true)
        return undefined;
      const values = world.nodes.get(dn)!.values.get(of.attribute) ?? [];
      return of.kind === 'present' ? values.length > 0 : values.includes(String(of.value));
    }
  }
  return assert.fail();
}

/** Always among them: what is allowed to all, and denied below. */
const ofAll = (allows: boolean, names: readonly string[], rights: readonly Right[]): Thought => ({
  ...{ target: undefined, scope: 'subtree', attributes: { not: false, names }, filter: undefined, comes: undefined },
  ...{ allows, rights, bind: { is: 'all' } },
});
const DENIED: Step[] = [
  { kind: 'rules', at: ROOT, rules: [ofAll(true, ['*'], RIGHTS)] },
  { kind: 'rules', at: PEOPLE, rules: [ofAll(false, ['cn'], ['read', 'write'])] },
  { kind: 'rules', at: ANN, rules: [ofAll(false, ['*'], ['delete'])] },
];

/** Where she moves to, and not where she is. */
const CLOSED: Step[] = [
  { kind: 'rules', at: ROOT, rules: [ofAll(true, ['*'], RIGHTS)] },
  { kind: 'description', dn: ANN, values: ['x'] },
  { kind: 'rules', at: ACME, rules: [{ ...ofAll(false, ['description'], ['write']), scope: 'onelevel' }] },
];

/** And what may move as it is, but for an entry below it. */
const KEPT: Step[] = [
  { kind: 'rules', at: ROOT, rules: [ofAll(true, ['*'], RIGHTS)] },
  { kind: 'description', dn: PEOPLE, values: ['x'] },
  { kind: 'rules', at: ANN, rules: [ofAll(false, ['*'], ['delete'])] },
];

/** Only of domains: one of its own, and one by its base and through a group. */
const ADMINISTERED: Step[] = [
  { kind: 'rules', at: ROOT, rules: [{ ...ofAll(true, ['*'], RIGHTS), bind: { is: 'role' } }] },
  { kind: 'administrator', dn: ACME, values: [ANN] },
  { kind: 'member', dn: GROUPS[0]!, values: [PERSONS[1]!] },
  { kind: 'administrator', dn: FAR, values: [GROUPS[0]!] },
  { kind: 'base', dn: FAR, values: [BASE] },
];

/** Whom an entry or one above it names, by their own name at first. */
const named = (of: 'USERDN' | 'GROUPDN'): Step => ({
  ...{ kind: 'rules', at: ROOT },
  rules: [{ ...ofAll(true, ['*'], RIGHTS), bind: { is: 'manager', of, levels: [0, 1, 2] } }],
});
const NAMED: Step[] = [
  { kind: 'manager', dn: ANN, values: [PERSONS[1]!, GROUPS[0]!] },
  named('USERDN'),
  { kind: 'member', dn: GROUPS[0]!, values: [PERSONS[2]!] },
  named('GROUPDN'),
];
const EXAMPLES = [DENIED, CLOSED, KEPT, ADMINISTERED, NAMED];

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

/** What is there before any step. */
async function begin(): Promise<World> {
  const world: World = { nodes: new Map(), rules: new Map() };
  const put = async (dn: string, classes: readonly string[], values: Record<string, string[]>) => {
    const known = new Map(Object.entries(values).map(([name, of]) => [name.toLowerCase(), of]));
    world.nodes.set(dn, { dn, values: known });
    if (dn !== ROOT) await directory.add(dn, { objectClass: classes, ...values });
  };
  await put(ROOT, [], {});
  await put('dc=example,o=internet', ['domain'], { dc: ['example'] });
  for (const dn of DOMAINS)
    await put(dn, ['domain', 'inetDomain', 'mailDomain'], { dc: [dn.slice(3, dn.indexOf(','))] });
  await put(BASE, ['organization'], { o: ['base'] });
  await put(PEOPLE, ['organizationalUnit'], { ou: ['people'] });
  for (const dn of PERSONS) {
    const uid = dn.slice(4, dn.indexOf(','));
    await put(dn, ['inetOrgPerson'], { uid: [uid], cn: [uid], sn: [uid], telephoneNumber: ['1'] });
  }
  for (const dn of GROUPS) await put(dn, ['groupOfNames'], { cn: [dn.slice(3, dn.indexOf(','))] });
  return world;
}

async function take(world: World, step: Step): Promise<void> {
  if (step.kind === 'rules') {
    world.rules.set(step.at, step.rules);
    await directory.apply(replaceAci(step.at, step.rules.map(textOf)));
    return;
  }
  world.nodes.get(step.dn)!.values.set(step.kind, step.values);
  const attribute = WRITTEN[step.kind] ?? step.kind;
  const modifications = [{ operation: 'replace', attribute, values: step.values }] as const;
  await directory.apply({ kind: 'modify', dn: step.dn, modifications });
}

async function mayChange(caller: Caller, change: DirectoryChange): Promise<boolean> {
  try {
    await directory.check(caller, change);
    return true;
  } catch (error) {
    assert.ok(error instanceof Failure && error.ldap?.name === 'insufficientAccessRights', String(error));
    return false;
  }
}

/** A new name `cn=renamed`, the old one's value kept, perhaps below another entry. */
function mayRename(world: World, caller: string | undefined, dn: string, newSuperior: string | undefined): boolean {
  const to = `cn=renamed,${newSuperior ?? aboveOf(dn)}`;
  const here = (right: Right, more: Partial<Asked>) => decided(world, caller, { dn, right, ...more });
  if (here('write', { attribute: 'cn', value: 'renamed' }) !== true) return false;
  // `uid`, which goes as a name.
  if (here('write', { attribute: 'objectclass' }) !== true) return false;
  if (newSuperior !== undefined && here('delete', {}) !== true) return false;
  const isNew = newSuperior !== undefined;
  const below = [...world.nodes.keys()].filter((each) => each.endsWith(`,${dn}`));
  const placeOf = (each: string) => `${each.slice(0, -dn.length)}${to}`;
  for (const each of [dn, ...below])
    world.nodes.set(placeOf(each), { dn: placeOf(each), values: world.nodes.get(each)!.values });
  const may =
    mayStand(world, caller, { from: dn, to, isNew, renamed: true }) &&
    below.every(
      (each) =>
        decided(world, caller, { dn: each, right: 'delete' }) === true &&
        mayStand(world, caller, { from: each, to: placeOf(each), isNew: true, renamed: false }),
    );
  for (const each of [dn, ...below]) world.nodes.delete(placeOf(each));
  return may;
}

interface Moved {
  from: string;
  to: string;
  isNew: boolean;
  /** It has a new value of `cn`. */
  renamed: boolean;
}

/** At a place that has been made for it. */
function mayStand(world: World, caller: string | undefined, { from, to, isNew, renamed }: Moved): boolean {
  const old = world.nodes.get(from)!;
  const here = (right: Right, more: Partial<Asked>) => decided(world, caller, { dn: from, right, ...more });
  const there = (right: Right, more: Partial<Asked>) => decided(world, caller, { dn: to, right, isNew, ...more });
  const asksValues = lineOf(to).some((at) =>
    (world.rules.get(at) ?? []).some(
      (rule) => rule.comes !== undefined && applies(world, rule, caller, { at, to, isNew }),
    ),
  );
  const kept: Partial<Asked>[] = [
    { attribute: 'objectclass' },
    ...ATTRIBUTES.flatMap((attribute): Partial<Asked>[] => {
      const values = attribute === 'cn' && renamed ? ['x'] : (old.values.get(attribute) ?? []);
      if (attribute !== 'description' || !asksValues) return values.length === 0 ? [] : [{ attribute }];
      return values.map((value) => ({ attribute, value }));
    }),
  ];
  const isDenied = kept.some((more) => there('write', more) === false && here('write', more) !== false);
  return !isDenied && (!isNew || there('add', {}) === true);
}

interface PlaceOfRule {
  /** Where the rule stands. */
  at: string;
  to: string;
  isNew: boolean;
}

function applies(world: World, rule: Thought, caller: string | undefined, { at, to, isNew }: PlaceOfRule): boolean {
  if (!inScope(rule.scope, to, rule.target ?? at)) return false;
  const values = world.nodes.get(to)?.values.get('description') ?? [];
  if (rule.filter !== undefined && values.includes(rule.filter.value) === rule.filter.not) return false;
  return holds(world, rule.bind, caller, { dn: to, isNew });
}

async function compare(world: World, asked: Filter): Promise<void> {
  const { reader } = directory;
  for (const dn of [undefined, ...PERSONS]) {
    const caller = dn === undefined ? ANONYMOUS : callerOf(getEntry(reader, dn));
    const sight = sightOf(reader, caller, true);
    const seen: string[] = [];
    for (const [at, { values }] of world.nodes) {
      const entry = getEntry(reader, at);
      const said = `${dn} on ${at}`;
      const naive = (right: Right, attribute?: Attribute) =>
        decided(world, dn, { dn: at, right, ...(attribute === undefined ? {} : { attribute }) }) === true;
      for (const attribute of ATTRIBUTES) {
        assert.equal(sight.mayRead(entry, attribute), naive('read', attribute), `${said} read ${attribute}`);
        assert.equal(sight.maySearch!(entry, attribute), naive('search', attribute), `${said} search ${attribute}`);
        assert.equal(sight.mayCompare(entry, attribute), naive('compare', attribute), `${said} compare ${attribute}`);
        const modifications = [{ operation: 'add', attribute, values: ['x'] }] as const;
        const writes = decided(world, dn, { dn: at, right: 'write', attribute, value: 'x' }) === true;
        assert.equal(
          await mayChange(caller, { kind: 'modify', dn: at, modifications }),
          writes,
          `${said} write ${attribute}`,
        );
      }
      assert.equal(await mayChange(caller, { kind: 'delete', dn: at }), naive('delete'), `${said} delete`);
      const fresh = `cn=new,${at}`;
      // The entry is judged as it would be.
      world.nodes.set(fresh, { dn: fresh, values: new Map([['description', ['x']]]) });
      const adds =
        decided(world, dn, { dn: fresh, right: 'add', isNew: true }) === true &&
        (['cn', 'description', 'objectclass'] as const).every(
          (attribute) =>
            decided(world, dn, { dn: fresh, right: 'write', attribute, value: 'x', isNew: true }) !== false,
        );
      world.nodes.delete(fresh);
      const attributes = [
        { name: 'objectClass', values: ['person'] },
        { name: 'description', values: ['x'] },
      ];
      assert.equal(await mayChange(caller, { kind: 'add', dn: fresh, attributes }), adds, `${said} add below`);
      const has = ATTRIBUTES.filter((attribute) => (values.get(attribute)?.length ?? 0) > 0);
      const shows = sight.shown(entry);
      for (const attribute of has)
        assert.equal(shows?.attributes.has(attribute) === true, naive('read', attribute), said);
      const exists = naive('read', 'objectclass') || has.some((attribute) => naive('read', attribute));
      assert.equal(shows !== undefined, exists, `${said} exists`);
      if (exists && matches(world, asked, dn, at) === true) seen.push(at);
    }
    for (const at of [...PERSONS, PEOPLE])
      for (const newSuperior of [undefined, ACME, BASE]) {
        if (newSuperior === aboveOf(at)) continue;
        const rename = { kind: 'rename', dn: at, newRdn: 'cn=renamed', deleteOldRdn: false, newSuperior } as const;
        assert.equal(
          await mayChange(caller, rename),
          mayRename(world, dn, at, newSuperior),
          `${dn} renames ${at} ${newSuperior}`,
        );
      }
    const found = searchAll(reader, { base: ROOT, scope: 'sub', filter: asked, sight }, 100).map(
      (entry) => entry.normalizedDn,
    );
    assert.deepEqual(found.sort(), seen.sort(), `${dn} ${JSON.stringify(asked)}`);
  }
}

test('decisions are those of a naive evaluator', { timeout: 280_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 10 }), filter, async (steps, asked) => {
      directory.close();
      directory = await openTestDirectory();
      const world = await begin();
      for (const each of steps.slice(0, -2)) await take(world, each);
      await compare(world, asked);
      for (const each of steps.slice(-2)) await take(world, each);
      await compare(world, asked);
    }),
    {
      // The examples are among the runs that it counts.
      numRuns: EXAMPLES.length + RUNS,
      examples: EXAMPLES.map((steps): [Step[], Filter] => [steps, { kind: 'present', attribute: 'cn' }]),
    },
  );
});
