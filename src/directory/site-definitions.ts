// Attribute types and object classes of a site as the schema takes them: each checked against what it builds on.
//
// In      parsed definitions, in any order; the types, classes and rules that stand already
// Out     types and classes, each below what it builds on
// Errors  SchemaProblem: unknown syntax, rule or name, a rule of another syntax, a chain of kinds that cannot be

import type { ClassDefinition, TypeDefinition } from './definitions.ts';
import type { AttributeType, ObjectClass } from './schema.ts';
import { MATCHING_RULES, type MatchingRuleName, SYNTAXES, type SyntaxName } from './schema-data.ts';

export class SchemaProblem extends Error {}

type Find<T> = (nameOrOid: string) => T | undefined;

const TEXTS: readonly SyntaxName[] = ['DirectoryString', 'PrintableString', 'CountryString', 'IA5String'];

/** Values of these syntaxes can be prepared for the rule. */
function syntaxesOf(rule: MatchingRuleName): readonly SyntaxName[] {
  if (rule.includes('FirstComponent')) return [];
  if (rule.includes('IA5')) return ['IA5String'];
  if (rule.startsWith('caseIgnoreList')) return ['PostalAddress'];
  if (rule.startsWith('case')) return TEXTS;
  if (rule.startsWith('numericString')) return ['NumericString'];
  if (rule.startsWith('telephoneNumber')) return ['TelephoneNumber'];
  return [MATCHING_RULES[rule][1]];
}

export function siteType(definition: TypeDefinition, find: Find<AttributeType>): AttributeType {
  const { oid, names, superior, singleValued } = definition;
  if (definition.isOperational)
    throw new SchemaProblem(`${names[0]}: a type of a site is of the usage userApplications`);
  const supertype = superior === undefined ? undefined : find(superior);
  if (superior !== undefined && (supertype === undefined || supertype.isKeptInRows || supertype.isSecret))
    throw new SchemaProblem(`${names[0]}: the type ${superior} is not known, or no other can build on it`);
  const syntax = definition.syntax === undefined ? supertype?.syntax : syntaxNamed(definition.syntax);
  if (syntax === undefined) throw new SchemaProblem(`${names[0]}: the syntax ${definition.syntax ?? ''} is not known`);
  const rule = (written: string | undefined, of: MatchingRuleName | undefined): MatchingRuleName | undefined => {
    if (written === undefined) return of;
    const found = ruleNamed(written);
    if (found === undefined) throw new SchemaProblem(`${names[0]}: the rule ${written} is not known`);
    if (!syntaxesOf(found).includes(syntax)) throw new SchemaProblem(`${names[0]}: ${found} is not for ${syntax}`);
    return found;
  };
  const name = names[0]!;
  const key = name.toLowerCase();
  return {
    oid,
    names,
    name,
    key,
    supertype,
    keys: [key],
    syntax,
    equality: rule(definition.equality, supertype?.equality),
    ordering: rule(definition.ordering, supertype?.ordering),
    substrings: rule(definition.substrings, supertype?.substrings),
    singleValued,
    isMade: false,
    isSecret: false,
    isHidden: false,
    isKeptInRows: false,
    isAddress: false,
    isOfSite: true,
    usage: 'userApplications',
  };
}

export function siteClass(
  { oid, names, superiors, kind, must, may }: ClassDefinition,
  find: Find<ObjectClass>,
  findType: Find<AttributeType>,
): ObjectClass {
  const name = names[0]!;
  if (superiors.length !== 1) throw new SchemaProblem(`${name}: a class has one superclass here`);
  const superclass = find(superiors[0]!);
  if (superclass === undefined) throw new SchemaProblem(`${name}: the class ${superiors[0]} is not known`);
  if (superclass.kind !== kind && superclass.kind !== 'ABSTRACT')
    throw new SchemaProblem(`${name}: ${kind} cannot be below ${superclass.kind}`);
  for (const each of [...must, ...may])
    if (findType(each) === undefined) throw new SchemaProblem(`${name}: the type ${each} is not known`);
  return { oid, name, kind, superclass, must, may, isOfSite: true };
}

/** Each below what it builds on; what builds on nothing that is there comes last, to be refused. */
export function inOrder<T extends { readonly oid: string; readonly names: readonly string[] }>(
  definitions: readonly T[],
  superiorOf: (definition: T) => string | undefined,
): readonly T[] {
  const left = new Set(definitions);
  const isLeft = (name: string | undefined): boolean =>
    [...left].some(({ oid, names }) => oid === name || names.some((own) => own.toLowerCase() === name?.toLowerCase()));
  const ordered: T[] = [];
  for (let before = -1; before !== ordered.length; ) {
    before = ordered.length;
    for (const each of left)
      if (!isLeft(superiorOf(each))) {
        left.delete(each);
        ordered.push(each);
      }
  }
  return [...ordered, ...left];
}

function syntaxNamed(oid: string): SyntaxName | undefined {
  return (Object.keys(SYNTAXES) as SyntaxName[]).find((name) => SYNTAXES[name][0] === oid);
}

function ruleNamed(nameOrOid: string): MatchingRuleName | undefined {
  const wanted = nameOrOid.toLowerCase();
  return (Object.keys(MATCHING_RULES) as MatchingRuleName[]).find(
    (name) => name.toLowerCase() === wanted || MATCHING_RULES[name][0] === nameOrOid,
  );
}
