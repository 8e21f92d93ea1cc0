// The definitions of a site: kept as values of one entry, added and removed by changes of `cn=Subschema`, and known to each
// thread's next operation.
//
// In      a change of attributeTypes and objectClasses: values that come, values that go
// Out     the same as a change of the entry that holds them; or invalidAttributeSyntax for a definition that cannot be,
//         unwillingToPerform for the removal of one in use and for all that is built in
// State   a thread asks for the published revision, and reads the entry anew where it has changed: an atomic load each time
// Limits  DEFINITIONS_MAX definitions; a removal looks at all entries, in the writer
// RFC 4512 §4.2

import { asciiLower } from '../base/characters.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import type { TypeDefinition } from './definitions.ts';
import { type ClassDefinition, firstComponent, parseClassDefinition, parseTypeDefinition } from './definitions.ts';
import { type Dn, normalizeDn, parseDn } from './dn.ts';
import { findEntryIn } from './entries.ts';
import { type AttributeValue, type DirectoryChange, textValues } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { builtInSchema, followSchema, Schema, SUBSCHEMA_DN } from './schema.ts';
import { SchemaProblem } from './site-definitions.ts';
import { ofSuffix } from './suffix.ts';

export const siteSchemaDn = ofSuffix((suffix) => `cn=Schema,ou=Waypost,${suffix}`);

const holderDn = ofSuffix(() => normalizeDn(siteSchemaDn()));
const DEFINITIONS_MAX = 2000;
const SUBSCHEMA_NAMES: readonly string[] = [SUBSCHEMA_DN, 'cn=schema'].map(asciiLower);

/** It changes by changes of the subschema alone. */
export function holdsSiteSchema(dn: Dn): boolean {
  return dn.normalized === holderDn();
}

export function isSubschema(dn: Dn): boolean {
  return SUBSCHEMA_NAMES.includes(dn.normalized);
}

interface Texts {
  readonly types: readonly string[];
  readonly classes: readonly string[];
}

const STORED = 'SELECT revision, attributes FROM dit WHERE tenant = ? AND path = ?';
const STORED_REVISION = 'SELECT revision FROM dit WHERE tenant = ? AND path = ?';

/** From now on this thread works with the directory's own schema, until what is returned is called: before the reader is closed. */
export function useSiteSchema(reader: Reader, published: () => number): () => void {
  const path = parseDn(siteSchemaDn()).path;
  let seen: number | undefined;
  /** The snapshot for which the row has been read. */
  let older: number | undefined;
  let entry = 0;
  let current = builtInSchema();
  return followSchema(() => {
    const now = published();
    if (now === seen) return current;
    // The connection may be in a snapshot that is older: then it is asked again once that has ended.
    const snapshot = reader.openSnapshot;
    if (snapshot !== undefined && snapshot === older) return current;
    older = snapshot;
    seen = (reader.revision() | 0) === now ? now : undefined;
    const revision = Number(reader.arrays(STORED_REVISION, TENANT, path)[0]?.[0] ?? 0);
    if (revision !== entry) {
      entry = revision;
      const json = reader.arrays(STORED, TENANT, path)[0]?.[1];
      current = schemaOf(revision, textsOf(json === undefined ? [] : JSON.parse(String(json))));
    }
    return current;
  });
}

function textsOf(attributes: readonly [name: string, values: readonly string[]][]): Texts {
  const of = (name: string): readonly string[] => attributes.find(([each]) => each === name)?.[1] ?? [];
  return { types: of('attributeTypes'), classes: of('objectClasses') };
}

/** What is stored was sound; where a later program has one of its names built in, that one goes. */
function schemaOf(revision: number, texts: Texts): Schema {
  for (const sound of [texts, { types: texts.types.filter(isFree), classes: texts.classes.filter(isFree) }])
    try {
      return schemaWith(revision, sound);
    } catch (error) {
      if (!(error instanceof SchemaProblem)) throw error;
    }
  return builtInSchema();
}

function isFree(text: string): boolean {
  const parsed = parseTypeDefinition(text);
  const names = 'definition' in parsed ? [parsed.definition.oid, ...parsed.definition.names] : [];
  const isTaken = (name: string): boolean =>
    (builtInSchema().attributeType(name) ?? builtInSchema().objectClass(name)) !== undefined;
  return !names.some(isTaken);
}

/** Throws SchemaProblem. */
function schemaWith(revision: number, texts: Texts): Schema {
  if (texts.types.length + texts.classes.length === 0) return builtInSchema();
  const types = texts.types.map((text) => definitionOf<TypeDefinition>(parseTypeDefinition(text)));
  const classes = texts.classes.map((text) => definitionOf<ClassDefinition>(parseClassDefinition(text)));
  return Schema.withSite(revision, { types, classes });
}

function definitionOf<T>(parsed: { readonly definition: T } | { readonly problem: string }): T {
  if ('problem' in parsed) throw new SchemaProblem(parsed.problem);
  return parsed.definition;
}

type Modify = Extract<DirectoryChange, { kind: 'modify' }>;

/** The changes of the entry that holds the definitions. */
export async function siteSchemaChanges(tx: Transaction, change: DirectoryChange): Promise<DirectoryChange[]> {
  if (change.kind !== 'modify') throw refused('This entry is made by the server');
  const entry = await findEntryIn(tx, siteSchemaDn());
  const before: Texts = {
    types: entry === undefined ? [] : textValues(entry, 'attributetypes'),
    classes: entry === undefined ? [] : textValues(entry, 'objectclasses'),
  };
  const after = modified(before, change);
  let made: Schema;
  try {
    made = schemaWith(0, after);
  } catch (error) {
    if (error instanceof SchemaProblem) {
      // What was sound before, and stands without what went, was built on that.
      const isRemoval = change.modifications.every(({ operation }) => operation === 'delete');
      if (isRemoval) throw refused(`In use: ${error.message}`);
      throw directoryFailure('invalidAttributeSyntax', error.message);
    }
    throw error;
  }
  await checkRemoved(tx, schemaWith(0, before), made);
  const modifications = [
    { operation: 'replace' as const, attribute: 'attributeTypes', values: after.types },
    { operation: 'replace' as const, attribute: 'objectClasses', values: after.classes },
  ];
  const modify: Modify = { kind: 'modify', dn: siteSchemaDn(), modifications };
  return entry === undefined ? [addHolder(), modify] : [modify];
}

function addHolder(): DirectoryChange {
  return {
    kind: 'add',
    dn: siteSchemaDn(),
    attributes: [
      { name: 'objectClass', values: ['applicationProcess', 'subschema'] },
      { name: 'cn', values: ['Schema'] },
    ],
  };
}

function modified(before: Texts, { modifications }: Modify): Texts {
  const lists = { attributetypes: [...before.types], objectclasses: [...before.classes] };
  for (const { operation, attribute, values } of modifications) {
    const key = asciiLower(attribute);
    if (key !== 'attributetypes' && key !== 'objectclasses')
      throw refused('Of the schema, attributeTypes and objectClasses alone can be changed');
    if (operation !== 'add' && (operation !== 'delete' || values.length === 0))
      throw refused('Definitions are added and deleted one by one: those that are built in stay');
    for (const value of values)
      if (operation === 'add') lists[key].push(addedText(value, key));
      else remove(lists[key], value);
  }
  if (lists.attributetypes.length + lists.objectclasses.length > DEFINITIONS_MAX)
    throw directoryFailure('adminLimitExceeded', `A site has at most ${DEFINITIONS_MAX} definitions`);
  return { types: lists.attributetypes, classes: lists.objectclasses };
}

function addedText(value: AttributeValue, key: string): string {
  const text = typeof value === 'string' ? value : '';
  const parsed = key === 'attributetypes' ? parseTypeDefinition(text) : parseClassDefinition(text);
  if ('problem' in parsed) throw directoryFailure('invalidAttributeSyntax', parsed.problem);
  return text;
}

function remove(list: string[], value: AttributeValue): void {
  const oid = typeof value === 'string' ? firstComponent(value) : undefined;
  const at = list.findIndex((text) => firstComponent(text) === oid);
  if (at >= 0) list.splice(at, 1);
  else if (oid !== undefined && (builtInSchema().attributeType(oid) ?? builtInSchema().objectClass(oid)) !== undefined)
    throw refused(`${oid} is built in`);
  else throw directoryFailure('noSuchAttribute', 'There is no such definition');
}

/** What goes, or becomes something else, must be in no entry. */
async function checkRemoved(tx: Transaction, before: Schema, after: Schema): Promise<void> {
  for (const type of before.attributeTypes) {
    if (!type.isOfSite) continue;
    const now = after.attributeType(type.oid);
    const stays = now?.name === type.name && now.syntax === type.syntax && now.equality === type.equality;
    if (!stays && (await isInUse(tx, ({ name }) => name === type.name, type.name)))
      throw refused(`There are entries with ${type.name}`);
  }
  for (const each of before.objectClasses) {
    if (!each.isOfSite) continue;
    const now = after.objectClass(each.oid);
    const stays = now?.name === each.name && now.kind === each.kind;
    const has = ({ name, values }: Stored): boolean => name === 'objectClass' && values.includes(each.name);
    if (!stays && (await isInUse(tx, has, each.name))) throw refused(`There are entries of the class ${each.name}`);
  }
}

interface Stored {
  /** Without options. */
  readonly name: string;
  readonly values: readonly unknown[];
}

const PAGE = 500;
const MENTIONING = `SELECT id, attributes FROM dit WHERE id > ? AND (instr(attributes, ?) OR instr(attributes, ?)) ORDER BY id LIMIT +${PAGE}`;

async function isInUse(tx: Transaction, isIt: (stored: Stored) => boolean, name: string): Promise<boolean> {
  for (let after = 0; ; ) {
    const page = await tx.arrays(MENTIONING, after, `"${name}"`, `"${name};`);
    for (const [, json] of page)
      for (const [written, values] of JSON.parse(String(json)) as [string, unknown[]][])
        if (isIt({ name: written.split(';', 1)[0]!, values })) return true;
    if (page.length < PAGE) return false;
    after = Number(page.at(-1)![0]);
  }
}

function refused(text: string): Error {
  return directoryFailure('unwillingToPerform', text);
}
