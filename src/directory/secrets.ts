// An entry without its passwords: what is left of it for all but the administrator over LDAP.
//
// Which attributes those are is a property of their types (schema-data.ts, `secret`).

import type { Attribute, Entry } from './entry.ts';
import { schema, typeKeyOf } from './schema.ts';

export function withoutSecrets(entry: Entry): Entry {
  const attributes = new Map<string, Attribute>();
  for (const [key, attribute] of entry.attributes) if (!isSecret(key)) attributes.set(key, attribute);
  return { ...entry, attributes };
}

/** `key` is one of Attributes. */
function isSecret(key: string): boolean {
  return schema().attributeType(typeKeyOf(key))?.isSecret === true;
}
