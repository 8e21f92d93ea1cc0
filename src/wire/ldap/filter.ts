// A search filter as a tree. Built from values only, never by joining text, so that no value can become syntax.
//
// RFC 4511 §4.5.1.7, RFC 4526 (an empty `and` is true, an empty `or` is false)

import type { AttributeValue } from './values.ts';

/** One attribute compared with one value. `attribute` is a description as written: a name or OID, perhaps with options. */
export interface AssertionFilter {
  readonly kind: 'equality' | 'greaterOrEqual' | 'lessOrEqual' | 'approx';
  readonly attribute: string;
  readonly value: AttributeValue;
}

/** At least one of the parts is there, and none is empty. */
export interface SubstringsFilter {
  readonly kind: 'substrings';
  readonly attribute: string;
  readonly initial?: AttributeValue;
  readonly any: readonly AttributeValue[];
  readonly final?: AttributeValue;
}

/** `rule` or `attribute` or both are there. */
export interface ExtensibleFilter {
  readonly kind: 'extensible';
  readonly rule?: string;
  readonly attribute?: string;
  readonly value: AttributeValue;
  /** The attributes of the DN count as if they stood in the entry. */
  readonly dnAttributes: boolean;
}

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | AssertionFilter
  | SubstringsFilter
  | { readonly kind: 'present'; readonly attribute: string }
  | ExtensibleFilter;
