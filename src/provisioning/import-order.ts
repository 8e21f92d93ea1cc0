// In what order the records of an import are written where one that is refused does not end it: users of one place together, because
// a commit then changes few pages of the tables that are in the order of places.
//
// In      changes in the order of their file
// Out     the same; only users that stand side by side in the file change places, and each place keeps its order
// Never   parts what depends on its order: a name below another of them, an address that two of them have

import { asciiLower } from '../base/characters.ts';
import { ADDRESS_KEYS } from '../directory/address-attributes.ts';
import { parentOf, parseDn } from '../directory/dn.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { schema } from '../directory/schema.ts';
import { ORDINARY_CLASSES } from './ordinary-user.ts';

const ADDRESSES: ReadonlySet<string> = new Set(ADDRESS_KEYS);

interface Place<T> {
  readonly record: T;
  readonly name: string;
  readonly above: string;
  readonly addresses: readonly string[];
}

export function inOrderOfPlaces<T extends { readonly change: DirectoryChange }>(records: readonly T[]): T[] {
  const ordered: T[] = [];
  let users: Place<T>[] = [];
  for (const record of records) {
    const place = placeOf(record);
    if (place !== undefined) users.push(place);
    else {
      ordered.push(...together(users), record);
      users = [];
    }
  }
  return [...ordered, ...together(users)];
}

/** Undefined for what is no user like nearly all. */
function placeOf<T extends { readonly change: DirectoryChange }>(record: T): Place<T> | undefined {
  const { change } = record;
  if (change.kind !== 'add') return undefined;
  const addresses: string[] = [];
  for (const { name, values } of change.attributes) {
    // By each of its names, under any option.
    const key = schema().description(name)?.type.key ?? '';
    const isOrdinary = (value: unknown) => typeof value === 'string' && ORDINARY_CLASSES.has(asciiLower(value));
    if (key === 'objectclass' && !values.every(isOrdinary)) return undefined;
    if (ADDRESSES.has(key)) for (const value of values) addresses.push(asciiLower(String(value)));
  }
  try {
    const dn = parseDn(change.dn);
    const above = parentOf(dn);
    return above && { record, name: dn.normalized, above: above.normalized, addresses };
  } catch {
    return undefined;
  }
}

function together<T>(users: readonly Place<T>[]): T[] {
  const names = new Set(users.map(({ name }) => name));
  const addresses = new Set<string>();
  let count = 0;
  for (const user of users) {
    count += user.addresses.length;
    for (const address of user.addresses) addresses.add(address);
  }
  const depends = addresses.size < count || users.some(({ above }) => names.has(above));
  if (depends) return users.map(({ record }) => record);
  return [...Map.groupBy(users, ({ above }) => above).values()].flat().map(({ record }) => record);
}
