// May this caller make this change? Decided in the transaction that makes it, before anything of it is done and after
// everything of those before it.
//
//   add      `add`, and no deny of `write` on what comes
//   modify   `write` of each value that comes or goes; `selfwrite` where that is the caller's own name
//   rename   `write` of the names, old and new; a move also `delete` there and `add` here; and no deny of `write` under the new
//            name that is none under the old one. Of each entry below `delete` there and `add` here, and no such deny either
//   delete   `delete`
//
// What makes a server of the directory, which sees all of it, is given by no rule: a password below `ou=Hosts`, and the classes
// of an entry there that has one, are written by the Directory Manager and by servers.
//
// In      a change as it is asked for
// Limits  JUDGED_MEMBERS_MAX members of a list that goes, where a rule looks at them: 11
// Out     nothing; or insufficientAccessRights, whether the entry exists or not: `strongerAuthRequired` when the caller's own is gone

import { asciiLower } from '../../base/characters.ts';
import { idOf, type Revision } from '../../base/ids.ts';
import { operation, type Transaction } from '../../database/operation.ts';
import { type Caller, LOGIN_IS_OVER } from '../caller.ts';
import { type Ava, childOf, type Dn, parentOf, parseDn, parseRdn, type Rdn } from '../dn.ts';
import { entriesBelowIn, entryByUuidIn, findEntryIn, hasChildrenIn } from '../entries.ts';
import type { Attribute, AttributeValue, DirectoryChange, Entry, Modification } from '../entry.ts';
import { directoryFailure } from '../failure.ts';
import { equalityKey } from '../matching.ts';
import { namedMembersIn } from '../member-values.ts';
import { checkSubtreeSize, movedDn } from '../move-below.ts';
import { type AttributeType, schema, typeKeyOf } from '../schema.ts';
import { isScramKeys } from '../scram-values.ts';
import { isValidValue } from '../syntaxes.ts';
import { type AccessTarget, applicable, judgeRules, type RightDecision, type RightQuestion } from './decide.ts';
import { lookIn } from './look.ts';
import { inTransactions, type Plan } from './plan.ts';
import { hostsDn } from './roles.ts';
import type { AciRule } from './rule.ts';
import { targetOf, type ValuesOf } from './target.ts';

const JUDGED_MEMBERS_MAX = 1000;

type Change<K extends DirectoryChange['kind']> = Extract<DirectoryChange, { kind: K }>;

export async function checkChange(tx: Transaction, caller: Caller, change: DirectoryChange): Promise<void> {
  if (mayDoAll(caller)) return;
  const plan = await planIn(tx, caller);
  switch (change.kind) {
    case 'add':
      return checkAdd(tx, plan, change);
    case 'modify':
      return checkModify(tx, plan, change);
    case 'rename':
      return checkRename(tx, plan, change);
    case 'delete': {
      const entry = await entryOrNothing(tx, parseDn(change.dn));
      return require(judgeOf(await consider(tx, plan, { entry }), { right: 'delete' }));
    }
    default:
      return change satisfies never;
  }
}

/** Throws when the caller's own entry is gone. */
export async function planIn(tx: Transaction, caller: Caller): Promise<Plan> {
  if (caller.kind !== 'entry') return lookIn(tx, inTransactions.plan(caller));
  const entry = await entryByUuidIn(tx, caller.uuid);
  if (entry === undefined) throw directoryFailure('strongerAuthRequired', LOGIN_IS_OVER);
  return lookIn(tx, inTransactions.plan({ ...caller, dn: entry.dn }));
}

/** Rules that apply to an entry, and what they may ask about it. */
interface Considered {
  readonly rules: readonly AciRule[];
  readonly target: AccessTarget;
}

interface ConsideredEntry {
  readonly entry: Entry;
  readonly isNew?: boolean;
  readonly moved?: Entry | undefined;
  readonly values?: readonly ValuesOf[];
}

async function consider(tx: Transaction, plan: Plan, asked: ConsideredEntry): Promise<Considered> {
  const { caller, domains } = plan;
  const { rules, needs } = plan.candidates(asked.entry.normalizedDn, 'all');
  const target = await lookIn(tx, targetOf({ ...asked, needs, caller, domains }));
  return { rules: applicable(rules, caller, target), target };
}

function judgeOf({ rules, target }: Considered, question: RightQuestion): RightDecision {
  return judgeRules(rules, target, question);
}

function require({ allowed }: RightDecision): void {
  if (!allowed) throw directoryFailure('insufficientAccessRights', 'You may not do this');
}

async function checkAdd(tx: Transaction, plan: Plan, { dn, attributes }: Change<'add'>): Promise<void> {
  const name = parseDn(dn);
  const entry = await newEntry(tx, name, withNames(attributes, name.rdns[0]));
  const values = valuesOf(entry.attributes);
  requireNoNewServer(plan, entry);
  const considered = await consider(tx, plan, { entry, isNew: true, values });
  require(judgeOf(considered, { right: 'add' }));
  for (const [key, attribute] of entry.attributes) {
    const each = typeKeyOf(key);
    for (const value of asksValues(considered, each) ? attribute.values : [undefined]) {
      const refused = judgeOf(considered, writeOf(each, value, true));
      if (isDenied(refused)) require(refused);
    }
  }
}

function writeOf(attribute: string, value: AttributeValue | undefined, comes: boolean): RightQuestion {
  return { right: 'write', attribute, ...(value === undefined ? {} : { value: { comes, value } }) };
}

/** A rule looks at values of this attribute. */
function asksValues({ rules }: Considered, key: string): boolean {
  return rules.some(({ values }) => values?.add.has(key) === true || values?.delete.has(key) === true);
}

async function checkModify(tx: Transaction, plan: Plan, { dn, modifications }: Change<'modify'>): Promise<void> {
  const entry = await entryOrNothing(tx, parseDn(dn));
  const now: Now = new Map();
  for (const { attribute } of modifications) {
    const key = schema().description(attribute)?.key;
    if (key !== undefined && !now.has(key)) now.set(key, new Values(entry.attributes.get(key)?.values));
  }
  const come = modifications.map(({ attribute, values }) => ({ key: keyOf(attribute), values }));
  const all = (): readonly ValuesOf[] => [
    ...come,
    ...[...now].map(([key, of]) => ({ key: typeKeyOf(key), values: of.all })),
  ];
  const known = await consider(tx, plan, { entry, values: all() });
  const members = await membersThatGo(tx, known, modifications);
  for (const [key, values] of members) now.set(key, new Values(values));
  const considered = members.size === 0 ? known : await consider(tx, plan, { entry, values: all() });
  for (const modification of modifications) checkModification(plan, { considered, now }, modification);
  const written = modifications.map(({ attribute }) => keyOf(attribute));
  if (written.includes('userpassword')) requireNotBelowHosts(plan, entry);
  if (written.includes('objectclass')) requireNoNewServer(plan, entry);
}

/** Values as the modifications so far have left them, by the key of a description. */
type Now = Map<string, Values>;

/** Each once. A modification costs as many steps as it has values, however many there are. */
class Values {
  #first: readonly AttributeValue[];
  #byKey: Map<string, AttributeValue> | undefined;

  constructor(values: readonly AttributeValue[] = []) {
    this.#first = values;
  }

  get all(): readonly AttributeValue[] {
    return this.#byKey === undefined ? this.#first : [...this.#byKey.values()];
  }

  add(type: AttributeType, values: readonly AttributeValue[]): void {
    const byKey = this.#keyed(type);
    for (const value of values) byKey.set(equalityKey(type, value), value);
  }

  delete(type: AttributeType, values: readonly AttributeValue[]): void {
    const byKey = this.#keyed(type);
    for (const value of values) byKey.delete(equalityKey(type, value));
  }

  replace(values: readonly AttributeValue[]): void {
    this.#first = values;
    this.#byKey = undefined;
  }

  #keyed(type: AttributeType): Map<string, AttributeValue> {
    this.#byKey ??= new Map(this.#first.map((value) => [equalityKey(type, value), value]));
    return this.#byKey;
  }
}

function valuesOf(attributes: ReadonlyMap<string, Attribute>): ValuesOf[] {
  return [...attributes].map(([key, { values }]) => ({ key: typeKeyOf(key), values }));
}

/** All members of the lists that go as a whole, where a rule looks at the values. */
async function membersThatGo(
  tx: Transaction,
  considered: Considered,
  modifications: readonly Modification[],
): Promise<Map<string, readonly AttributeValue[]>> {
  const keys = modifications
    .filter(({ operation, values }) => operation === 'replace' || (operation === 'delete' && values.length === 0))
    .map(({ attribute }) => keyOf(attribute));
  return membersOf(
    tx,
    considered.target.entry,
    keys.filter((key) => asksValues(considered, key)),
  );
}

/** All members of these attributes. */
async function membersOf(
  tx: Transaction,
  entry: Entry,
  keys: readonly string[],
): Promise<Map<string, readonly AttributeValue[]>> {
  const found = new Map<string, readonly AttributeValue[]>();
  for (const key of keys) {
    const count = entry.memberCounts?.get(key)?.count ?? 0;
    if (count === 0 || found.has(key)) continue;
    if (count > JUDGED_MEMBERS_MAX)
      throw directoryFailure('adminLimitExceeded', `A rule would look at more than ${JUDGED_MEMBERS_MAX} members`);
    const named = await namedMembersIn(tx, entry, [{ attribute: key, values: 'all' }]);
    found.set(key, [...(named.values.get(key)?.values() ?? [])]);
  }
  return found;
}

function attributesOf(members: ReadonlyMap<string, readonly AttributeValue[]>): [string, Attribute][] {
  return [...members].map(([key, values]) => [key, { name: schema().attributeType(key)!.name, values }]);
}

function checkModification(
  plan: Plan,
  { considered, now }: { readonly considered: Considered; readonly now: Now },
  modification: Modification,
): void {
  const key = keyOf(modification.attribute);
  const { come, go } = asksValues(considered, key) ? movedValues(now, modification) : UNMOVED;
  const decisions = [
    ...come.map((value) => judgeOf(considered, writeOf(key, value, true))),
    ...go.map((value) => judgeOf(considered, writeOf(key, value, false))),
  ];
  if (decisions.length === 0) decisions.push(judgeOf(considered, writeOf(key, undefined, true)));
  const refused = decisions.find(({ allowed }) => !allowed);
  if (refused === undefined) return;
  // What a rule denies stays denied.
  const isOwn = refused.rule === undefined && namesOnly(plan.caller.dn, modification);
  if (!isOwn || !judgeOf(considered, { right: 'selfwrite', attribute: key }).allowed) require(refused);
}

interface Moved {
  readonly come: readonly AttributeValue[];
  readonly go: readonly AttributeValue[];
}

const UNMOVED: Moved = { come: [], go: [] };

/** And leaves in `known` what is there afterwards. */
function movedValues(known: Now, { operation, attribute, values }: Modification): Moved {
  const description = schema().description(attribute);
  if (description === undefined) return operation === 'delete' ? { come: [], go: values } : { come: values, go: [] };
  const { key, type } = description;
  const of = known.get(key)!;
  switch (operation) {
    case 'add':
      of.add(type, values);
      return { come: values, go: [] };
    case 'delete': {
      const go = values.length === 0 ? of.all : values;
      if (values.length === 0) of.replace([]);
      else of.delete(type, values);
      return { come: [], go };
    }
    default: {
      const now = of.all;
      const then = operation === 'replace' ? values : sums(type, now, values);
      of.replace(then);
      const [come, go] = [without(type, then, now), without(type, now, then)];
      // What changes nothing is asked for all the same.
      return come.length === 0 && go.length === 0 ? { come: then, go } : { come, go };
    }
  }
}

function without(
  type: AttributeType,
  values: readonly AttributeValue[],
  others: readonly AttributeValue[],
): readonly AttributeValue[] {
  const keys = new Set(others.map((value) => equalityKey(type, value)));
  return values.filter((value) => !keys.has(equalityKey(type, value)));
}

/** What cannot be added is refused when it is done. RFC 4525 §3 */
function sums(
  { syntax }: AttributeType,
  now: readonly AttributeValue[],
  [by = '']: readonly AttributeValue[],
): readonly AttributeValue[] {
  const isNumber = (value: AttributeValue): boolean => syntax === 'Integer' && isValidValue(syntax, value);
  if (!isNumber(by)) return now;
  return now.map((value) => (isNumber(value) ? String(BigInt(value as string) + BigInt(by as string)) : value));
}

function namesOnly(dn: string | undefined, { operation, attribute, values }: Modification): boolean {
  const type = schema().description(attribute)?.type;
  if (dn === undefined || type === undefined || operation === 'replace' || values.length === 0) return false;
  return values.every((value) => typeof value === 'string' && equalityKey(type, value) === dn);
}

async function checkRename(tx: Transaction, plan: Plan, change: Change<'rename'>): Promise<void> {
  const dn = parseDn(change.dn);
  const entry = await entryOrNothing(tx, dn);
  const newRdn = parseRdn(change.newRdn);
  const oldNames = dn.rdns[0]?.avas ?? [];
  const attributes = renamedAttributes(entry, change.deleteOldRdn ? oldNames : [], newRdn.avas);
  const names = [...newRdn.avas, ...oldNames].map(({ typeText, value }) => ({ key: keyOf(typeText), values: [value] }));
  const values = [...names, ...valuesOf(attributes)];
  const here = await consider(tx, plan, { entry, values });
  for (const { typeText, value } of newRdn.avas) require(judgeOf(here, writeOf(keyOf(typeText), value, true)));
  // A value that stays in the entry goes from its name all the same: who it is has changed.
  for (const { typeText, value } of oldNames) require(judgeOf(here, writeOf(keyOf(typeText), value, false)));
  const above = change.newSuperior === undefined ? parentOf(dn) : parseDn(change.newSuperior);
  if (above === undefined) return;
  const to = childOf(above, newRdn);
  if (to.normalized === dn.normalized) return;
  const moves = above.normalized !== parentOf(dn)?.normalized;
  const parent = moves ? (await findEntryIn(tx, above))?.id : entry.parent;
  const renamed = { ...entry, parent, dn: to.text, normalizedDn: to.normalized, attributes };
  requireNoNewServer(plan, renamed);
  const there = await consider(tx, plan, { entry: renamed, isNew: moves, values });
  if (moves) {
    require(judgeOf(here, { right: 'delete' }));
    require(judgeOf(there, { right: 'add' }));
  }
  await requireNoNewDeny(tx, plan, { here, there, isNew: moves, values });
  if (entry.id !== 0 && (await hasChildrenIn(tx, entry.id))) await checkBelow(tx, plan, entry, renamed);
}

const PAGE = 500;

/** Before a rule is asked about any of thousands they are counted. */
async function checkBelow(tx: Transaction, plan: Plan, base: Entry, renamed: Entry): Promise<void> {
  const dn = parseDn(base.dn);
  await checkSubtreeSize(tx, dn);
  for (let after: string | undefined; ; ) {
    const { entries, last } = await entriesBelowIn(tx, dn, after, PAGE);
    for (const entry of entries)
      if (entry.id !== base.id) await checkMoved(tx, plan, { entry, renamed, to: movedDn(entry, base, renamed.dn) });
    if (last === undefined) return;
    after = last;
  }
}

async function checkMoved(
  tx: Transaction,
  plan: Plan,
  { entry, renamed, to }: { readonly entry: Entry; readonly renamed: Entry; readonly to: Dn },
): Promise<void> {
  const values = valuesOf(entry.attributes);
  const here = await consider(tx, plan, { entry, values });
  require(judgeOf(here, { right: 'delete' }));
  const is = { ...entry, dn: to.text, normalizedDn: to.normalized };
  requireNoNewServer(plan, is);
  const there = await consider(tx, plan, { entry: is, isNew: true, moved: renamed, values });
  require(judgeOf(there, { right: 'add' }));
  await requireNoNewDeny(tx, plan, { here, there, isNew: true, moved: renamed, values });
}

function requireNoNewServer(plan: Plan, entry: Entry): void {
  if ([...entry.attributes.keys()].some((key) => typeKeyOf(key) === 'userpassword')) requireNotBelowHosts(plan, entry);
}

function requireNotBelowHosts({ caller }: Plan, { normalizedDn }: Entry): void {
  if (!caller.isServer && normalizedDn.endsWith(`,${hostsDn()}`))
    throw directoryFailure('insufficientAccessRights', 'Servers are made by the Directory Manager');
}

function renamedAttributes({ attributes }: Entry, goes: Rdn['avas'], comes: Rdn['avas']): Map<string, Attribute> {
  const renamed = new Map(attributes);
  for (const ava of goes) setValues(renamed, ava, []);
  for (const ava of comes) setValues(renamed, ava, [ava.value]);
  return renamed;
}

/** This value's place is taken by none or by itself. */
function setValues(attributes: Map<string, Attribute>, { typeText, value }: Ava, by: readonly AttributeValue[]): void {
  const description = schema().description(typeText);
  if (description === undefined) return;
  const { key, type } = description;
  const own = equalityKey(type, value);
  const others = (attributes.get(key)?.values ?? []).filter((each) => equalityKey(type, each) !== own);
  const values = [...others, ...by];
  if (values.length === 0) attributes.delete(key);
  else attributes.set(key, { name: typeText, values });
}

interface Renamed {
  readonly here: Considered;
  readonly there: Considered;
  readonly moved?: Entry;
  readonly isNew: boolean;
  readonly values: readonly ValuesOf[];
}

/** Members that are rows are read where a rule there looks at their values. */
async function requireNoNewDeny(
  tx: Transaction,
  plan: Plan,
  { here, there, isNew, moved, values }: Renamed,
): Promise<void> {
  const { entry } = there.target;
  const asked = [...(entry.memberCounts?.keys() ?? [])].filter((key) => asksValues(there, key));
  const members = await membersOf(tx, entry, asked);
  if (members.size === 0) return requireNone(here, there);
  const all = [...values, ...[...members].map(([key, some]) => ({ key, values: some }))];
  const whole = { ...entry, attributes: new Map([...entry.attributes, ...attributesOf(members)]) };
  requireNone(
    await consider(tx, plan, { entry: here.target.entry, values: all }),
    await consider(tx, plan, { entry: whole, isNew, moved, values: all }),
  );
}

/**
 * Under its new name the entry may be one that the caller must not write: then it cannot become that one. What was denied under
 * the old name too stays as whoever was allowed to write it has left it.
 */
function requireNone(here: Considered, there: Considered): void {
  const { attributes, memberCounts } = there.target.entry;
  const keys = [...attributes.keys(), ...(memberCounts?.keys() ?? [])];
  for (const key of keys) {
    const each = typeKeyOf(key);
    for (const value of (asksValues(there, each) ? attributes.get(key)?.values : undefined) ?? [undefined]) {
      const question = writeOf(each, value, true);
      const refused = judgeOf(there, question);
      if (isDenied(refused) && !isDenied(judgeOf(here, question))) require(refused);
    }
  }
}

/** By a rule, not by the want of one. */
function isDenied({ allowed, rule }: RightDecision): boolean {
  return !allowed && rule !== undefined;
}

/** What is not there has no attributes: the answer is the same for an entry and for a name, unless a rule tells them apart. */
async function entryOrNothing(tx: Transaction, dn: Dn): Promise<Entry> {
  return (await findEntryIn(tx, dn)) ?? newEntry(tx, dn, []);
}

async function newEntry(tx: Transaction, dn: Dn, attributes: readonly Attribute[]): Promise<Entry> {
  const above = parentOf(dn);
  // One attribute may come in thousands of parts.
  const known = new Map<string, { readonly name: string; readonly values: AttributeValue[] }>();
  for (const { name, values } of attributes) {
    const key = schema().description(name)?.key ?? asciiLower(name);
    const attribute = known.get(key);
    if (attribute === undefined) known.set(key, { name, values: [...values] });
    else for (const value of values) attribute.values.push(value);
  }
  return {
    id: 0,
    parent: above === undefined ? undefined : (await findEntryIn(tx, above))?.id,
    dn: dn.text,
    normalizedDn: dn.normalized,
    uuid: '',
    revision: idOf<Revision>(0),
    attributes: known,
    createdAt: 0,
    modifiedAt: 0,
  };
}

function withNames(attributes: readonly Attribute[], rdn: Rdn | undefined): Attribute[] {
  return [...attributes, ...(rdn?.avas ?? []).map(({ typeText, value }) => ({ name: typeText, values: [value] }))];
}

function keyOf(attribute: string): string {
  return schema().description(attribute)?.type.key ?? asciiLower(attribute);
}

export function mayDoAll({ kind }: Caller): boolean {
  return kind === 'administrator' || kind === 'server';
}

/** Keys beside another value would be of another password, perhaps: then the entry would have two. */
export function checkKeys(caller: Caller, change: DirectoryChange): void {
  if (!mayDoAll(caller) && passwordsIn(change).some(isScramKeys))
    throw directoryFailure('insufficientAccessRights', 'Keys are made by the server');
}

/** The values of userPassword that a change brings. */
export function passwordsIn(change: DirectoryChange): readonly AttributeValue[] {
  if (change.kind !== 'add' && change.kind !== 'modify') return [];
  const lists =
    change.kind === 'add'
      ? change.attributes
      : change.modifications.map(({ attribute, values }) => ({ name: attribute, values }));
  return lists.filter(({ name }) => keyOf(name) === 'userpassword').flatMap(({ values }) => values);
}

/**
 * Asked before the work that precedes a transaction (passwords are hashed), so that a stranger cannot cause that work: throws
 * for what this caller may do nowhere. It permits nothing.
 */
export const checkAnywhere = operation(
  'directory.checkAnywhere',
  async (tx, { caller, kinds }: { readonly caller: Caller; readonly kinds: readonly DirectoryChange['kind'][] }) => {
    const plan = await planIn(tx, caller);
    for (const kind of kinds)
      if (!plan.mightAllow(kind === 'add' ? 'add' : 'write')) require({ allowed: false, rule: undefined });
  },
);
