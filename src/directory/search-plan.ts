// Which rows of the index hold all entries that a filter can match.
//
// Pure: filter in, look-ups out; what they find is matched again. A filter item that can never be true needs no look-up.
// Limits  WAYS_MAX ways, the likely best; LOOKUPS_MAX look-ups of one way. Equal ones are one

import type { AssertionFilter, Filter, SubstringsFilter } from '../wire/ldap/filter.ts';
import { prepareAssertedPart, prepareAssertion } from './assertion.ts';
import { cutIndexValue, type IndexKey, indexKeyOf, isIndexed } from './indexes.ts';
import { schema } from './schema.ts';

export type IndexLookup =
  | { readonly kind: 'equal'; readonly key: IndexKey }
  | { readonly kind: 'begins'; readonly attribute: string; readonly prefix: string }
  /** As those two, of an attribute whose values are rows of their own; `key` is not cut. */
  | { readonly kind: 'member'; readonly attribute: string; readonly key: string }
  | { readonly kind: 'memberBegins'; readonly attribute: string; readonly prefix: string }
  /** Entries that this group names as its members. */
  | { readonly kind: 'memberOf'; readonly group: string }
  | { readonly kind: 'uuid'; readonly uuid: string };

/** Look-ups that find, all together, every entry that can match. */
export type Lookups = readonly IndexLookup[];

/** Several ways to narrow the filter, each enough by itself; undefined when there is none. */
export function planLookups(filter: Filter): readonly Lookups[] | undefined {
  switch (filter.kind) {
    case 'and': {
      const ways = filter.filters.flatMap((inner) => planLookups(inner) ?? []);
      return ways.length === 0
        ? undefined
        : distinct(ways)
            .sort((a, b) => cost(a) - cost(b))
            .slice(0, WAYS_MAX);
    }
    case 'or': {
      const all: IndexLookup[] = [];
      for (const inner of filter.filters) {
        const ways = planLookups(inner);
        if (ways === undefined) return undefined;
        all.push(...ways[0]!);
        if (all.length > LOOKUPS_MAX) return undefined;
      }
      return [distinct(all)];
    }
    case 'equality':
    case 'approx':
      return planEquality(filter);
    case 'substrings':
      return planSubstrings(filter);
    default:
      return undefined;
  }
}

/** An `or` of more values than this is read as the subtree. */
const LOOKUPS_MAX = 1000;
/** Of an `and` of more parts no others are tried. */
const WAYS_MAX = 8;
const NEVER: readonly Lookups[] = [[]];

function distinct<T>(list: T[]): T[] {
  if (list.length < 2) return list;
  return [...new Map(list.map((each) => [JSON.stringify(each), each])).values()];
}

/** The likely number of rows, for the order in which they are tried: classes and beginnings are met more often. */
function cost(lookups: Lookups): number {
  let sum = 0;
  for (const lookup of lookups) {
    sum +=
      lookup.kind === 'begins' || lookup.kind === 'memberBegins' || lookup.kind === 'memberOf'
        ? 100
        : lookup.kind === 'equal' && lookup.key[0] === 'objectclass'
          ? 50
          : 1;
  }
  return sum;
}

function planEquality({ attribute, value }: AssertionFilter): readonly Lookups[] | undefined {
  const description = schema().description(attribute);
  if (description === undefined) return NEVER;
  const { type } = description;
  const prepared = prepareAssertion(type.equality, value);
  if (prepared === undefined) return NEVER;
  if (type.key === 'memberof') return [[{ kind: 'memberOf', group: prepared }]];
  if (type.key === 'entryuuid') return [[{ kind: 'uuid', uuid: prepared }]];
  // A supertype is matched by the values of its subtypes, which stand under their own names.
  if (type.keys.length > 1) return undefined;
  if (type.isKeptInRows) return [[{ kind: 'member', attribute: type.key, key: prepared }]];
  const key = indexKeyOf(type, value);
  return key === undefined ? undefined : [[{ kind: 'equal', key }]];
}

function planSubstrings({ attribute, initial }: SubstringsFilter): readonly Lookups[] | undefined {
  const description = schema().description(attribute);
  if (description === undefined || description.type.substrings === undefined) return NEVER;
  const { type } = description;
  const isFound = isIndexed(type) || type.isKeptInRows;
  if (initial === undefined || !isFound || type.keys.length > 1) return undefined;
  const prefix = prepareAssertedPart(type.substrings, initial, 'initial');
  if (prefix === undefined) return NEVER;
  if (prefix === '') return undefined;
  if (type.isKeptInRows) return [[{ kind: 'memberBegins', attribute: type.key, prefix }]];
  return [[{ kind: 'begins', attribute: type.key, prefix: cutIndexValue(prefix) }]];
}
