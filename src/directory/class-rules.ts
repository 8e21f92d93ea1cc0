// What a set of object classes asks of an entry: one structural chain, attributes that it must and may have.
//
// In      the values of objectClass, superclasses among them
// Out     rules by attribute key; made once for each set of classes that a schema meets
// Limits  SETS_KEPT sets are remembered, the rest is made anew each time
// RFC 4512 §2.4, §4.1.1

import { asciiLower } from '../base/characters.ts';
import type { AttributeValue } from './entry.ts';
import type { ObjectClass, Schema } from './schema.ts';

export interface ClassRules {
  /** The most special structural class; undefined where there is none, or where two chains stand side by side. */
  readonly structural: string | undefined;
  /** Two structural classes of which neither is above the other. */
  readonly rivals: readonly [string, string] | undefined;
  /** By attribute key: its name, and the class that asks for it. */
  readonly must: ReadonlyMap<string, { readonly name: string; readonly by: string }>;
  /** Keys of attribute types. */
  readonly allowed: ReadonlySet<string>;
  /** extensibleObject: each attribute is allowed. RFC 4512 §4.3 */
  readonly allowsAll: boolean;
}

const SETS_KEPT = 1000;

const known = new WeakMap<Schema, Map<string, ClassRules>>();

export function classRulesOf(schema: Schema, classes: readonly AttributeValue[]): ClassRules {
  const key = classes.join(' ');
  let sets = known.get(schema);
  if (sets === undefined) known.set(schema, (sets = new Map()));
  let rules = sets.get(key);
  if (rules === undefined) {
    rules = compile(schema, classes);
    if (sets.size < SETS_KEPT) sets.set(key, rules);
  }
  return rules;
}

function compile(schema: Schema, classes: readonly AttributeValue[]): ClassRules {
  const all = new Set<ObjectClass>();
  for (const value of classes) {
    const found = typeof value === 'string' ? schema.objectClass(value) : undefined;
    for (let at = found; at !== undefined; at = at.superclass) all.add(at);
  }
  const must = new Map<string, { name: string; by: string }>();
  const allowed = new Set<string>();
  for (const { name: by, must: needs, may } of all) {
    for (const text of needs) {
      const { key, name } = schema.attributeType(text)!;
      if (!must.has(key)) must.set(key, { name, by });
      allowed.add(key);
    }
    for (const text of may) allowed.add(schema.attributeType(text)!.key);
  }
  const allowsAll = [...all].some(({ name }) => asciiLower(name) === 'extensibleobject');
  return { ...structuralOf(all), must, allowed, allowsAll };
}

function structuralOf(all: ReadonlySet<ObjectClass>): Pick<ClassRules, 'structural' | 'rivals'> {
  const chain = [...all].filter(({ kind }) => kind === 'STRUCTURAL').sort((a, b) => depthOf(b) - depthOf(a));
  const [deepest] = chain;
  if (deepest === undefined) return { structural: undefined, rivals: undefined };
  const rival = chain.find((each) => !isAbove(each, deepest));
  return rival === undefined
    ? { structural: deepest.name, rivals: undefined }
    : { structural: undefined, rivals: [deepest.name, rival.name] };
}

function depthOf(of: ObjectClass): number {
  let depth = 0;
  for (let at = of.superclass; at !== undefined; at = at.superclass) depth++;
  return depth;
}

function isAbove(candidate: ObjectClass, of: ObjectClass): boolean {
  for (let at: ObjectClass | undefined = of; at !== undefined; at = at.superclass) if (at === candidate) return true;
  return false;
}
