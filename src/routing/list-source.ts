// Whom a list leads to, a slice at a time: for lists that are too long, or too uncertain, to be expanded at once.
//
// In      a list by its entry, members or moderators, a place where to begin
// Out     at most `limit` of them, and the place where the next slice begins; none where the list has ended
// Order   what is written in the entry, then who its URLs find, one URL after the other
// Limits  EXAMINED_PAGES pages of a search a slice, found or not; to be shown, FOUND_SLICES slices
// Never   remembers anything between two slices: a place is enough, and survives a restart. A list that is gone has ended

import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { entryById } from '../directory/entries.ts';
import type { LdapUrl } from '../directory/ldap-url.ts';
import { readMemberValues } from '../directory/member-values.ts';
import { Search, type SearchCursor } from '../directory/search.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { readState } from './generation.ts';
import { type ListPart, type Member, membersOf, writtenModerators } from './list-members.ts';
import type { GroupRow } from './rows.ts';
import { readRecipient } from './tables.ts';

/** JSON. `source` 0 is what the entry says, the others are its URLs. */
export interface ListPlace {
  readonly source: number;
  readonly after: number | SearchCursor;
}

export const LIST_BEGIN: ListPlace = { source: 0, after: 0 };

export interface ListSlice {
  readonly members: readonly Member[];
  /** Undefined: the list has ended. */
  readonly next: ListPlace | undefined;
}

export interface AskedSlice {
  /** The entry's id: a list that is renamed goes on. */
  readonly list: number;
  readonly part: ListPart;
  readonly place: ListPlace;
  readonly limit: number;
}

/** A search looks at 200 entries a page. */
const EXAMINED_PAGES = 5;
/** Somebody waits for the answer: some tens of milliseconds. */
const FOUND_SLICES = 10;
const FOUND_SLICE = 500;

export function readListSlice(reader: Reader, asked: AskedSlice): ListSlice {
  return reader.snapshot(() => {
    const { list, part, place, limit } = asked;
    const entry = entryById(reader, list);
    const row = entry && readRecipient(reader, readState(reader).generation, entry.normalizedDn);
    const group = row?.kind === 'group' ? row : undefined;
    const urls = urlsOf(group, part);
    const found =
      place.source === 0 ? written(reader, group, asked) : searched(reader, urls[place.source - 1], place, limit);
    if (found.after !== undefined)
      return { members: found.members, next: { source: place.source, after: found.after } };
    const next = place.source < urls.length ? { source: place.source + 1, after: 0 } : undefined;
    return { members: found.members, next };
  });
}

/** Whom the URLs of a list find, for people. */
export interface FoundByUrl {
  /** The first of them, at most `limit`. */
  readonly members: readonly Member[];
  readonly count: number;
  /** Not all entries that there are have been looked at. */
  readonly isMore: boolean;
}

/** As the list would be expanded now, for FOUND_SLICES slices at most. `list` is the entry's id. */
export function readFoundByUrl(reader: Reader, list: number, limit: number): FoundByUrl {
  const members: Member[] = [];
  let count = 0;
  let place: ListPlace | undefined = { source: 1, after: 0 };
  for (let slices = 0; place !== undefined && slices < FOUND_SLICES; slices++) {
    const slice: ListSlice = readListSlice(reader, { list, part: 'members', place, limit: FOUND_SLICE });
    for (const member of slice.members) if (count++ < limit) members.push(member);
    place = slice.next;
  }
  return { members, count, isMore: place !== undefined };
}

function urlsOf(row: GroupRow | undefined, part: ListPart): readonly LdapUrl[] {
  if (part === 'members') return row?.urls ?? [];
  return (row?.rules?.moderators ?? []).flatMap((party) => ('url' in party ? [party.url] : []));
}

/** `after` undefined: the source has ended. */
interface Found {
  readonly members: readonly Member[];
  readonly after: ListPlace['after'] | undefined;
}

function written(reader: Reader, row: GroupRow | undefined, { list, part, place, limit }: AskedSlice): Found {
  const after = typeof place.after === 'number' ? place.after : 0;
  if (part === 'members') {
    const values = readMemberValues(reader, list, after, limit);
    return { members: membersOf(values), after: values.length < limit ? undefined : values.at(-1)!.id };
  }
  const parties = writtenModerators(row?.rules?.moderators);
  const end = after + limit;
  return { members: parties.slice(after, end), after: end < parties.length ? end : undefined };
}

function searched(reader: Reader, url: LdapUrl | undefined, { after }: ListPlace, limit: number): Found {
  if (url === undefined) return { members: [], after: undefined };
  const { base, scope, filter } = url;
  const members: Member[] = [];
  try {
    const from = typeof after === 'number' ? {} : { from: after };
    const search = new Search(reader, { base, scope, filter: parseFilter(filter), ...from });
    for (let page = 0; page < EXAMINED_PAGES && !search.done && members.length < limit; page++)
      members.push(...search.next(limit - members.length).map(({ normalizedDn }) => ({ dn: normalizedDn })));
    return { members, after: search.done ? undefined : search.cursor };
  } catch (error) {
    // Its base is not there: nobody lies below it.
    if (error instanceof Failure && error.kind === 'not-found') return { members: [], after: undefined };
    throw error;
  }
}
