// The schema by name: attribute types, object classes, matching rules, attribute descriptions with options.
//
// A Schema is a value with a revision: it never changes, and what changes the schema makes another one. Who works with
// types asks `schema()` for the thread's at the time, or takes one.
// Never  checks an entry against it: check-entry.ts does
// RFC 4512 §2.5 §4.1

import { asciiLower } from '../base/characters.ts';
import type { ClassDefinition, TypeDefinition } from './definitions.ts';
import type { AttributeValue } from './entry.ts';
import {
  ATTRIBUTE_KINDS,
  ATTRIBUTE_ROWS,
  type AttributeKind,
  type AttributeRow,
  MATCHING_RULES,
  type MatchingRuleName,
  OBJECT_CLASS_ROWS,
  type ObjectClassKind,
  type ObjectClassRow,
  type SyntaxName,
} from './schema-data.ts';
import { inOrder, SchemaProblem, siteClass, siteType } from './site-definitions.ts';

export type AttributeUsage = 'userApplications' | 'directoryOperation' | 'dSAOperation';

export interface AttributeType {
  readonly oid: string;
  readonly names: readonly string[];
  /** The first name: how it is shown whatever the client wrote. */
  readonly name: string;
  /** `name` in lower case: its key in Attributes. */
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
  /** A secret that nobody reads over LDAP, the administrator included. */
  readonly isHidden: boolean;
  /** Its values are rows of their own (member-values.ts), not part of their entry. */
  readonly isKeptInRows: boolean;
  /** Mail addresses: text that is in no language. */
  readonly isAddress: boolean;
  /** Defined by this site (site-schema.ts), not built in. */
  readonly isOfSite: boolean;
  readonly usage: AttributeUsage;
}

export interface ObjectClass {
  readonly oid: string;
  readonly name: string;
  readonly kind: ObjectClassKind;
  readonly superclass: ObjectClass | undefined;
  readonly must: readonly string[];
  readonly may: readonly string[];
  readonly isOfSite: boolean;
}

export interface MatchingRule {
  readonly oid: string;
  readonly name: MatchingRuleName;
}

export const SUBSCHEMA_DN = 'cn=Subschema';

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

export interface SchemaRows {
  /** Rows stand below the rows that they build on. */
  readonly attributes: readonly AttributeRow[];
  readonly classes: readonly ObjectClassRow[];
  readonly site?: SiteDefinitions;
}

export interface SiteDefinitions {
  readonly types: readonly TypeDefinition[];
  readonly classes: readonly ClassDefinition[];
}

export class Schema {
  /** Another one for each other schema that this program works with. */
  readonly revision: number;
  readonly #types: Names<AttributeType>;
  readonly #classes: Names<ObjectClass>;
  readonly #rules: Names<MatchingRule>;
  /** Descriptions as clients spell them, read once. */
  readonly #descriptions = new Map<string, AttributeDescription>();

  /** Throws for rows that name what does not stand above them, and for a name or OID that comes twice. */
  constructor(revision: number, rows: SchemaRows) {
    this.revision = revision;
    this.#types = typesOf(rows.attributes);
    this.#classes = classesOf(rows.classes);
    this.#rules = matchingRules();
    if (rows.site !== undefined) this.#addSite(rows.site);
  }

  /** The one that is built in, with these beside. Throws SchemaProblem. */
  static withSite(revision: number, site: SiteDefinitions): Schema {
    return new Schema(revision, { attributes: ATTRIBUTE_ROWS, classes: OBJECT_CLASS_ROWS, site });
  }

  #addSite({ types, classes }: SiteDefinitions): void {
    for (const definition of inOrder(types, ({ superior }) => superior)) {
      const type = siteType(definition, (name) => this.attributeType(name));
      checkFree([type.oid, ...type.names], this.#types, this.#classes);
      this.#types.add(type, type.names);
      for (let above = type.supertype; above !== undefined; above = above.supertype)
        (above.keys as string[]).push(type.key);
    }
    for (const definition of inOrder(classes, ({ superiors }) => superiors[0])) {
      const made = siteClass(
        definition,
        (name) => this.objectClass(name),
        (name) => this.attributeType(name),
      );
      checkFree([made.oid, ...definition.names], this.#types, this.#classes);
      this.#classes.add(made, definition.names);
    }
  }

  get attributeTypes(): readonly AttributeType[] {
    return this.#types.all;
  }

  get objectClasses(): readonly ObjectClass[] {
    return this.#classes.all;
  }

  /** By any of its names in any case, or by OID. */
  attributeType(nameOrOid: string): AttributeType | undefined {
    return this.#types.find(nameOrOid);
  }

  objectClass(nameOrOid: string): ObjectClass | undefined {
    return this.#classes.find(nameOrOid);
  }

  matchingRule(nameOrOid: string): MatchingRule | undefined {
    return this.#rules.find(nameOrOid);
  }

  /**
   * The attribute that this text names; undefined when the schema does not know it or an option does not fit it.
   * `;lang-x` fits text; `;binary` fits certificates, and means them with or without it. RFC 3866, RFC 4522
   */
  description(text: string): AttributeDescription | undefined {
    const known = this.#descriptions.get(text);
    if (known !== undefined) return known;
    const description = this.#readDescription(text);
    if (description !== undefined && this.#descriptions.size < DESCRIPTIONS_KEPT)
      this.#descriptions.set(text, description);
    return description;
  }

  /** These classes with all their superclasses, under their published names, each once; unknown ones are left out. */
  withSuperclasses(classes: readonly AttributeValue[]): readonly string[] {
    const all = new Set<string>();
    for (const value of classes) {
      const found = typeof value === 'string' ? this.objectClass(value) : undefined;
      for (let at = found; at !== undefined; at = at.superclass) all.add(at.name);
    }
    return [...all];
  }

  /** The most special structural class among these, undefined when there is none. RFC 4512 §2.4.2 */
  structuralClassOf(classes: readonly AttributeValue[]): string | undefined {
    let best: ObjectClass | undefined;
    for (const value of classes) {
      const found = typeof value === 'string' ? this.objectClass(value) : undefined;
      if (found?.kind === 'STRUCTURAL' && (best === undefined || isSubclass(found, best))) best = found;
    }
    return best?.name;
  }

  #readDescription(text: string): AttributeDescription | undefined {
    const parts = text.split(';');
    if (parts.length > OPTIONS_MAX + 1) return undefined;
    const type = this.attributeType(parts[0]!);
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
}

/** Its values may be given in several languages: `cn;lang-fr`. */
export function allowsLanguages(type: AttributeType): boolean {
  if (type.isKeptInRows || type.isAddress) return false;
  return type.usage === 'userApplications' && (type.syntax === 'DirectoryString' || type.syntax === 'PostalAddress');
}

/** The type key of an entry's attribute key: what stands before the options. */
export function typeKeyOf(key: string): string {
  const end = key.indexOf(';');
  return end < 0 ? key : key.slice(0, end);
}

/** A name means one thing, be it a type or a class. */
function checkFree(names: readonly string[], ...taken: readonly Names<{ readonly oid: string }>[]): void {
  for (const name of names)
    if (taken.some((each) => each.find(name) !== undefined)) throw new SchemaProblem(`${name} is taken`);
}

function isSubclass(candidate: ObjectClass, of: ObjectClass): boolean {
  for (let at: ObjectClass | undefined = candidate; at !== undefined; at = at.superclass) if (at === of) return true;
  return false;
}

/** Definitions by name and by OID. */
class Names<T extends { readonly oid: string }> {
  readonly #byName = new Map<string, T>();
  readonly all: T[] = [];

  find(nameOrOid: string): T | undefined {
    return this.#byName.get(nameOrOid) ?? this.#byName.get(asciiLower(nameOrOid));
  }

  add(value: T, names: readonly string[]): void {
    for (const name of [value.oid, ...names.map(asciiLower)]) {
      if (this.#byName.has(name)) throw new Error(`the schema has ${name} twice`);
      this.#byName.set(name, value);
    }
    // The published spelling is asked for most: it needs no lower case.
    for (const name of names) this.#byName.set(name, value);
    this.all.push(value);
  }
}

function typesOf(rows: readonly AttributeRow[]): Names<AttributeType> {
  const types = new Names<AttributeType>();
  for (const [oid, names, kind, ...flags] of rows) {
    const supertype = kind.startsWith('<') ? types.find(kind.slice(1)) : undefined;
    const rules: AttributeKind = supertype === undefined ? kindOf(kind) : rulesOf(supertype);
    const all = words(names);
    const key = asciiLower(all[0]!);
    const type: AttributeType = {
      oid,
      names: all,
      name: all[0]!,
      key,
      supertype,
      keys: [key],
      syntax: rules.syntax,
      equality: rules.equality,
      ordering: rules.ordering,
      substrings: rules.substrings,
      singleValued: flags.includes('single'),
      isMade: flags.includes('made'),
      isSecret: flags.includes('secret') || flags.includes('hidden'),
      isHidden: flags.includes('hidden'),
      isKeptInRows: flags.includes('rows'),
      isAddress: kind === 'address',
      isOfSite: false,
      usage: flags.includes('operational')
        ? 'directoryOperation'
        : flags.includes('server')
          ? 'dSAOperation'
          : 'userApplications',
    };
    types.add(type, all);
    for (let above = supertype; above !== undefined; above = above.supertype) (above.keys as string[]).push(key);
  }
  return types;
}

function classesOf(rows: readonly ObjectClassRow[]): Names<ObjectClass> {
  const classes = new Names<ObjectClass>();
  for (const [oid, name, kind, superclass, must, may] of rows) {
    const above = superclass === '' ? undefined : classes.find(superclass);
    classes.add({ oid, name, kind, superclass: above, must: words(must), may: words(may), isOfSite: false }, [name]);
  }
  return classes;
}

function matchingRules(): Names<MatchingRule> {
  const rules = new Names<MatchingRule>();
  for (const [name, [oid]] of Object.entries(MATCHING_RULES))
    rules.add({ oid, name: name as MatchingRuleName }, [name]);
  return rules;
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

function words(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.split(' ');
}

const published = new Schema(1, { attributes: ATTRIBUTE_ROWS, classes: OBJECT_CLASS_ROWS });

/** What this program brings along, without the definitions of a site. */
export function builtInSchema(): Schema {
  return published;
}

let following: (() => Schema) | undefined;
let isReading = false;

/** From now on the thread's schema is what `read` gives at each time; what is returned ends that. */
export function followSchema(read: () => Schema): () => void {
  following = read;
  return () => {
    if (following === read) following = undefined;
  };
}

/** The schema that this thread works with now. */
export function schema(): Schema {
  if (following === undefined || isReading) return published;
  isReading = true;
  try {
    return following();
  } finally {
    isReading = false;
  }
}
