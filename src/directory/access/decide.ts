// May this caller do that? The one answer, for reads and changes, and for who asks why.
//
// In      rules; what is known of the caller and of the entry; a right, of an attribute or of the entry, perhaps with a value
// Out     yes or no, and the rule that says so: a matching deny refuses, else a matching allow allows, else no
// Never   reads the tables: `AccessTarget` says what the rules may ask about the entry, and whoever made it has read that
//
// Of an entry without an attribute: add, delete and proxy are rights of the entry, which a rule gives that has no targetattr
// or all user attributes. Whether an entry can be seen is the question whether one of its attributes can be (sight.ts).

import type { AttributeValue, Entry } from '../entry.ts';
import { schema } from '../schema.ts';
import { matchesPattern } from './name-pattern.ts';
import type { AciRule, AttributeSet, Bind, Right, Role, Scope } from './rule.ts';

export interface CallerFacts {
  /** Normalized; undefined for an anonymous caller. */
  readonly dn: string | undefined;
  readonly isSiteAdministrator: boolean;
  readonly isServer: boolean;
  /** Of some domain. */
  readonly isDomainAdministrator: boolean;
  /** Normalized DNs. */
  readonly groups: ReadonlySet<string>;
}

/** An entry, as it is or as it would be, and what rules ask beside it. */
export interface AccessTarget {
  readonly entry: Entry;
  /** The entry above it, undefined for a root. Normalized. */
  readonly above: string | undefined;
  /** Of the domain that it is in, whatever else the caller is. */
  isAdministered(): boolean;
  /** The attribute of the entry (0) or of one above names the caller, or a group that the caller is in. */
  names(attribute: string, level: number, what: 'user' | 'group'): boolean;
  /** The target filter of this rule. */
  matches(rule: AciRule): boolean;
  /** The value names nothing outside the domain that the entry is in. */
  isOwn(value: AttributeValue): boolean;
}

export interface RightQuestion {
  readonly right: Right;
  /** A type key; undefined asks about the entry. */
  readonly attribute?: string;
  /** Of a write: it comes, or it goes. */
  readonly value?: { readonly comes: boolean; readonly value: AttributeValue };
}

export interface RightDecision {
  readonly allowed: boolean;
  /** Undefined where none says anything: that is no. */
  readonly rule: AciRule | undefined;
}

const NOTHING: RightDecision = { allowed: false, rule: undefined };

/** The rules of these that are about this entry and this caller, whatever the right. */
export function applicable(rules: readonly AciRule[], caller: CallerFacts, target: AccessTarget): AciRule[] {
  return rules.filter((rule) => isAbout(rule, target) && binds(rule.bind, caller, { target, rule }));
}

/** As decide, of rules that apply. */
export function judgeRules(
  rules: readonly AciRule[],
  target: Pick<AccessTarget, 'entry' | 'isOwn'>,
  question: RightQuestion,
): RightDecision {
  let allowing: AciRule | undefined;
  for (const rule of rules) {
    if (!rule.rights.has(question.right) || (rule.allows && allowing !== undefined)) continue;
    if (!covers(rule, target, question)) continue;
    if (!rule.allows) return { allowed: false, rule };
    allowing = rule;
  }
  return allowing === undefined ? NOTHING : { allowed: true, rule: allowing };
}

/** What can be said of a condition before an entry is known: undefined where the entry decides. */
export function bindsAnywhere(bind: Bind, caller: CallerFacts): boolean | undefined {
  switch (bind.kind) {
    case 'and': {
      const [left, right] = [bindsAnywhere(bind.left, caller), bindsAnywhere(bind.right, caller)];
      return left === false || right === false ? false : left === true && right === true ? true : undefined;
    }
    case 'or': {
      const [left, right] = [bindsAnywhere(bind.left, caller), bindsAnywhere(bind.right, caller)];
      return left === true || right === true ? true : left === false && right === false ? false : undefined;
    }
    case 'not': {
      const inner = bindsAnywhere(bind.bind, caller);
      return inner === undefined ? undefined : !inner;
    }
    case 'self':
    case 'parent':
    case 'attribute':
      return caller.dn === undefined ? false : undefined;
    case 'role':
      if (bind.role !== 'domain administrator') return hasRole(bind.role, caller);
      return caller.isDomainAdministrator && !caller.isSiteAdministrator ? undefined : false;
    default:
      return binds(bind, caller, undefined);
  }
}

interface Place {
  readonly target: AccessTarget;
  readonly rule: AciRule;
}

/** Without a place only what needs none is asked. */
function binds(bind: Bind, caller: CallerFacts, place: Place | undefined): boolean {
  switch (bind.kind) {
    case 'and':
      return binds(bind.left, caller, place) && binds(bind.right, caller, place);
    case 'or':
      return binds(bind.left, caller, place) || binds(bind.right, caller, place);
    case 'not':
      return !binds(bind.bind, caller, place);
    case 'anyone':
      return true;
    case 'all':
      return caller.dn !== undefined;
    case 'self':
      return caller.dn !== undefined && caller.dn === place!.target.entry.normalizedDn;
    case 'parent':
      return caller.dn !== undefined && caller.dn === place!.target.above;
    case 'user':
      return caller.dn !== undefined && matchesPattern(bind.name, caller.dn);
    case 'group':
      return caller.groups.has(bind.dn);
    case 'role':
      if (bind.role !== 'domain administrator') return hasRole(bind.role, caller);
      return caller.isDomainAdministrator && !caller.isSiteAdministrator && place!.target.isAdministered();
    case 'attribute':
      if (caller.dn === undefined) return false;
      return bind.levels.some((level) => place!.target.names(bind.attribute, level, bind.names));
    default:
      return bind satisfies never;
  }
}

function hasRole(role: Exclude<Role, 'domain administrator'>, caller: CallerFacts): boolean {
  return role === 'server' ? caller.isServer : caller.isSiteAdministrator;
}

function isAbout(rule: AciRule, target: AccessTarget): boolean {
  const dn = target.entry.normalizedDn;
  if (!isAtOrBelow(dn, rule.base)) return false;
  if (rule.target === undefined) {
    if (!isInScope(rule.scope, dn, rule.base)) return false;
  } else if (isNamed(rule, dn) === rule.isTargetComplement) return false;
  return rule.filter === undefined || target.matches(rule) !== rule.filter.isComplement;
}

/** A target with stars says itself how far it reaches: what it names, and what is below that. */
function isNamed({ target, scope }: AciRule, dn: string): boolean {
  const pattern = target!;
  if (pattern.length === 1) return isInScope(scope, dn, pattern[0]!);
  for (let at = dn; ; at = at.slice(at.indexOf(',') + 1)) {
    if (matchesPattern(pattern, at) && isInScope(scope, dn, at)) return true;
    if (!at.includes(',')) return false;
  }
}

function isInScope(scope: Scope, dn: string, base: string): boolean {
  if (dn === base) return scope === 'base' || scope === 'subtree';
  if (scope === 'base' || !isAtOrBelow(dn, base)) return false;
  // In a normalized DN each comma is a border.
  return scope !== 'onelevel' || dn.indexOf(',') === dn.length - base.length - 1;
}

function isAtOrBelow(dn: string, base: string): boolean {
  if (dn.length === base.length) return dn === base;
  return dn.endsWith(base) && dn.charCodeAt(dn.length - base.length - 1) === 0x2c;
}

function covers(
  rule: AciRule,
  target: Pick<AccessTarget, 'entry' | 'isOwn'>,
  { attribute, value }: RightQuestion,
): boolean {
  const { attributes, values } = rule;
  if (attribute === undefined)
    return attributes === undefined ? values === undefined : attributes.allUser && !attributes.isComplement;
  const filter = value && values?.[value.comes ? 'add' : 'delete'].get(attribute);
  if (filter === undefined) return attributes !== undefined && hasAttribute(attributes, attribute);
  return filter(withValue(target.entry, attribute, value!.value), (each) => target.isOwn(each)) === true;
}

function withValue(entry: Entry, attribute: string, value: AttributeValue): Entry {
  const { memberCounts: _, ...rest } = entry;
  const name = schema().attributeType(attribute)?.name ?? attribute;
  return { ...rest, attributes: new Map([[attribute, { name, values: [value] }]]) };
}

function hasAttribute(set: AttributeSet, key: string): boolean {
  const isNamed = set.keys.has(key) || set.patterns.some((pattern) => matchesPattern(pattern, key));
  const isUser = (schema().attributeType(key)?.usage ?? 'userApplications') === 'userApplications';
  if (set.isComplement) return isUser && !isNamed && !set.allUser;
  return isNamed || (isUser ? set.allUser : set.allOperational);
}
