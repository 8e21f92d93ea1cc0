// Search: entries in pages, never more than the client takes and never longer than a turn.
//
// Out     entries as they are found; the result says why it ended
// Limits  those of the client. What a caller sees is access/sight.ts's to say: nothing below a base that it does not see is 32,
//         as for a base that is not there
// Never   holds a statement or a snapshot while it waits
// RFC 4511 §4.5

import { asFailure } from '../../../base/failure.ts';
import { LDAP_TURN_MS } from '../../../base/limits.ts';
import type { Reader } from '../../../database/operation.ts';
import { type Sight, sightOf } from '../../../directory/access/sight.ts';
import { type Dn, parseDn } from '../../../directory/dn.ts';
import { findEntry, noSuchObject } from '../../../directory/entries.ts';
import type { Attribute, Entry } from '../../../directory/entry.ts';
import { compileFilter, OUTSIDE } from '../../../directory/match.ts';
import { memberPages } from '../../../directory/member-values.ts';
import { isWanted, type Selection, selectAttributes, selectFrom, selectionOf } from '../../../directory/operational.ts';
import { schema } from '../../../directory/schema.ts';
import { type EntrySearch, Search } from '../../../directory/search.ts';
import type { SearchRequest } from '../../../wire/ldap/operations/search.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapHandler, LdapOperation } from '../conversation.ts';
import { specialEntry } from '../special-entries.ts';

/** Entries that are read between two looks at the clock. */
const PAGE_ENTRIES = 64;
/** Others have their turn behind so many members of a list. */
const MEMBERS_A_TURN = 1000;

export const search: LdapHandler<SearchRequest> = async (request, operation, session) => {
  const base = parseDn(request.baseObject);
  const special = specialIn(session, base, request);
  if (special === 'none') return { result: result('success') };
  const selection = selectionOf(request.attributes, request.typesOnly);
  if (special !== undefined) {
    const matches = compileFilter(request.filter)(special, OUTSIDE);
    const attributes = selectFrom(special.attributes, selection);
    if (matches === true) await operation.send({ kind: 'searchEntry', dn: special.dn, attributes });
    return { result: result('success') };
  }
  return { result: await searchTree(session, base, request, selection, operation) };
};

/** An entry outside the tree that the request is about; 'none' when it asks for what is below such an entry. */
function specialIn(session: LdapConversation, base: Dn, { scope }: SearchRequest): Entry | 'none' | undefined {
  const special = specialEntry(base, session);
  if (special === undefined || scope === 'base') return special;
  // Below the root DSE is the whole tree, which has a name of its own.
  if (special.dn === '') return undefined;
  return scope === 'one' ? 'none' : special;
}

async function searchTree(
  session: LdapConversation,
  base: Dn,
  request: SearchRequest,
  selection: Selection,
  operation: LdapOperation,
): Promise<LdapResult> {
  const { clock, reader } = session.door;
  const sight = sightOf(reader, session.caller, session.record.isPrivate);
  const { filter, scope, sizeLimit, timeLimit } = request;
  const endsAt = timeLimit === 0 ? Number.POSITIVE_INFINITY : clock.monotonic() + timeLimit * 1000;
  const found = begin(reader, { base, scope, filter, sight });
  let isEmpty = true;
  let left = sizeLimit === 0 ? Number.POSITIVE_INFINITY : sizeLimit;
  let turnEndsAt = clock.monotonic() + LDAP_TURN_MS;
  while (!found.done && !operation.signal.aborted) {
    // One more than may be sent shows that there are more.
    const entries = found.next(Math.min(PAGE_ENTRIES, left + 1));
    for (const entry of entries.slice(0, left)) {
      const whole = entry.memberCounts === undefined ? entry : await withWantedMembers(entry, selection, session);
      const attributes = selectAttributes(whole, selection, () => found.hasSubordinates(entry)).filter((attribute) =>
        mayRead(sight, entry, attribute),
      );
      isEmpty = false;
      await operation.send({ kind: 'searchEntry', dn: entry.dn, attributes });
    }
    if (entries.length > left) return result('sizeLimitExceeded', `More than ${sizeLimit} entries match`);
    left -= entries.length;
    if (found.done || clock.monotonic() < turnEndsAt) continue;
    await session.turn();
    const now = clock.monotonic();
    if (now >= endsAt) return result('timeLimitExceeded', `Not done after ${timeLimit} s`);
    turnEndsAt = now + LDAP_TURN_MS;
  }
  if (isEmpty && !sees(reader, sight, base)) throw noSuchObject(undefined);
  return result('success');
}

/** Who does not see everything is not told what is above a base that is not there either. */
function begin(reader: Reader, request: EntrySearch): Search {
  try {
    return new Search(reader, request);
  } catch (error) {
    const isMissing = asFailure(error).ldap?.name === 'noSuchObject';
    throw isMissing && request.sight?.maySearch !== undefined ? noSuchObject(undefined) : error;
  }
}

function sees(reader: Reader, sight: Sight, base: Dn): boolean {
  if (sight.maySearch === undefined) return true;
  const entry = findEntry(reader, base);
  return entry !== undefined && sight.shown(entry) !== undefined;
}

/** Of what the entry has as attributes that is decided; of what the server makes, here. */
function mayRead(sight: Sight, entry: Entry, { name }: Attribute): boolean {
  if (sight.maySearch === undefined) return true;
  const key = schema().description(name)?.type.key;
  return key !== undefined && sight.mayRead(entry, key);
}

/** Members are read where they are asked for, a page a turn: who comes or goes between two pages may be among them. */
async function withWantedMembers(entry: Entry, selection: Selection, session: LdapConversation): Promise<Entry> {
  const attributes = new Map(entry.attributes);
  for (const key of entry.memberCounts?.keys() ?? []) {
    if (!isWanted(key, selection)) continue;
    const pages: string[][] = [];
    for (const page of selection.typesOnly ? [] : memberPages(session.door.reader, entry.id, key)) {
      pages.push(page);
      if (page.length >= MEMBERS_A_TURN) await session.turn();
    }
    attributes.set(key, { name: schema().attributeType(key)!.name, values: pages.flat() });
  }
  return { ...entry, attributes };
}
