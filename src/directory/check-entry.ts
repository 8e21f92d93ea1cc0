// Whether an entry fits the schema: its classes, the attributes that they ask for and allow, values that are legal.
//
// In      an entry before and after a change, and what the change did; or an entry that stands
// Out     nothing, or a Failure with the LDAP result; the breaches of an entry
// Old     a change is refused only for a breach that the entry did not have before: what was there before this rule, or
//         is another directory's, stays
// Cost    a look at a table for each attribute of the entry, and one for each value that comes
// RFC 4512 §2.4, §2.5, §3.3; RFC 4511 §4.6

import type { DirectoryResultName } from '../base/directory-result.ts';
import { type ClassRules, classRulesOf } from './class-rules.ts';
import type { AttributeDifference } from './draft.ts';
import type { AttributeValue, Entry } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { illegality } from './legal-values.ts';
import { schema, typeKeyOf } from './schema.ts';

type Contents = Pick<Entry, 'attributes' | 'memberCounts'>;

/** One thing that does not fit. */
export interface Breach {
  /** The same for the same breach of another state of the entry. */
  readonly key: string;
  readonly result: DirectoryResultName;
  /** `objectClass`, or the attribute. */
  readonly attribute: string;
  readonly text: string;
}

interface CheckedChange {
  /** Undefined for an add, and for an add that takes the place of an entry that was made on the way. */
  readonly before: Contents | undefined;
  readonly after: Contents;
  readonly differences: readonly AttributeDifference[];
}

/** Throws for the first breach that the change makes. */
export function checkEntry({ before, after, differences }: CheckedChange): void {
  const rules = rulesOf(after);
  const breaches = classBreaches(after, rules);
  if (breaches.length > 0) {
    const old = new Set((before === undefined ? [] : classBreaches(before, rulesOf(before))).map(({ key }) => key));
    const [made] = breaches.filter(({ key }) => !old.has(key));
    if (made !== undefined) throw directoryFailure(made.result, made.text);
  }
  if (before !== undefined) checkStructural(rulesOf(before).structural, rules.structural);
  for (const { description, added } of differences)
    for (const value of added) {
      const breach = valueBreach(description.type.key, description.name, value);
      if (breach !== undefined) throw directoryFailure(breach.result, breach.text);
    }
}

/** All that does not fit in an entry as it stands. Members that are rows are counted, not looked at: memberBreach does. */
export function breachesOf(entry: Contents): Breach[] {
  const breaches = classBreaches(entry, rulesOf(entry));
  for (const [key, { name, values }] of entry.attributes) {
    const typeKey = typeKeyOf(key);
    for (const value of values) {
      const breach = valueBreach(typeKey, name, value);
      if (breach !== undefined) breaches.push(breach);
    }
  }
  return breaches;
}

/** Of a value that is a row of its own; `key` is its attribute's. */
export function memberBreach(key: string, value: string): Breach | undefined {
  return valueBreach(key, schema().attributeType(key)?.name ?? key, value);
}

function rulesOf({ attributes }: Contents): ClassRules {
  return classRulesOf(schema(), attributes.get('objectclass')?.values ?? []);
}

function classBreaches(entry: Contents, rules: ClassRules): Breach[] {
  const breaches: Breach[] = [];
  const add = (key: string, attribute: string, text: string): void => {
    breaches.push({ key, result: 'objectClassViolation', attribute, text });
  };
  if (rules.rivals !== undefined) {
    const [one, other] = rules.rivals;
    add('rivals', 'objectClass', `The entry has two structural object classes: ${one} and ${other}`);
  } else if (rules.structural === undefined) {
    add('structural', 'objectClass', 'The entry has no structural object class');
  }
  for (const [key, { name, by }] of rules.must)
    if (!hasAttribute(entry, key)) add(`must ${key}`, name, `The object class ${by} needs the attribute ${name}`);
  if (rules.allowsAll) return breaches;
  const keys = [...entry.attributes.keys(), ...(entry.memberCounts?.keys() ?? [])];
  for (const key of keys) {
    const typeKey = typeKeyOf(key);
    if (rules.allowed.has(typeKey)) continue;
    const type = schema().attributeType(typeKey);
    if (type === undefined || type.usage !== 'userApplications' || typeKey === 'objectclass') continue;
    add(`may ${typeKey}`, type.name, `None of the entry's object classes allows the attribute ${type.name}`);
  }
  return breaches;
}

function hasAttribute({ attributes, memberCounts }: Contents, key: string): boolean {
  if (attributes.has(key) || memberCounts?.has(key) === true) return true;
  for (const other of attributes.keys()) if (typeKeyOf(other) === key) return true;
  return false;
}

/** An entry without one, or with two, may get what it lacks. */
function checkStructural(before: string | undefined, after: string | undefined): void {
  if (before === undefined || after === undefined || before === after) return;
  const text = `The structural object class ${before} cannot become ${after}`;
  throw directoryFailure('objectClassModsProhibited', text);
}

const SHOWN_MAX = 60;

function valueBreach(key: string, name: string, value: AttributeValue): Breach | undefined {
  const legal = illegality(key, value);
  if (legal === undefined) return undefined;
  const text = value as string;
  const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
  const shown = cut.replace(/[^\x20-\x7e]/g, '?');
  const sentence = `${name}: ${shown} is not legal; ${legal}`;
  return { key: `value ${key} ${text}`, result: 'invalidAttributeSyntax', attribute: name, text: sentence };
}
