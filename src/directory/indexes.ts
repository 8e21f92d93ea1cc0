// Which attributes are indexed for equality, and under which rows of dit_index a value stands.
//
// Rows bound the writer, so only what people and programs look up by is here, and what names entries (references.ts). Of object classes only those that few entries
// have: a class that every user has selects nothing. Values that are rows of their own are their own index (member-values.ts).

import type { Attributes, AttributeValue } from './entry.ts';
import { prepareFor } from './matching.ts';
import { type AttributeType, schema, typeKeyOf } from './schema.ts';
import { parseTokenValue, TOKEN_KEY } from './token.ts';

/**
 * Goes up with any change that gives other rows for the same entries (here, in the rules that prepare values, or in what
 * mail reads in a member): the index is then made anew at the next start. index-version.test.ts knows what each version gives.
 */
export const INDEX_VERSION = 4;

const INDEXED = new Set([
  'uid',
  'mail',
  'mailalternateaddress',
  'mailequivalentaddress',
  'cn',
  'sn',
  'dc',
  'ou',
  'o',
  'associateddomain',
  'inetdomainbasedn',
  'waypostservername',
  'waypostsource',
  'waypostsharedmailbox',
  'aci',
  'waypostadministrator',
  'owner',
  'waypostrenamedfrom',
  'waypostexpire',
  'manager',
  'secretary',
  'seealso',
  'roleoccupant',
  'aliasedobjectname',
]);

const INDEXED_CLASSES = new Set([
  'organization',
  'organizationalUnit',
  'domain',
  'inetDomain',
  'mailDomain',
  'inetDomainAlias',
  'waypostDomain',
  'dNSDomain',
  'dNSDomain2',
  'sunManagedOrganization',
  'groupOfNames',
  'groupOfUniqueNames',
  'groupOfURLs',
  'inetMailGroup',
  'mailGroup',
  'alias',
  'referral',
]);

/** Longer values share a row with others that begin like them. */
const INDEX_VALUE_LENGTH = 160;

export type IndexKey = readonly [attribute: string, value: string];

/** The row of one value of an entry; undefined when it has none. */
export function indexKeyOf(type: AttributeType, value: AttributeValue): IndexKey | undefined {
  // A token is looked up by its hash, which is a part of the value.
  if (type.key === TOKEN_KEY) {
    const token = parseTokenValue(value);
    return token && [TOKEN_KEY, token.hash];
  }
  if (!INDEXED.has(type.key) && !type.isOfSite && type.key !== 'objectclass') return undefined;
  const prepared = type.equality === undefined ? undefined : prepareFor(type.equality, value);
  if (prepared === undefined) return undefined;
  if (type.key === 'objectclass' && !INDEXED_CLASSES.has(schema().objectClass(prepared)?.name ?? '')) return undefined;
  return [type.key, cutIndexValue(prepared)];
}

/** Of the rows of an entry for this attribute the first one's value; undefined: it has none. */
export function firstIndexValue(attributes: Attributes, key: string): string | undefined {
  const attribute = attributes.get(key);
  if (attribute === undefined) return undefined;
  return indexKeysOf(new Map([[key, attribute]]))
    .map(([, value]) => value)
    .sort()[0];
}

/** The row under which entries with this value are found; undefined when the attribute or this value is not indexed. */
export function indexKeyFor(attribute: string, value: AttributeValue): IndexKey | undefined {
  const type = schema().attributeType(attribute);
  return type === undefined ? undefined : indexKeyOf(type, value);
}

/** All rows of one entry, each once. */
export function indexKeysOf(attributes: Attributes): IndexKey[] {
  const rows = new Map<string, IndexKey>();
  for (const [key, { values }] of attributes) {
    const type = schema().attributeType(typeKeyOf(key));
    if (type === undefined) continue;
    for (const value of values) {
      const row = indexKeyOf(type, value);
      if (row !== undefined) rows.set(row.join('\0'), row);
    }
  }
  return [...rows.values()];
}

export function isIndexed(type: AttributeType): boolean {
  return INDEXED.has(type.key) || (type.isOfSite && type.equality !== undefined);
}

export function cutIndexValue(prepared: string): string {
  return prepared.length > INDEX_VALUE_LENGTH ? prepared.slice(0, INDEX_VALUE_LENGTH) : prepared;
}

/** Other values may have the same index value. */
export function isCut(indexValue: string): boolean {
  return indexValue.length === INDEX_VALUE_LENGTH;
}
