// An entry without its secrets: what is left of it for who asks.
//
// Which attributes those are is a property of their types (schema-data.ts): `secret`, passwords, for all but the administrator
// over LDAP; `hidden`, keys that the server uses, for everybody.

import type { Attribute, Entry } from './entry.ts';
import { schema, typeKeyOf } from './schema.ts';

export function withoutSecrets(entry: Entry): Entry {
  return without(entry, isSecret);
}

/** Nearly every entry has none and comes back as it is. */
export function withoutHidden(entry: Entry): Entry {
  for (const key of hiddenKeys()) if (entry.attributes.has(key)) return without(entry, isHidden);
  return entry;
}

function without(entry: Entry, isLeftOut: (key: string) => boolean): Entry {
  const attributes = new Map<string, Attribute>();
  for (const [key, attribute] of entry.attributes) if (!isLeftOut(key)) attributes.set(key, attribute);
  return { ...entry, attributes };
}

/** `key` is one of Attributes. */
function isSecret(key: string): boolean {
  return schema().attributeType(typeKeyOf(key))?.isSecret === true;
}

function isHidden(key: string): boolean {
  return schema().attributeType(typeKeyOf(key))?.isHidden === true;
}

let keys: readonly string[] | undefined;

/** They have no language: a key is the type's. */
function hiddenKeys(): readonly string[] {
  keys ??= schema()
    .attributeTypes.filter(({ isHidden: hidden }) => hidden)
    .map(({ key }) => key);
  return keys;
}
