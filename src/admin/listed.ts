// user list, group list: entries of a class, those of one domain or all that the caller administers.
//
// In      a domain, or none; a caller
// Out     what is listed of each entry that the caller may see, LIST_MAX at most: others are passed over, however many they are
// Limits  PAGE_ENTRIES a turn

import { z } from 'zod';
import type { Reader } from '../database/operation.ts';
import { sightOf } from '../directory/access/sight.ts';
import type { Caller } from '../directory/caller.ts';
import { parseDn } from '../directory/dn.ts';
import { findEntry, rootNames } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { Search } from '../directory/search.ts';
import type { SearchPlace } from '../directory/search-base.ts';
import { administersOnly } from './audience.ts';
import { baseOf, type EntryParts, LIST_MAX } from './entries.ts';
import { domainOf } from './naming.ts';

export const listInput = z.strictObject({ domain: z.string().optional() });

type ListInput = z.infer<typeof listInput>;

/** Domains that a list is about; none: it keeps to what its caller administers. */
export function domainsOfList({ domain }: ListInput): readonly string[] {
  return domain === undefined ? [] : [domain];
}

const PAGE_ENTRIES = 200;

/** What an operation that lists runs. */
export function listOf<Listed extends { readonly address: string }>(
  parts: EntryParts,
  objectClass: string,
  listed: (entry: Entry) => Listed,
): (input: ListInput, caller: Caller) => Promise<Listed[]> {
  return async (input, caller) => {
    const { bases, has } = placesOf(parts, input, caller);
    const places = bases.flatMap((dn) => placeAt(parts.reader, dn) ?? []);
    const list: Listed[] = [];
    if (places.length === 0) return list;
    const filter = { kind: 'equality', attribute: 'objectClass', value: objectClass } as const;
    const sight = sightOf(parts.reader, caller, false);
    const search = new Search(parts.reader, { base: '', scope: 'sub', filter, places, sight });
    while (!search.done && list.length < LIST_MAX) {
      const found = search.next(Math.min(PAGE_ENTRIES, LIST_MAX - list.length)).map(listed);
      list.push(...found.filter(({ address }) => has(address)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return list;
  };
}

function placesOf(
  parts: EntryParts,
  { domain: text }: ListInput,
  caller: Caller,
): { readonly bases: readonly string[]; has(address: string): boolean } {
  if (text === undefined) {
    const only = administersOnly(parts.reader, caller);
    return { bases: rootNames(parts.reader), has: (address) => only === undefined || only.has(address) };
  }
  const domain = domainOf(text);
  // Another domain, with people of its own, may be below it.
  return { bases: [baseOf(parts, domain)], has: (address) => address.toLowerCase().endsWith(`@${domain}`) };
}

function placeAt(reader: Reader, dn: string): SearchPlace | undefined {
  const entry = findEntry(reader, dn);
  return entry && { entry, path: parseDn(entry.dn).path, scope: 'sub' };
}
