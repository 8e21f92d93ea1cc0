// Which attributes are indexed for equality, and under which rows of dit_index a value stands.
//
// Rows bound the writer, so only what people and programs look up by is here. Of object classes only those that few entries
// have: a class that every user has selects nothing.

import type { AttributeValue } from './entry.ts';
import { prepareFor } from './matching.ts';
import { type AttributeType, schema } from './schema.ts';

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
  'member',
  'uniquemember',
  'associateddomain',
  'inetdomainbasedn',
]);

const INDEXED_CLASSES = new Set([
  'organization',
  'organizationalUnit',
  'domain',
  'inetDomain',
  'mailDomain',
  'inetDomainAlias',
  'sunManagedOrganization',
  'groupOfNames',
  'groupOfUniqueNames',
  'groupOfURLs',
  'inetMailGroup',
  'mailGroup',
]);

/** Longer values share a row with others that begin like them. */
const INDEX_VALUE_LENGTH = 160;

export type IndexKey = readonly [attribute: string, value: string];

/** The row of one value of an entry; undefined when it has none. */
export function indexKeyOf(type: AttributeType, value: AttributeValue): IndexKey | undefined {
  if (!INDEXED.has(type.key) && type.key !== 'objectclass') return undefined;
  const prepared = type.equality === undefined ? undefined : prepareFor(type.equality, value);
  if (prepared === undefined) return undefined;
  if (type.key === 'objectclass' && !INDEXED_CLASSES.has(schema().objectClass(prepared)?.name ?? '')) return undefined;
  return [type.key, cutIndexValue(prepared)];
}

/** Where entries with this value are found: one row key, or none when the attribute or this value is not indexed. */
export function indexKeys(attribute: string, value: AttributeValue): readonly IndexKey[] {
  const type = schema().attributeType(attribute);
  const key = type === undefined ? undefined : indexKeyOf(type, value);
  return key === undefined ? [] : [key];
}

export function isIndexed(type: AttributeType): boolean {
  return INDEXED.has(type.key);
}

export function cutIndexValue(prepared: string): string {
  return prepared.length > INDEX_VALUE_LENGTH ? prepared.slice(0, INDEX_VALUE_LENGTH) : prepared;
}

/** Other values may have the same index value. */
export function isCut(indexValue: string): boolean {
  return indexValue.length === INDEX_VALUE_LENGTH;
}
