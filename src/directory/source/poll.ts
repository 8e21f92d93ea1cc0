// Another directory that does not tell its changes: asked for what has been modified, and now and then for all that it has.
//
// In      an open connection, a base
// Out     entries that were modified since a time there; all UUIDs with the mark of their last change; entries by UUID
// Limits  PAGE entries a page of an answer, where the server has pages; BY_UUID entries by UUID at once
// Errors  Failure 'denied' where it refuses to answer us, 'unavailable' for any other result but success: no answer is never
//         taken for an empty one
// RFC 4512 §3.4.2 (modifyTimestamp), RFC 4530, RFC 2696

import { Failure } from '../../base/failure.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import type { Filter } from '../../wire/ldap/filter.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import { resultCodes, resultName } from '../../wire/ldap/result-codes.ts';
import type { LdapConnection, SearchAsked } from './connection.ts';

const PAGE = 500;
const BY_UUID = 50;

/** Results of a search that say that who has bound may not search, or that somebody has to bind first. */
const REFUSED: ReadonlySet<number> = new Set([
  resultCodes.insufficientAccessRights,
  resultCodes.strongerAuthRequired,
  resultCodes.inappropriateAuthentication,
  resultCodes.confidentialityRequired,
  // OpenLDAP's, where nobody has bound.
  resultCodes.unwillingToPerform,
]);

export const EVERYTHING: Filter = { kind: 'present', attribute: 'objectClass' };

export async function* readAll(
  connection: LdapConnection,
  asked: SearchAsked,
  pages: boolean,
): AsyncGenerator<SearchEntry> {
  let cookie: Uint8Array = new Uint8Array();
  do {
    const controls = pages ? [controlOf(pagedResults, { size: PAGE, cookie }, true)] : [];
    const search = connection.search(asked, { controls });
    for await (const item of search) if (item.kind === 'entry') yield item.entry;
    const { result, controls: answered } = search.outcome;
    if (result.resultCode !== resultCodes.success) {
      const said = result.diagnosticMessage === '' ? '' : `: ${result.diagnosticMessage}`;
      throw new Failure(
        REFUSED.has(result.resultCode) ? 'denied' : 'unavailable',
        `the search of ${asked.baseObject} ends with ${resultName(result.resultCode)}${said}`,
      );
    }
    const control = answered.find(({ type }) => type === pagedResults.type);
    cookie = control === undefined ? new Uint8Array() : pagedResults.decode(control.value).cookie;
  } while (cookie.length > 0);
}

/** `since`: a time as the server writes it. */
export function modifiedSince(since: string): Filter {
  return { kind: 'greaterOrEqual', attribute: 'modifyTimestamp', value: since };
}

/** Filters for these entries, so many a search that a server takes it. */
export function* withUuids(uuids: Iterable<string>): Generator<Filter> {
  let filters: Filter[] = [];
  for (const value of uuids) {
    filters.push({ kind: 'equality', attribute: 'entryUUID', value });
    if (filters.length < BY_UUID) continue;
    yield { kind: 'or', filters };
    filters = [];
  }
  if (filters.length > 0) yield { kind: 'or', filters };
}
