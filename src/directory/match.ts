// Does an entry match a filter: compiled once a search, with the three values that LDAP's logic has.
//
// In      a filter, and entries one by one
// Out     true, false, or undefined where it cannot be evaluated (an attribute that the schema does not know)
// Limits  depth as the filter was decoded, see LDAP_FILTER_NESTING_MAX in base/limits.ts; what one entry may take, effort.ts: more
//         is thrown as adminLimitExceeded
// Never   throws for a value that does not fit: that is undefined, and `not` keeps it undefined
// RFC 4511 §4.5.1.7

import type { AssertionFilter, Filter, SubstringsFilter } from '../wire/ldap/filter.ts';
import { prepareAssertedPart, prepareAssertion } from './assertion.ts';
import { type Ava, parseDn } from './dn.ts';
import { type Effort, STATEMENT_STEPS } from './effort.ts';
import type { AttributeValue, Entry } from './entry.ts';
import { prepareFor } from './matching.ts';
import { type OperationalContext, operationalAttribute } from './operational.ts';
import { compareOrder } from './prepare.ts';
import { type AttributeDescription, type AttributeType, allowsLanguages, schema, typeKeyOf } from './schema.ts';
import type { MatchingRuleName } from './schema-data.ts';

export type Match = boolean | undefined;
export type Matcher = (entry: Entry, context: MatchContext) => Match;

/** What a filter may ask beside the entry itself: match-context.ts. */
export interface MatchContext extends OperationalContext {
  /** Whether the caller may ask for this attribute of the entry, by the type's key; undefined: for all. */
  readonly maySearch?: (entry: Entry, key: string) => boolean;
  /** Counts what is looked at; undefined for filters that no caller has written. */
  readonly effort?: Effort;
  /** Whether a member of the entry, in this attribute, is prepared to this text by the attribute's equality rule. */
  hasMember(entry: Entry, attribute: string, prepared: string): boolean;
  /** All members of the entry in this attribute. */
  members(entry: Entry, attribute: string): Iterable<string>;
}

/** For an entry that is in no table. */
export const OUTSIDE: MatchContext = {
  hasSubordinates: () => false,
  hasMember: () => false,
  members: () => [],
  memberOf: () => [],
  csn: () => '',
  contextCsn: () => undefined,
};

/**
 * For a filter that stands in an entry, and is asked with this program's rights: secrets are undefined to it, else who has written it
 * would read them by what it finds.
 */
export function askingNoSecrets(context: MatchContext): MatchContext {
  return { ...context, maySearch: isNoSecret };
}

function isNoSecret(_: Entry, key: string): boolean {
  return schema().attributeType(key)?.isSecret !== true;
}

/** The first condition of a filter that asks for a secret. */
export function secretIn(filter: Filter): string | undefined {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.map(secretIn).find((each) => each !== undefined);
    case 'not':
      return secretIn(filter.filter);
    default: {
      const { attribute } = filter;
      const type = attribute === undefined ? undefined : schema().description(attribute)?.type;
      return type?.isSecret === true ? attribute : undefined;
    }
  }
}

type ValueTest = (value: AttributeValue) => Match;

const UNDEFINED: Matcher = () => undefined;

export function compileFilter(filter: Filter): Matcher {
  switch (filter.kind) {
    case 'and':
      return every(filter.filters.map(compileFilter), false);
    case 'or':
      return every(filter.filters.map(compileFilter), true);
    case 'not': {
      const inner = compileFilter(filter.filter);
      return (entry, context) => {
        const match = inner(entry, context);
        return match === undefined ? undefined : !match;
      };
    }
    case 'present':
      return present(filter.attribute);
    case 'equality':
    case 'approx':
      // RFC 4511 §4.5.1.7.6 leaves approximation to the server: equal is near enough.
      return equal(filter);
    case 'greaterOrEqual':
      return onAttribute(filter.attribute, (type) => orderTest(type.ordering, filter.value, (order) => order >= 0));
    case 'lessOrEqual':
      return onAttribute(filter.attribute, (type) => orderTest(type.ordering, filter.value, (order) => order <= 0));
    case 'substrings':
      return onAttribute(filter.attribute, (type) => substringsTest(type.substrings, filter));
    case 'extensible':
      return extensible(filter);
    default:
      return filter satisfies never;
  }
}

/** What an entry has by other entries, or by their number: their changes change whether it matches. */
const OF_OTHERS: ReadonlySet<string> = new Set(['memberof', 'hassubordinates', 'contextcsn']);

export function asksOthers(filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.some(asksOthers);
    case 'not':
      return asksOthers(filter.filter);
    default:
      return filter.attribute !== undefined && OF_OTHERS.has(schema().description(filter.attribute)?.type.key ?? '');
  }
}

/** The first condition of a filter that no entry can fulfil: an attribute or a rule that is not known, or one that has no rule of the kind. */
export function unanswerableIn(filter: Filter): string | undefined {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.map(unanswerableIn).find((each) => each !== undefined);
    case 'not':
      return unanswerableIn(filter.filter);
    case 'extensible': {
      const { attribute, rule } = filter;
      if (rule !== undefined && schema().matchingRule(rule) === undefined) return rule;
      return attribute === undefined || schema().description(attribute) !== undefined ? undefined : attribute;
    }
    default:
      return hasRuleFor(filter) ? undefined : filter.attribute;
  }
}

function hasRuleFor({ kind, attribute }: Exclude<Filter, { kind: 'and' | 'or' | 'not' | 'extensible' }>): boolean {
  const type = schema().description(attribute)?.type;
  if (type === undefined || kind === 'present') return type !== undefined;
  if (kind === 'substrings') return type.substrings !== undefined;
  return (kind === 'equality' || kind === 'approx' ? type.equality : type.ordering) !== undefined;
}

/** And: false beats undefined beats true; or: true beats undefined beats false. Empty: RFC 4526. */
function every(matchers: readonly Matcher[], winner: boolean): Matcher {
  return (entry, context) => {
    let result: Match = !winner;
    const { effort } = context;
    for (const matcher of matchers) {
      effort?.spend(1);
      const match = matcher(entry, context);
      if (match === winner) return winner;
      if (match === undefined) result = undefined;
    }
    return result;
  };
}

function present(attribute: string): Matcher {
  const description = schema().description(attribute);
  if (description === undefined) return UNDEFINED;
  const lists = listsOf(description);
  return ifAsked(
    description,
    (entry, context) =>
      valuesFor(entry, description, context).length > 0 || lists.some((key) => entry.memberCounts?.has(key)),
  );
}

/** What the caller may not ask for is undefined; of the types that a filter means, those that it may ask for count. */
function ifAsked({ type }: AttributeDescription, matcher: Matcher): Matcher {
  const { keys } = type;
  return (entry, context) => {
    const { maySearch } = context;
    if (maySearch === undefined) return matcher(entry, context);
    if (keys.length === 1) return maySearch(entry, keys[0]!) ? matcher(entry, context) : undefined;
    const hidden = keys.filter((key) => !maySearch(entry, key));
    if (hidden.length === keys.length) return undefined;
    return matcher(hidden.length === 0 ? entry : withoutTypes(entry, (key) => !hidden.includes(key), context), context);
  };
}

function withoutTypes(entry: Entry, mayAsk: (key: string) => boolean, { effort }: MatchContext): Entry {
  effort?.allOf(entry);
  const attributes = new Map([...entry.attributes].filter(([key]) => mayAsk(typeKeyOf(key))));
  const { memberCounts, ...rest } = entry;
  if (memberCounts === undefined) return { ...rest, attributes };
  return { ...rest, attributes, memberCounts: new Map([...memberCounts].filter(([key]) => mayAsk(key))) };
}

/** A list may have a million members: whether one is among them is looked up. */
function equal({ attribute, value }: AssertionFilter): Matcher {
  const description = schema().description(attribute);
  const asserted = prepareAssertion(description?.type.equality, value);
  if (description === undefined || asserted === undefined) return UNDEFINED;
  const lists = listsOf(description);
  const test = equalityTest(description.type.equality!, asserted);
  if (lists.length === 0)
    return ifAsked(description, (entry, context) => anyValue(valuesFor(entry, description, context), test, context));
  return ifAsked(
    description,
    (entry, context) =>
      lists.some((key) => entry.memberCounts?.has(key) && isMember(entry, key, asserted, context)) ||
      anyValue(valuesFor(entry, description, context), test, context),
  );
}

function isMember(entry: Entry, key: string, asserted: string, context: MatchContext): boolean {
  context.effort?.spend(STATEMENT_STEPS);
  return context.hasMember(entry, key, asserted);
}

/** Whether it may look at members: one that names a rule alone looks at all attributes of that rule. */
export function asksMembers(filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.some(asksMembers);
    case 'not':
      return asksMembers(filter.filter);
    default: {
      const { attribute } = filter;
      const description = attribute === undefined ? undefined : schema().description(attribute);
      return description === undefined ? attribute === undefined : listsOf(description).length > 0;
    }
  }
}

/** The attributes among those that a filter on this one looks at whose values are rows of their own. */
function listsOf({ type, options }: AttributeDescription): readonly string[] {
  if (options.length > 0) return [];
  return type.keys.filter((key) => schema().attributeType(key)!.isKeptInRows);
}

function onAttribute(attribute: string, makeTest: (type: AttributeType) => ValueTest | undefined): Matcher {
  const description = schema().description(attribute);
  const test = description === undefined ? undefined : makeTest(description.type);
  if (description === undefined || test === undefined) return UNDEFINED;
  return ifAsked(description, (entry, context) => anyValue(allValues(entry, description, context), test, context));
}

/** Members that are rows too. */
function allValues(entry: Entry, description: AttributeDescription, context: MatchContext): Iterable<AttributeValue> {
  const values = valuesFor(entry, description, context);
  const lists = listsOf(description).filter((key) => entry.memberCounts?.has(key));
  return lists.length === 0 ? values : withMembersOf(entry, lists, values, context);
}

/** True when one value matches. A value that the rule cannot read counts only if none does. */
function anyValue(values: Iterable<AttributeValue>, test: ValueTest, { effort }: MatchContext): Match {
  let result: Match = false;
  for (const value of values) {
    effort?.compare(value);
    const match = test(value);
    if (match === true) return true;
    if (match === undefined) result = undefined;
  }
  return result;
}

/** Values of the attribute, its subtypes and its more special options, but members that are rows. RFC 4512 §2.5.3 */
export function valuesFor(
  entry: Entry,
  { type, options }: AttributeDescription,
  context: MatchContext,
): readonly AttributeValue[] {
  // Nearly all: one type, no options, nothing made.
  if (type.keys.length === 1 && !allowsLanguages(type) && !type.isMade) {
    return entry.attributes.get(type.key)?.values ?? [];
  }
  const values: AttributeValue[] = [];
  context.effort?.allOf(entry);
  for (const [key, attribute] of entry.attributes) {
    const typeKey = typeKeyOf(key);
    if (!type.keys.includes(typeKey)) continue;
    const has = key.length === typeKey.length ? [] : key.slice(typeKey.length + 1).split(';');
    if (!options.every((option) => has.includes(option))) continue;
    for (const value of attribute.values) values.push(value);
  }
  if (options.length > 0) return values;
  if (type.isMade) context.effort?.spend(STATEMENT_STEPS);
  for (const key of type.keys) {
    const made = operationalAttribute(entry, key, context);
    if (made !== undefined) values.push(...made.values);
  }
  return values;
}

function ruleTest(rule: MatchingRuleName | undefined, value: AttributeValue): ValueTest | undefined {
  const asserted = prepareAssertion(rule, value);
  return rule === undefined || asserted === undefined ? undefined : equalityTest(rule, asserted);
}

function equalityTest(rule: MatchingRuleName, asserted: string): ValueTest {
  return (candidate) => {
    const prepared = prepareFor(rule, candidate);
    return prepared === undefined ? undefined : prepared === asserted;
  };
}

function orderTest(
  rule: MatchingRuleName | undefined,
  value: AttributeValue,
  isIn: (order: number) => boolean,
): ValueTest | undefined {
  const asserted = prepareAssertion(rule, value);
  if (rule === undefined || asserted === undefined) return undefined;
  return (candidate) => {
    const prepared = prepareFor(rule, candidate);
    return prepared === undefined ? undefined : isIn(compareOrder(rule, prepared, asserted));
  };
}

function substringsTest(rule: MatchingRuleName | undefined, filter: SubstringsFilter): ValueTest | undefined {
  if (rule === undefined) return undefined;
  const initial = filter.initial === undefined ? '' : prepareAssertedPart(rule, filter.initial, 'initial');
  const final = filter.final === undefined ? '' : prepareAssertedPart(rule, filter.final, 'final');
  const any = filter.any.map((part) => prepareAssertedPart(rule, part, 'any'));
  if (initial === undefined || final === undefined || any.includes(undefined)) return undefined;
  return (candidate) => {
    const text = prepareFor(rule, candidate);
    return text === undefined ? undefined : hasParts(text, initial, any as string[], final);
  };
}

function hasParts(text: string, initial: string, any: readonly string[], final: string): boolean {
  if (!text.startsWith(initial)) return false;
  let at = initial.length;
  for (const part of any) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - at >= final.length && text.endsWith(final);
}

type Extensible = Extract<Filter, { kind: 'extensible' }>;

/** RFC 4511 §4.5.1.7.7 */
function extensible(filter: Extensible): Matcher {
  const rule = filter.rule === undefined ? undefined : schema().matchingRule(filter.rule)?.name;
  const description = filter.attribute === undefined ? undefined : schema().description(filter.attribute);
  if (filter.rule !== undefined && rule === undefined) return UNDEFINED;
  if (filter.attribute !== undefined && description === undefined) return UNDEFINED;
  const test = rule === undefined ? ruleTest(description?.type.equality, filter.value) : testByRule(rule, filter.value);
  if (test === undefined) return UNDEFINED;
  const matcher: Matcher = (entry, context) => {
    const values =
      description === undefined ? valuesUnder(entry, rule!, context) : allValues(entry, description, context);
    const match = anyValue(values, test, context);
    if (match === true || !filter.dnAttributes) return match;
    const inName = anyValue(valuesInName(entry, { type: description?.type, rule, context }), test, context);
    return inName === true ? true : match === undefined || inName === undefined ? undefined : false;
  };
  if (description !== undefined) return ifAsked(description, matcher);
  return (entry, context) => {
    const { maySearch } = context;
    context.effort?.allOf(entry);
    return matcher(
      maySearch === undefined ? entry : withoutTypes(entry, (key) => maySearch(entry, key), context),
      context,
    );
  };
}

/** An ordering rule alone asks whether the attribute's value is less than the asserted one. RFC 4517 §4.2 */
function testByRule(rule: MatchingRuleName, value: AttributeValue): ValueTest | undefined {
  if (rule.includes('Substrings')) return undefined;
  return rule.includes('Ordering') ? orderTest(rule, value, (order) => order < 0) : ruleTest(rule, value);
}

function* withMembersOf(
  entry: Entry,
  lists: readonly string[],
  values: readonly AttributeValue[],
  context: MatchContext,
): Generator<AttributeValue> {
  yield* values;
  for (const key of lists) yield* context.members(entry, key);
}

/** Without an attribute: all attributes that this rule belongs to. */
function* valuesUnder(entry: Entry, rule: MatchingRuleName, context: MatchContext): Generator<AttributeValue> {
  context.effort?.allOf(entry);
  for (const { name, values } of entry.attributes.values()) {
    const type = schema().description(name)?.type;
    if (type?.equality === rule || type?.ordering === rule) yield* values;
  }
  for (const key of entry.memberCounts?.keys() ?? [])
    if (schema().attributeType(key)?.equality === rule) yield* context.members(entry, key);
}

interface NameQuestion {
  readonly type: AttributeType | undefined;
  readonly rule: MatchingRuleName | undefined;
  readonly context: MatchContext;
}

function* valuesInName(entry: Entry, { type, rule, context }: NameQuestion): Generator<AttributeValue> {
  context.effort?.spend(entry.dn.length >> 4);
  const avas: readonly Ava[] = parseDn(entry.dn).rdns.flatMap((rdn) => rdn.avas);
  for (const ava of avas) {
    const fits =
      type === undefined ? ava.type?.equality === rule : ava.type !== undefined && type.keys.includes(ava.type.key);
    if (fits && (context.maySearch === undefined || context.maySearch(entry, ava.type!.key))) yield ava.value;
  }
}

/** RFC 4511 §4.10: the compare operation. Undefined when the attribute or the value cannot be compared. */
export function compareValue(entry: Entry, attribute: string, value: AttributeValue, context: MatchContext): Match {
  return compileFilter({ kind: 'equality', attribute, value })(entry, context);
}

/** Whether the entry itself (not a subtype) has the attribute: compare answers noSuchAttribute when not. */
export function hasAttribute(entry: Entry, attribute: string, context: MatchContext): boolean {
  return compileFilter({ kind: 'present', attribute })(entry, context) === true;
}
