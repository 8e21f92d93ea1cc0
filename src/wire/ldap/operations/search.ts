// Search: the request, and the entries and references that answer it before its result.
//
// RFC 4511 §4.5

import { LDAP_VALUES_MAX } from '../../../base/limits.ts';
import { decodeAttributes, encodeAttributes, type LdapAttribute } from '../attributes.ts';
import { applicationConstructed, type BerReader, type BerWriter, ENUMERATED, SEQUENCE } from '../ber.ts';
import { decodeFilter, encodeFilter, type Filter } from '../filter.ts';
import { RequestFailure } from '../request-failure.ts';

export type SearchScope = 'base' | 'one' | 'sub';
export type DerefAliases = 'never' | 'searching' | 'finding' | 'always';

export interface SearchRequest {
  readonly kind: 'search';
  readonly baseObject: string;
  readonly scope: SearchScope;
  readonly derefAliases: DerefAliases;
  /** Entries; 0 for no limit of the client's. */
  readonly sizeLimit: number;
  /** Seconds; 0 for no limit of the client's. */
  readonly timeLimit: number;
  readonly typesOnly: boolean;
  readonly filter: Filter;
  /** Empty for all user attributes; `*`, `+` and `1.1` as in RFC 4511 §4.5.1.8, RFC 3673. */
  readonly attributes: readonly string[];
}

export interface SearchEntry {
  readonly kind: 'searchEntry';
  readonly dn: string;
  readonly attributes: readonly LdapAttribute[];
}

export interface SearchReference {
  readonly kind: 'searchReference';
  readonly uris: readonly string[];
}

export const SEARCH_REQUEST = applicationConstructed(3);
export const SEARCH_ENTRY = applicationConstructed(4);
export const SEARCH_REFERENCE = applicationConstructed(19);

const SCOPES = ['base', 'one', 'sub'] as const satisfies readonly SearchScope[];
const DEREFERENCES = ['never', 'searching', 'finding', 'always'] as const satisfies readonly DerefAliases[];

export function decodeSearchRequest(reader: BerReader): SearchRequest {
  const request = reader.enter(SEARCH_REQUEST);
  const baseObject = request.text();
  const scope = decodeChoice(request, SCOPES, 'a scope of 0 to 2');
  const derefAliases = decodeChoice(request, DEREFERENCES, 'a choice of aliases of 0 to 3');
  const sizeLimit = decodeLimit(request);
  const timeLimit = decodeLimit(request);
  const typesOnly = request.boolean();
  const filter = decodeFilter(request);
  const attributes = decodeSelection(request.enter(SEQUENCE));
  request.skipRest();
  return { kind: 'search', baseObject, scope, derefAliases, sizeLimit, timeLimit, typesOnly, filter, attributes };
}

function decodeChoice<T>(request: BerReader, choices: readonly T[], expected: string): T {
  const at = request.at;
  const choice = choices[request.integer(ENUMERATED)];
  if (choice === undefined) throw new RequestFailure(expected, at);
  return choice;
}

function decodeLimit(request: BerReader): number {
  const at = request.at;
  const limit = request.integer();
  if (limit < 0) throw new RequestFailure('a limit that is not negative', at);
  return limit;
}

function decodeSelection(list: BerReader): string[] {
  const attributes: string[] = [];
  while (!list.atEnd) {
    if (attributes.length === LDAP_VALUES_MAX)
      throw new RequestFailure(`at most ${LDAP_VALUES_MAX} attributes`, list.at);
    attributes.push(list.text());
  }
  return attributes;
}

export function encodeSearchRequest(writer: BerWriter, request: SearchRequest): void {
  writer.constructed(SEARCH_REQUEST, () => {
    writer.octets(request.baseObject);
    writer.integer(SCOPES.indexOf(request.scope), ENUMERATED);
    writer.integer(DEREFERENCES.indexOf(request.derefAliases), ENUMERATED);
    writer.integer(request.sizeLimit);
    writer.integer(request.timeLimit);
    writer.boolean(request.typesOnly);
    encodeFilter(writer, request.filter);
    writer.constructed(SEQUENCE, () => {
      for (const attribute of request.attributes) writer.octets(attribute);
    });
  });
}

export function decodeSearchEntry(reader: BerReader): SearchEntry {
  const entry = reader.enter(SEARCH_ENTRY);
  const dn = entry.text();
  const attributes = decodeAttributes(entry);
  entry.skipRest();
  return { kind: 'searchEntry', dn, attributes };
}

export function encodeSearchEntry(writer: BerWriter, entry: SearchEntry): void {
  writer.constructed(SEARCH_ENTRY, () => {
    writer.octets(entry.dn);
    encodeAttributes(writer, entry.attributes);
  });
}

export function decodeSearchReference(reader: BerReader): SearchReference {
  const list = reader.enter(SEARCH_REFERENCE);
  const uris: string[] = [];
  while (!list.atEnd) uris.push(list.text());
  return { kind: 'searchReference', uris };
}

export function encodeSearchReference(writer: BerWriter, reference: SearchReference): void {
  writer.constructed(SEARCH_REFERENCE, () => {
    for (const uri of reference.uris) writer.octets(uri);
  });
}
