// Operational attributes of an entry, and the choice of attributes that a request asks for.
//
// RFC 4511 §4.5.1.8, RFC 4512 §3.4, RFC 3673 (`+`), RFC 4529 (`@class`), RFC 4530, RFC 5020

import { asciiLower } from '../base/characters.ts';
import type { Attribute, Attributes, Entry } from './entry.ts';
import { formatGeneralizedTime } from './scalars.ts';
import { type AttributeDescription, type ObjectClass, SUBSCHEMA_DN, schema, typeKeyOf } from './schema.ts';

/** What is looked up beside the entry, and only when it is wanted: match-context.ts. */
export interface OperationalContext {
  hasSubordinates(entry: Entry): boolean;
  /** DNs of the groups that have the entry as a direct member. */
  memberOf(entry: Entry): readonly string[];
  csn(entry: Entry): string;
  /** Of the newest change of all; undefined where the entry is not the one that shows it. */
  contextCsn(entry: Entry): string | undefined;
}

/** What the server knows of the entry, by lower-case name. */
export function operationalAttribute(entry: Entry, key: string, context: OperationalContext): Attribute | undefined {
  const values = key === 'memberof' ? context.memberOf(entry) : single(operationalValue(entry, key, context));
  return values.length === 0 ? undefined : { name: schema().attributeType(key)!.name, values };
}

function single(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}

function operationalValue(entry: Entry, key: string, context: OperationalContext): string | undefined {
  switch (key) {
    case 'entryuuid':
      return entry.uuid;
    case 'waypostentryfacts':
      return JSON.stringify(factsOf(entry));
    case 'entrydn':
      return entry.dn;
    case 'entrycsn':
      return context.csn(entry);
    case 'contextcsn':
      return context.contextCsn(entry);
    case 'createtimestamp':
      return formatGeneralizedTime(entry.createdAt);
    case 'modifytimestamp':
      return formatGeneralizedTime(entry.modifiedAt);
    case 'creatorsname':
      return entry.createdBy;
    case 'modifiersname':
      return entry.modifiedBy;
    case 'subschemasubentry':
      return SUBSCHEMA_DN;
    case 'structuralobjectclass':
      return schema().structuralClassOf(entry.attributes.get('objectclass')?.values ?? []);
    case 'hassubordinates':
      return context.hasSubordinates(entry) ? 'TRUE' : 'FALSE';
    default:
      return undefined;
  }
}

/** What no other attribute says, or says not so exactly. */
export type EntryFacts = Pick<
  Entry,
  'id' | 'revision' | 'createdAt' | 'modifiedAt' | 'generated' | 'source' | 'csn' | 'mailAs'
>;

function factsOf({ id, revision, createdAt, modifiedAt, generated, source, csn, mailAs }: Entry): EntryFacts {
  return {
    ...{ id, revision, createdAt, modifiedAt },
    ...(generated === undefined ? {} : { generated }),
    ...(source === undefined ? {} : { source }),
    ...(csn === undefined ? {} : { csn }),
    ...(mailAs === undefined ? {} : { mailAs }),
  };
}

const FACTS = 'waypostentryfacts';

/** Keys of what is a column of an entry or computed: never among its stored attributes. */
export const OPERATIONAL_KEYS: readonly string[] = [
  'entryuuid',
  'entrydn',
  'entrycsn',
  'contextcsn',
  'createtimestamp',
  'modifytimestamp',
  'creatorsname',
  'modifiersname',
  'subschemasubentry',
  'structuralobjectclass',
  'hassubordinates',
  'memberof',
];

/** What a search result shows of each entry; made once a request. */
export interface Selection {
  readonly allUser: boolean;
  readonly allOperational: boolean;
  /** Attributes that the server makes are asked for. */
  readonly wantsMade: boolean;
  /** Type key to how the client called it: what it asked for under one name comes back under that name. */
  readonly names: ReadonlyMap<string, { readonly name: string; readonly options: readonly string[] }>;
  readonly typesOnly: boolean;
}

const NONE: readonly string[] = [];
const OPTIONS_ANY = Number.POSITIVE_INFINITY;

/** `attributes` as the request lists them: none means all user attributes. Unknown names select nothing. */
export function selectionOf(attributes: readonly string[], typesOnly = false): Selection {
  const names = new Map<string, { name: string; options: readonly string[] }>();
  let allUser = attributes.length === 0;
  let allOperational = false;
  for (const attribute of attributes) {
    if (attribute === '*') allUser = true;
    else if (attribute === '+') allOperational = true;
    else if (attribute.startsWith('@')) for (const name of attributesOfClass(attribute.slice(1))) select(name);
    else select(attribute);
  }
  const wantsMade = allOperational || OPERATIONAL_KEYS.some((key) => names.has(key));
  return { allUser, allOperational, wantsMade, names, typesOnly };

  function select(attribute: string): void {
    const description = schema().description(attribute);
    if (description === undefined) return;
    const { type, options } = description;
    // Of `cn` and `cn;lang-fr` the first asks for both.
    if ((names.get(type.key)?.options.length ?? OPTIONS_ANY) <= options.length && type.keys.length === 1) return;
    names.set(type.key, { name: spelling(attribute, description), options });
    for (const key of type.keys)
      if (!names.has(key)) names.set(key, { name: schema().attributeType(key)!.name, options });
  }
}

/** The name the client used, in its published spelling; the first name for an OID. */
function spelling(attribute: string, { type }: AttributeDescription): string {
  const asked = asciiLower(typeKeyOf(attribute));
  return type.names.find((name) => asciiLower(name) === asked) ?? type.name;
}

function attributesOfClass(name: string): readonly string[] {
  const names: string[] = [];
  let at: ObjectClass | undefined = schema().objectClass(name);
  for (; at !== undefined; at = at.superclass) names.push(...at.must, ...at.may);
  return names;
}

/** The attributes to send, in the order in which the entry has them. */
export function selectAttributes(entry: Entry, selection: Selection, context: OperationalContext): Attribute[] {
  const chosen = selectFrom(entry.attributes, selection);
  for (const key of selection.wantsMade ? OPERATIONAL_KEYS : NONE) {
    const asked = selection.names.get(key);
    if (!selection.allOperational && asked === undefined) continue;
    const attribute = operationalAttribute(entry, key, context);
    if (attribute !== undefined) chosen.push(selection.typesOnly ? { name: attribute.name, values: [] } : attribute);
  }
  // Not with `+`: no other server's schema has it.
  const facts = selection.names.has(FACTS) ? operationalAttribute(entry, FACTS, context) : undefined;
  if (facts !== undefined) chosen.push(facts);
  return chosen;
}

/** As above from bare attributes: the root DSE and the subschema. Operational types among them count as such. */
export function selectFrom(attributes: Attributes, selection: Selection): Attribute[] {
  const chosen: Attribute[] = [];
  for (const [key, { name, values }] of attributes) {
    if (!isWanted(key, selection)) continue;
    const asked = selection.names.get(typeKeyOf(key));
    const shown = asked === undefined ? name : `${asked.name}${name.slice(typeKeyOf(name).length)}`;
    chosen.push({ name: shown, values: selection.typesOnly ? [] : values });
  }
  return chosen;
}

/** `key` is one of Attributes, or of MemberCounts. */
export function isWanted(key: string, selection: Selection): boolean {
  const typeKey = typeKeyOf(key);
  // Nearly all of who asks for some attributes.
  if (!selection.allUser && !selection.allOperational && !selection.names.has(typeKey)) return false;
  const options = key.length === typeKey.length ? [] : key.slice(typeKey.length + 1).split(';');
  const asked = selection.names.get(typeKey);
  return asked?.options.every((option) => options.includes(option)) === true || isSelected(typeKey, selection);
}

function isSelected(typeKey: string, selection: Selection): boolean {
  if (selection.allUser && selection.allOperational) return true;
  const isUser = (schema().attributeType(typeKey)?.usage ?? 'userApplications') === 'userApplications';
  return isUser ? selection.allUser : selection.allOperational;
}
