// A search filter as a tree. Built from values only, never by joining text, so that no value can become syntax.
//
// In, out  BER; tests write filters as text, see testing.ts
// Limits   LDAP_FILTER_NESTING_MAX deep, LDAP_FILTER_PARTS_MAX parts, LDAP_FILTER_BYTES_MAX: beyond it is a RequestFailure, not a lie of lengths
// RFC 4511 §4.5.1.7, RFC 4526 (an empty `and` is true, an empty `or` is false)

import { LDAP_FILTER_BYTES_MAX, LDAP_FILTER_NESTING_MAX, LDAP_FILTER_PARTS_MAX } from '../../base/limits.ts';
import { type BerReader, type BerWriter, context, contextConstructed, OCTET_STRING, SEQUENCE } from './ber.ts';
import { RequestFailure } from './request-failure.ts';
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

const AND = contextConstructed(0);
const OR = contextConstructed(1);
const NOT = contextConstructed(2);
const EQUALITY = contextConstructed(3);
const SUBSTRINGS = contextConstructed(4);
const GREATER_OR_EQUAL = contextConstructed(5);
const LESS_OR_EQUAL = contextConstructed(6);
const PRESENT = context(7);
const APPROX = contextConstructed(8);
const EXTENSIBLE = contextConstructed(9);

const INITIAL = context(0);
const ANY = context(1);
const FINAL = context(2);

const RULE = context(1);
const TYPE = context(2);
const MATCH_VALUE = context(3);
const DN_ATTRIBUTES = context(4);

export function decodeFilter(reader: BerReader): Filter {
  const { at } = reader;
  const filter = decodeNested(reader, { depth: 0, parts: 0 });
  if (reader.at - at > LDAP_FILTER_BYTES_MAX)
    throw new RequestFailure(`a filter of at most ${LDAP_FILTER_BYTES_MAX} octets`, at);
  return filter;
}

interface Budget {
  depth: number;
  parts: number;
}

function decodeNested(reader: BerReader, budget: Budget): Filter {
  countPart(budget, reader);
  if (++budget.depth > LDAP_FILTER_NESTING_MAX)
    throw new RequestFailure(`a filter nested at most ${LDAP_FILTER_NESTING_MAX} deep`, reader.at);
  const filter = decodeChoice(reader, budget);
  budget.depth--;
  return filter;
}

function countPart(budget: Budget, { at }: BerReader): void {
  if (++budget.parts > LDAP_FILTER_PARTS_MAX)
    throw new RequestFailure(`a filter of at most ${LDAP_FILTER_PARTS_MAX} parts`, at);
}

function decodeChoice(reader: BerReader, budget: Budget): Filter {
  const tag = reader.peekTag();
  switch (tag) {
    case AND:
      return { kind: 'and', filters: decodeSet(reader.enter(tag), budget) };
    case OR:
      return { kind: 'or', filters: decodeSet(reader.enter(tag), budget) };
    case NOT: {
      const inner = reader.enter(tag);
      const filter = decodeNested(inner, budget);
      inner.end();
      return { kind: 'not', filter };
    }
    case EQUALITY:
      return decodeAssertion('equality', reader.enter(tag));
    case SUBSTRINGS:
      return decodeSubstrings(reader.enter(tag), budget);
    case GREATER_OR_EQUAL:
      return decodeAssertion('greaterOrEqual', reader.enter(tag));
    case LESS_OR_EQUAL:
      return decodeAssertion('lessOrEqual', reader.enter(tag));
    case PRESENT:
      return { kind: 'present', attribute: decodeAttribute(reader, tag) };
    case APPROX:
      return decodeAssertion('approx', reader.enter(tag));
    case EXTENSIBLE:
      return decodeExtensible(reader.enter(tag));
    case -1:
      return reader.fail('a filter');
    default:
      throw new RequestFailure('a filter of a known kind', reader.at);
  }
}

function decodeSet(set: BerReader, budget: Budget): Filter[] {
  const filters: Filter[] = [];
  while (!set.atEnd) filters.push(decodeNested(set, budget));
  return filters;
}

function decodeAttribute(reader: BerReader, tag = OCTET_STRING): string {
  const at = reader.at;
  const attribute = reader.text(tag);
  if (attribute === '') throw new RequestFailure('an attribute in the filter', at);
  return attribute;
}

function decodeAssertion(kind: AssertionFilter['kind'], reader: BerReader): AssertionFilter {
  const filter = { kind, attribute: decodeAttribute(reader), value: reader.value() };
  reader.skipRest();
  return filter;
}

function decodeSubstrings(reader: BerReader, budget: Budget): SubstringsFilter {
  const attribute = decodeAttribute(reader);
  const parts = reader.enter(SEQUENCE);
  reader.skipRest();
  if (parts.atEnd) throw new RequestFailure('a substring in the filter', parts.at);
  const initial = parts.peekTag() === INITIAL ? decodePart(parts, INITIAL) : undefined;
  const any: AttributeValue[] = [];
  for (; parts.peekTag() === ANY; any.push(decodePart(parts, ANY))) countPart(budget, parts);
  const final = parts.peekTag() === FINAL ? decodePart(parts, FINAL) : undefined;
  if (!parts.atEnd) throw new RequestFailure('substrings in the order initial, any, final', parts.at);
  return substringsFilter(attribute, initial, any, final);
}

/** RFC 4517 §3.3.30: a substring has one character at least. */
function decodePart(parts: BerReader, tag: number): AttributeValue {
  const at = parts.at;
  const value = parts.value(tag);
  if (value.length === 0) throw new RequestFailure('a substring that is not empty', at);
  return value;
}

/** Leaves out the keys of what is not there. */
export function substringsFilter(
  attribute: string,
  initial: AttributeValue | undefined,
  any: readonly AttributeValue[],
  final: AttributeValue | undefined,
): SubstringsFilter {
  return {
    kind: 'substrings',
    attribute,
    ...(initial === undefined ? {} : { initial }),
    any,
    ...(final === undefined ? {} : { final }),
  };
}

function decodeExtensible(reader: BerReader): ExtensibleFilter {
  const start = reader.at;
  const rule = reader.peekTag() === RULE ? reader.text(RULE) : undefined;
  const attribute = reader.peekTag() === TYPE ? decodeAttribute(reader, TYPE) : undefined;
  const value = reader.value(MATCH_VALUE);
  const dnAttributes = reader.peekTag() === DN_ATTRIBUTES && reader.boolean(DN_ATTRIBUTES);
  reader.skipRest();
  if (rule === undefined && attribute === undefined)
    throw new RequestFailure('a matching rule or an attribute in the filter', start);
  return extensibleFilter(rule, attribute, value, dnAttributes);
}

/** Leaves out the keys of what is not there. */
export function extensibleFilter(
  rule: string | undefined,
  attribute: string | undefined,
  value: AttributeValue,
  dnAttributes: boolean,
): ExtensibleFilter {
  return {
    kind: 'extensible',
    ...(rule === undefined ? {} : { rule }),
    ...(attribute === undefined ? {} : { attribute }),
    value,
    dnAttributes,
  };
}

const ASSERTION_TAGS = {
  equality: EQUALITY,
  greaterOrEqual: GREATER_OR_EQUAL,
  lessOrEqual: LESS_OR_EQUAL,
  approx: APPROX,
} satisfies Record<AssertionFilter['kind'], number>;

export function encodeFilter(writer: BerWriter, filter: Filter): void {
  switch (filter.kind) {
    case 'and':
    case 'or':
      writer.constructed(filter.kind === 'and' ? AND : OR, () => {
        for (const inner of filter.filters) encodeFilter(writer, inner);
      });
      break;
    case 'not':
      writer.constructed(NOT, () => encodeFilter(writer, filter.filter));
      break;
    case 'equality':
    case 'greaterOrEqual':
    case 'lessOrEqual':
    case 'approx':
      writer.constructed(ASSERTION_TAGS[filter.kind], () => {
        writer.octets(filter.attribute);
        writer.octets(filter.value);
      });
      break;
    case 'substrings':
      writer.constructed(SUBSTRINGS, () => {
        writer.octets(filter.attribute);
        writer.constructed(SEQUENCE, () => {
          if (filter.initial !== undefined) writer.octets(filter.initial, INITIAL);
          for (const part of filter.any) writer.octets(part, ANY);
          if (filter.final !== undefined) writer.octets(filter.final, FINAL);
        });
      });
      break;
    case 'present':
      writer.octets(filter.attribute, PRESENT);
      break;
    case 'extensible':
      writer.constructed(EXTENSIBLE, () => {
        if (filter.rule !== undefined) writer.octets(filter.rule, RULE);
        if (filter.attribute !== undefined) writer.octets(filter.attribute, TYPE);
        writer.octets(filter.value, MATCH_VALUE);
        if (filter.dnAttributes) writer.boolean(true, DN_ATTRIBUTES);
      });
      break;
  }
}
