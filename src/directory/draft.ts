// The attributes of an entry while a change is made to them, and the difference.
//
// In      add, delete and replace in the order of the request; a failure leaves the draft half done, to be thrown away
// Out     the attributes after it, and the difference by attribute
// Never   sees the tables; knows nothing of names and superiors. Of members that are rows it knows those that the change
//         names, and how many there are
// RFC 4511 §4.6

import { LDAP_VALUES_MAX, LIST_MEMBERS_LENGTH_MAX, LIST_MEMBERS_MAX } from '../base/limits.ts';
import { classAlong } from './class-along.ts';
import type { Attribute, Attributes, AttributeValue, MemberCounts, ValueCount } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { equalityKey } from './matching.ts';
import type { NamedMembers, Values } from './member-values.ts';
import { type AttributeDescription, schema } from './schema.ts';
import { isValidValue } from './syntaxes.ts';

/** The values added to and removed from one attribute. */
export interface AttributeDifference {
  readonly description: AttributeDescription;
  readonly removed: readonly AttributeValue[];
  readonly added: readonly AttributeValue[];
}

interface Touched {
  readonly description: AttributeDescription;
  readonly before: Values;
  readonly values: Values;
  /** Members that are rows and that the change does not name. */
  readonly unnamed: ValueCount;
}

const NONE: ValueCount = { count: 0, length: 0 };

interface DraftOptions {
  /** The change may also write what only the server writes. */
  readonly ofServer?: boolean | undefined;
  readonly members?: NamedMembers;
}

export class Draft {
  readonly #before: Attributes;
  readonly #members: NamedMembers | undefined;
  readonly #describe: (name: string) => AttributeDescription;
  readonly #touched = new Map<string, Touched>();

  constructor(before: Attributes, { ofServer = false, members }: DraftOptions = {}) {
    this.#before = before;
    this.#members = members;
    this.#describe = ofServer ? knownDescription : writableDescription;
  }

  /** Throws `attributeOrValueExists` when one is there already. */
  add(name: string, values: readonly AttributeValue[]): void {
    const description = this.#describe(name);
    const touched = this.#touch(description);
    if (values.length === 0) throw noValues(description);
    for (const value of values) {
      const [key, checked] = checkedValue(description, value);
      if (touched.values.has(key)) {
        throw directoryFailure('attributeOrValueExists', `${description.name} has this value already`);
      }
      touched.values.set(key, checked);
    }
    checkCount(touched);
  }

  /** Without values the whole attribute. Throws `noSuchAttribute` when it, or one of the values, is not there. */
  delete(name: string, values: readonly AttributeValue[]): void {
    const description = this.#describe(name);
    const touched = this.#touch(description);
    if (countOf(touched) === 0) throw directoryFailure('noSuchAttribute', `The entry has no ${description.name}`);
    if (values.length === 0) touched.values.clear();
    for (const value of values) {
      if (!touched.values.delete(equalityKey(description.type, value))) {
        throw directoryFailure('noSuchAttribute', `${description.name} has no such value`);
      }
    }
  }

  /** Without values the attribute goes, if it is there. */
  replace(name: string, values: readonly AttributeValue[]): void {
    const description = this.#describe(name);
    this.#touch(description).values.clear();
    if (values.length > 0) this.add(name, values);
  }

  /** Adds a number to each value. RFC 4525 §3 */
  increment(name: string, values: readonly AttributeValue[]): void {
    const description = this.#describe(name);
    const [by] = values;
    if (description.type.syntax !== 'Integer' || values.length !== 1)
      throw directoryFailure('constraintViolation', `${description.name} cannot be incremented so`);
    const touched = this.#touch(description);
    if (countOf(touched) === 0) throw directoryFailure('noSuchAttribute', `The entry has no ${description.name}`);
    const [, added] = checkedValue(description, by!);
    const sums = [...touched.values.values()].map((value) => String(BigInt(value as string) + BigInt(added as string)));
    this.replace(name, sums);
  }

  has(description: AttributeDescription, value: AttributeValue): boolean {
    return this.#touch(description).values.has(equalityKey(description.type, value));
  }

  hasValues(description: AttributeDescription): boolean {
    return countOf(this.#touch(description)) > 0;
  }

  /** Adds the class that some attributes bring along and the superclasses of what is there, and checks what only holds at the end of a change. RFC 4512 §3.3 */
  finish(): void {
    const classes = this.#touch(schema().description('objectClass')!);
    if (classes.values.size === 0) throw directoryFailure('objectClassViolation', 'An entry needs an objectClass');
    for (const { description, values } of this.#touched.values()) {
      const along = values.size === 0 ? undefined : classAlong(description.type.key);
      if (along !== undefined) classes.values.set(equalityKey(classes.description.type, along), along);
    }
    for (const name of schema().withSuperclasses([...classes.values.values()])) {
      const key = equalityKey(classes.description.type, name);
      if (!classes.values.has(key)) classes.values.set(key, name);
    }
    for (const { description, values } of this.#touched.values()) {
      if (description.type.singleValued && values.size > 1) {
        throw directoryFailure('constraintViolation', `${description.name} may have only one value`);
      }
    }
  }

  attributes(): Attributes {
    const after = new Map<string, Attribute>(this.#before);
    for (const [key, { description, values }] of this.#touched) {
      if (description.type.isKeptInRows) continue;
      if (values.size === 0) after.delete(key);
      else after.set(key, { name: description.name, values: [...values.values()] });
    }
    return after;
  }

  /** Of the attributes that `attributes` leaves out. */
  memberCounts(): MemberCounts {
    const after = new Map(this.#members?.counts);
    for (const [key, touched] of this.#touched) {
      if (!touched.description.type.isKeptInRows) continue;
      const count = countOf(touched);
      const length = touched.unnamed.length + lengthOf(touched.values);
      if (length > LIST_MEMBERS_LENGTH_MAX)
        throw directoryFailure('adminLimitExceeded', `The values of ${touched.description.name} are too long`);
      if (count === 0) after.delete(key);
      else after.set(key, { count, length });
    }
    return after;
  }

  differences(): AttributeDifference[] {
    const differences: AttributeDifference[] = [];
    for (const { description, before, values } of this.#touched.values()) {
      const removed = without(before, values);
      const added = without(values, before);
      if (removed.length + added.length > 0) differences.push({ description, removed, added });
    }
    return differences;
  }

  #valuesBefore({ key, type }: AttributeDescription): Values {
    const members = this.#members?.values.get(key);
    const stored = this.#before.get(key)?.values;
    // Of an entry that is added there is nothing.
    if (members === undefined && stored === undefined) return NO_VALUES;
    const before: Values = new Map(members);
    for (const value of stored ?? []) before.set(equalityKey(type, value), value);
    return before;
  }

  #touch(description: AttributeDescription): Touched {
    let touched = this.#touched.get(description.key);
    if (touched === undefined) {
      const before = this.#valuesBefore(description);
      const stored = this.#members?.counts.get(description.key) ?? NONE;
      const isStored = stored.count > 0;
      const unnamed = isStored ? { count: stored.count - before.size, length: stored.length - lengthOf(before) } : NONE;
      touched = { description, before, values: new Map(before), unnamed };
      this.#touched.set(description.key, touched);
    }
    return touched;
  }
}

/** Never written to. */
const NO_VALUES: Values = new Map();

/** Values that one has and the other has not, or has in another spelling. */
function without(values: Values, other: Values): AttributeValue[] {
  if (other.size === 0) return [...values.values()];
  const found: AttributeValue[] = [];
  for (const [key, value] of values) if (!sameOctets(other.get(key), value)) found.push(value);
  return found;
}

function sameOctets(a: AttributeValue | undefined, b: AttributeValue): boolean {
  if (typeof a === 'string' || typeof b === 'string' || a === undefined) return a === b;
  return Buffer.compare(a, b) === 0;
}

function knownDescription(name: string): AttributeDescription {
  const description = schema().description(name);
  if (description === undefined) {
    throw directoryFailure('undefinedAttributeType', `The attribute ${printable(name)} is not known`);
  }
  return description;
}

/** Throws when the schema does not know the attribute, or only the server may write it. */
export function writableDescription(name: string): AttributeDescription {
  const description = knownDescription(name);
  if (description.type.isMade) {
    throw directoryFailure('constraintViolation', `${description.name} is written by the server only`);
  }
  return description;
}

function checkedValue(description: AttributeDescription, value: AttributeValue): [key: string, value: AttributeValue] {
  const { type } = description;
  if (!isValidValue(type.syntax, value)) {
    throw directoryFailure('invalidAttributeSyntax', `A value of ${description.name} does not have its syntax`);
  }
  if (type.key !== 'objectclass') return [equalityKey(type, value), value];
  const objectClass = schema().objectClass(value as string);
  if (objectClass === undefined) {
    throw directoryFailure('invalidAttributeSyntax', `The object class ${printable(value as string)} is not known`);
  }
  return [equalityKey(type, objectClass.name), objectClass.name];
}

function checkCount(touched: Touched): void {
  const { name, type } = touched.description;
  const max = type.isKeptInRows ? LIST_MEMBERS_MAX : LDAP_VALUES_MAX;
  if (countOf(touched) > max) throw directoryFailure('adminLimitExceeded', `${name} may have at most ${max} values`);
}

function countOf({ values, unnamed }: Touched): number {
  return values.size + unnamed.count;
}

function lengthOf(values: Values): number {
  let length = 0;
  for (const value of values.values()) length += value.length;
  return length;
}

function noValues(description: AttributeDescription): Error {
  return directoryFailure('invalidAttributeSyntax', `${description.name} was given no value`);
}

const PRINTED_LENGTH = 60;

/** A name from the request, made fit for a reply. */
function printable(text: string): string {
  const cut = text.length > PRINTED_LENGTH ? `${text.slice(0, PRINTED_LENGTH)}...` : text;
  return cut.replace(/[^\x20-\x7e]/g, '?');
}
