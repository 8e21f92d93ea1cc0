// The order of entries that a client asks for.
//
// In      keys: an attribute, perhaps another rule than its own, perhaps backwards; entries as the caller may see them
// Out     how two of them compare; or the attribute that cannot be sorted by, and why
// Order   of an attribute with several values the least one counts; entries without one stand last, so backwards first
// Limits  SORT_KEYS_MAX keys, SORT_ENTRIES_MAX entries
// RFC 2891 §2

import type { SortKey } from '../wire/ldap/controls/sort.ts';
import type { Sight } from './access/sight.ts';
import type { Entry } from './entry.ts';
import { type MatchContext, valuesFor } from './match.ts';
import { prepareFor } from './matching.ts';
import { compareOrder } from './prepare.ts';
import { type AttributeDescription, schema } from './schema.ts';
import { MATCHING_RULES, type MatchingRuleName } from './schema-data.ts';

const SORT_KEYS_MAX = 3;
export const SORT_ENTRIES_MAX = 10_000;

/** Of one entry, a value a key; undefined where it has none. */
export type Sortable = readonly (string | undefined)[];

export interface EntryOrder {
  /** Of what the caller may not read there is no value. */
  sortable(entry: Entry, context: MatchContext, sight: Pick<Sight, 'mayRead'>): Sortable;
  compare(a: Sortable, b: Sortable): number;
}

export interface SortProblem {
  readonly problem: 'noSuchAttribute' | 'inappropriateMatching' | 'adminLimitExceeded';
  readonly attribute: string | undefined;
}

interface ReadKey {
  readonly description: AttributeDescription;
  readonly rule: MatchingRuleName;
  readonly sign: 1 | -1;
}

export function entryOrder(keys: readonly SortKey[]): EntryOrder | SortProblem {
  if (keys.length > SORT_KEYS_MAX) return { problem: 'adminLimitExceeded', attribute: undefined };
  const read: ReadKey[] = [];
  for (const { attribute, rule, reverse } of keys) {
    const description = schema().description(attribute);
    if (description === undefined) return { problem: 'noSuchAttribute', attribute };
    const ordering = rule === undefined ? description.type.ordering : ruleOf(rule, description);
    if (ordering === undefined) return { problem: 'inappropriateMatching', attribute };
    read.push({ description, rule: ordering, sign: reverse ? -1 : 1 });
  }
  return {
    sortable: (entry, context, sight) =>
      read.map((key) =>
        key.description.type.keys.some((each) => sight.mayRead(entry, each)) ? leastOf(entry, key, context) : undefined,
      ),
    compare: (a, b) => compare(read, a, b),
  };
}

/** An ordering rule, whose values are of the kind that the attribute's own rule compares. */
function ruleOf(name: string, { type }: AttributeDescription): MatchingRuleName | undefined {
  const rule = schema().matchingRule(name)?.name;
  if (rule === undefined || !rule.includes('Ordering') || type.equality === undefined) return undefined;
  const [ours, theirs] = [MATCHING_RULES[type.equality][1], MATCHING_RULES[rule][1]];
  return ours === theirs || (ours === 'IA5String' && theirs === 'DirectoryString') ? rule : undefined;
}

function leastOf(entry: Entry, { description, rule }: ReadKey, context: MatchContext): string | undefined {
  let least: string | undefined;
  for (const value of valuesFor(entry, description, context)) {
    const prepared = prepareFor(rule, value);
    if (prepared === undefined) continue;
    if (least === undefined || compareOrder(rule, prepared, least) < 0) least = prepared;
  }
  return least;
}

function compare(keys: readonly ReadKey[], a: Sortable, b: Sortable): number {
  for (const [at, { rule, sign }] of keys.entries()) {
    const [x, y] = [a[at], b[at]];
    if (x === y) continue;
    if (x === undefined) return sign;
    if (y === undefined) return -sign;
    const order = compareOrder(rule, x, y);
    if (order !== 0) return order * sign;
  }
  return 0;
}
