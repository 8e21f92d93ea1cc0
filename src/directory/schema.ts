// The schema by name: attribute types, object classes, attribute descriptions with options, and cn=Subschema.
//
// Never  checks MUST and MAY yet: the tables hold them, and they are published
// RFC 4512 §2.5 §4.1 §4.2

import { asciiLower } from '../base/characters.ts';
import type { Attribute, AttributeValue } from './entry.ts';
import {
  ATTRIBUTE_KINDS,
  ATTRIBUTE_ROWS,
  type AttributeKind,
  type AttributeRow,
  MATCHING_RULES,
  type MatchingRuleName,
  OBJECT_CLASS_ROWS,
  type ObjectClassKind,
  SYNTAXES,
  type SyntaxName,
} from './schema-data.ts';

export type AttributeUsage = 'userApplications' | 'directoryOperation' | 'dSAOperation';

export interface AttributeType {
  readonly oid: string;
  readonly names: readonly string[];
  /** The first name: how it is shown whatever the client wrote. */
  readonly name: string;
  /** `name` in lower case: how it stands in Attributes. */
  readonly key: string;
  readonly supertype: AttributeType | undefined;
  /** Keys of this type and of all types below it: what a filter on it looks at. RFC 4512 §2.5.1 */
  readonly keys: readonly string[];
  readonly syntax: SyntaxName;
  readonly equality: MatchingRuleName | undefined;
  readonly ordering: MatchingRuleName | undefined;
  readonly substrings: MatchingRuleName | undefined;
  readonly singleValued: boolean;
  /** Made by the server; no client may write it. */
  readonly isMade: boolean;
  /** A password: read over LDAP by the administrator alone, in no log and in no command's output. */
  readonly isSecret: boolean;
  readonly usage: AttributeUsage;
}

export interface ObjectClass {
  readonly oid: string;
  readonly name: string;
  readonly kind: ObjectClassKind;
  readonly superclass: ObjectClass | undefined;
  readonly must: readonly string[];
  readonly may: readonly string[];
}

export const SUBSCHEMA_DN = 'cn=Subschema';

const attributeTypes = new Map<string, AttributeType>();
const objectClasses = new Map<string, ObjectClass>();

/** By any of its names in any case, or by OID. */
export function findAttributeType(nameOrOid: string): AttributeType | undefined {
  return attributeTypes.get(nameOrOid) ?? attributeTypes.get(asciiLower(nameOrOid));
}

export function findObjectClass(nameOrOid: string): ObjectClass | undefined {
  return objectClasses.get(nameOrOid) ?? objectClasses.get(asciiLower(nameOrOid));
}

/** An attribute type with its options: one attribute of an entry. RFC 4512 §2.5 */
export interface AttributeDescription {
  readonly type: AttributeType;
  /** Language tags in lower case, sorted. `binary` is no option here: it says only how the value travels. */
  readonly options: readonly string[];
  /** As shown: published name, then the options. */
  readonly name: string;
  readonly key: string;
}

/** More options than this on one attribute mean a broken client. */
const OPTIONS_MAX = 8;
const LANGUAGE_TAG = /^lang-[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,5}$/;
const DESCRIPTIONS_KEPT = 1000;
const descriptions = new Map<string, AttributeDescription>();

/**
 * The attribute that this text names; undefined when the schema does not know it or an option does not fit it.
 * `;lang-x` fits text; `;binary` fits certificates, and means them with or without it. RFC 3866, RFC 4522
 */
export function findDescription(text: string): AttributeDescription | undefined {
  const known = descriptions.get(text);
  if (known !== undefined) return known;
  const description = readDescription(text);
  if (description !== undefined && descriptions.size < DESCRIPTIONS_KEPT) descriptions.set(text, description);
  return description;
}

function readDescription(text: string): AttributeDescription | undefined {
  const parts = text.split(';');
  if (parts.length > OPTIONS_MAX + 1) return undefined;
  const type = findAttributeType(parts[0]!);
  if (type === undefined) return undefined;
  const options = new Set<string>();
  for (const part of parts.slice(1)) {
    const option = asciiLower(part);
    if (option === 'binary' && type.syntax === 'Certificate') continue;
    if (!LANGUAGE_TAG.test(option) || !allowsLanguages(type)) return undefined;
    options.add(option);
  }
  const sorted = [...options].sort();
  const suffix = sorted.map((option) => `;${option}`).join('');
  const shown = type.syntax === 'Certificate' ? `${type.name};binary` : `${type.name}${suffix}`;
  return { type, options: sorted, name: shown, key: `${type.key}${suffix}` };
}

/** Its values may be given in several languages: `cn;lang-fr`. */
export function allowsLanguages(type: AttributeType): boolean {
  return type.usage === 'userApplications' && (type.syntax === 'DirectoryString' || type.syntax === 'PostalAddress');
}

/** The type key of an entry's attribute key: what stands before the options. */
export function typeKeyOf(key: string): string {
  const end = key.indexOf(';');
  return end < 0 ? key : key.slice(0, end);
}

/** These classes with all their superclasses, under their published names, each once; unknown ones are left out. */
export function withSuperclasses(classes: readonly AttributeValue[]): readonly string[] {
  const all = new Set<string>();
  for (const value of classes) {
    const found = typeof value === 'string' ? findObjectClass(value) : undefined;
    for (let at = found; at !== undefined; at = at.superclass) all.add(at.name);
  }
  return [...all];
}

/** The most special structural class among these, undefined when there is none. RFC 4512 §2.4.2 */
export function structuralClassOf(classes: readonly AttributeValue[]): string | undefined {
  let best: ObjectClass | undefined;
  for (const value of classes) {
    const found = typeof value === 'string' ? findObjectClass(value) : undefined;
    if (found?.kind === 'STRUCTURAL' && (best === undefined || isSubclass(found, best))) best = found;
  }
  return best?.name;
}

function isSubclass(candidate: ObjectClass, of: ObjectClass): boolean {
  for (let at: ObjectClass | undefined = candidate; at !== undefined; at = at.superclass) if (at === of) return true;
  return false;
}

/** What `cn=Subschema` holds, without operational attributes. Made once. RFC 4512 §4.2 */
export function subschemaAttributes(): readonly Attribute[] {
  return (subschema ??= [
    { name: 'objectClass', values: ['top', 'subentry', 'subschema', 'extensibleObject'] },
    { name: 'cn', values: ['Subschema'] },
    { name: 'ldapSyntaxes', values: Object.values(SYNTAXES).map(([oid, text]) => `( ${oid} DESC '${text}' )`) },
    {
      name: 'matchingRules',
      values: Object.entries(MATCHING_RULES).map(
        ([name, [oid, syntax]]) => `( ${oid} NAME '${name}' SYNTAX ${SYNTAXES[syntax][0]} )`,
      ),
    },
    { name: 'attributeTypes', values: [...new Set(attributeTypes.values())].map(attributeTypeDescription) },
    { name: 'objectClasses', values: [...new Set(objectClasses.values())].map(objectClassDescription) },
  ]);
}

let subschema: readonly Attribute[] | undefined;

/** RFC 4512 §4.1.2; the rules are written out, also where a supertype would give them. */
function attributeTypeDescription(type: AttributeType): string {
  const parts = [`( ${type.oid} NAME ${quotedNames(type.names)}`];
  if (type.supertype !== undefined) parts.push(`SUP ${type.supertype.name}`);
  if (type.equality !== undefined) parts.push(`EQUALITY ${type.equality}`);
  if (type.ordering !== undefined) parts.push(`ORDERING ${type.ordering}`);
  if (type.substrings !== undefined) parts.push(`SUBSTR ${type.substrings}`);
  parts.push(`SYNTAX ${SYNTAXES[type.syntax][0]}`);
  if (type.singleValued) parts.push('SINGLE-VALUE');
  if (type.isMade) parts.push('NO-USER-MODIFICATION');
  if (type.usage !== 'userApplications') parts.push(`USAGE ${type.usage}`);
  return `${parts.join(' ')} )`;
}

/** RFC 4512 §4.1.1 */
function objectClassDescription(objectClass: ObjectClass): string {
  const parts = [`( ${objectClass.oid} NAME '${objectClass.name}'`];
  if (objectClass.superclass !== undefined) parts.push(`SUP ${objectClass.superclass.name}`);
  parts.push(objectClass.kind);
  if (objectClass.must.length > 0) parts.push(`MUST ${oids(objectClass.must)}`);
  if (objectClass.may.length > 0) parts.push(`MAY ${oids(objectClass.may)}`);
  return `${parts.join(' ')} )`;
}

function quotedNames(names: readonly string[]): string {
  return names.length === 1 ? `'${names[0]}'` : `( ${names.map((name) => `'${name}'`).join(' ')} )`;
}

function oids(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `( ${names.join(' $ ')} )`;
}

for (const row of ATTRIBUTE_ROWS) registerAttributeType(row);
for (const [oid, name, kind, superclass, must, may] of OBJECT_CLASS_ROWS) {
  const value: ObjectClass = {
    oid,
    name,
    kind,
    superclass: superclass === '' ? undefined : findObjectClass(superclass),
    must: words(must),
    may: words(may),
  };
  register(objectClasses, value, [name]);
}

/** Rows stand below the rows that they build on, so one pass is enough. */
function registerAttributeType([oid, names, kind, ...flags]: AttributeRow): void {
  const supertype = kind.startsWith('<') ? findAttributeType(kind.slice(1)) : undefined;
  const rules: AttributeKind = supertype === undefined ? kindOf(kind) : rulesOf(supertype);
  const all = words(names);
  const key = asciiLower(all[0]!);
  const keys = [key];
  register(
    attributeTypes,
    {
      oid,
      names: all,
      name: all[0]!,
      key,
      supertype,
      keys,
      syntax: rules.syntax,
      equality: rules.equality,
      ordering: rules.ordering,
      substrings: rules.substrings,
      singleValued: flags.includes('single'),
      isMade: flags.includes('made'),
      isSecret: flags.includes('secret'),
      usage: flags.includes('operational')
        ? 'directoryOperation'
        : flags.includes('server')
          ? 'dSAOperation'
          : 'userApplications',
    },
    all,
  );
  for (let above = supertype; above !== undefined; above = above.supertype) (above.keys as string[]).push(key);
}

function kindOf(kind: string): AttributeKind {
  if (!Object.hasOwn(ATTRIBUTE_KINDS, kind)) throw new Error(`the schema has no kind ${kind}`);
  return ATTRIBUTE_KINDS[kind as keyof typeof ATTRIBUTE_KINDS];
}

function rulesOf(type: AttributeType): AttributeKind {
  return {
    syntax: type.syntax,
    ...(type.equality === undefined ? {} : { equality: type.equality }),
    ...(type.ordering === undefined ? {} : { ordering: type.ordering }),
    ...(type.substrings === undefined ? {} : { substrings: type.substrings }),
  };
}

function register<T extends { readonly oid: string }>(table: Map<string, T>, value: T, names: readonly string[]): void {
  for (const name of [value.oid, ...names.map(asciiLower)]) {
    if (table.has(name)) throw new Error(`the schema has ${name} twice`);
    table.set(name, value);
  }
  // The published spelling is asked for most: it needs no lower case.
  for (const name of names) table.set(name, value);
}

function words(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.split(' ');
}
