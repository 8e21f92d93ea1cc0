// Searching the tree, page by page: nothing stays open between two pages, so a client may take its time.
//
// In      base, scope and filter, or the places that are searched (search-base.ts); then as many calls of next() as it takes
// Out     entries in the order in which the tables hold them
// States  where it stands can be kept (`cursor`), and another search of the same request goes on from there
// Limits  a page looks at 200 entries, and ends where the filter has looked at much of them (effort.ts); more than 10,000 candidates of an index are no better than the whole subtree, nor
//         is what takes more than 20,000 rows to find them
// Never   knows who asks: `sight` says what the filter may ask of an entry, and gives it as the caller may see it
// RFC 4511 §4.5.1

import { TENANT } from '../base/tenant.ts';
import type { Reader, Value } from '../database/operation.ts';
import type { Filter } from '../wire/ldap/filter.ts';
import type { SearchScope } from '../wire/ldap/operations/search.ts';
import type { Sight } from './access/sight.ts';
import { type Dn, parseDn, pathOfNormalized } from './dn.ts';
import type { Effort } from './effort.ts';
import { decodeEntry, ENTRY_COLUMNS, findEntry, getEntry } from './entries.ts';
import type { Entry } from './entry.ts';
import type { IndexKey } from './indexes.ts';
import { askingNoSecrets, asksMembers, asksOthers, compileFilter, type MatchContext, type Matcher } from './match.ts';
import { matchContext } from './match-context.ts';
import { membersNamed } from './member-values.ts';
import type { SearchPlace } from './search-base.ts';
import { effortOf } from './search-limits.ts';
import { type IndexLookup, planLookups } from './search-plan.ts';

export interface EntrySearch {
  readonly base: string | Dn;
  readonly scope: SearchScope;
  readonly filter: Filter;
  /** What the caller may see, and ask for; undefined: this program, whose filter may stand in an entry: all is seen, no secret asked for. */
  readonly sight?: Sight;
  /** What is searched, where that is more than the base: none inside another. Then base and scope are not looked at. */
  readonly places?: readonly SearchPlace[];
  /** No results, whatever the filter says: aliases that are followed, referrals. */
  readonly skips?: (entry: Entry) => boolean;
  /** Entries that somebody has found already, in the order in which they are wanted: they are looked at again, no others. */
  readonly ids?: readonly number[];
  /** All of the places is walked, whatever an index knows: entries come in the order of their names, superiors first. */
  readonly walks?: true;
  /** Of an earlier search for the same. What that has found is not found again, but where an index narrows it no more. */
  readonly from?: SearchCursor;
}

/** Where a search that is not done goes on: survives a restart. Entries that came meanwhile may be found or not. */
export type SearchCursor =
  | { readonly kind: 'candidates'; readonly after: number }
  | { readonly kind: 'children'; readonly after: number }
  | { readonly kind: 'subtree'; readonly after: string };

const EXAMINED_PER_PAGE = 200;
/** Some milliseconds. */
const STEPS_PER_PAGE = 20_000;
const CANDIDATES_MAX = 10_000;
/** Rows that all look-ups of a search read together: they are read at one go. */
const LOOKED_UP_MAX = 20_000;
/** So few candidates that no other index needs to be tried. */
const FEW = 16;

const FEW_EQUAL =
  `SELECT ${ENTRY_COLUMNS} FROM dit_index JOIN dit ON dit.id = dit_index.entry ` +
  'WHERE dit_index.tenant = ? AND attribute = ? AND value = ? ORDER BY entry LIMIT +?';
const BY_ID = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE id = ?`;
const CHILDREN = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE parent = ? AND id > ? ORDER BY id LIMIT +?`;
const SUBTREE = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND path > ? AND path < ? ORDER BY path LIMIT +?`;
const EQUAL = 'SELECT entry FROM dit_index WHERE tenant = ? AND attribute = ? AND value = ? LIMIT +?';
const BEGINS =
  'SELECT DISTINCT entry FROM dit_index WHERE tenant = ? AND attribute = ? AND value >= ? AND value < ? LIMIT +?';
const MEMBER = 'SELECT entry FROM dit_value WHERE tenant = ? AND attribute = ? AND key = ? LIMIT +?';
const MEMBER_BEGINS =
  'SELECT DISTINCT entry FROM dit_value WHERE tenant = ? AND attribute = ? AND key >= ? AND key < ? LIMIT +?';
const BY_PATH = 'SELECT id FROM dit WHERE tenant = ? AND path = ?';
const UUID = 'SELECT id FROM dit WHERE tenant = ? AND uuid = ?';
const PATH_COLUMN = 2;

/** Rows that may still be read. */
interface Room {
  rows: number;
}

/** Where the next page begins; in which place is beside it. */
type Position =
  | { readonly kind: 'base' }
  /** One look-up leads to all that can match, likely few: it is made when the first page is asked for, and gives them whole. */
  | { readonly kind: 'few'; readonly key: IndexKey; readonly filter: Filter }
  | { readonly kind: 'candidates'; readonly ids: readonly number[]; readonly at: number }
  | { readonly kind: 'children'; readonly after: number }
  | { readonly kind: 'subtree'; readonly after: string }
  | { readonly kind: 'end' };

export class Search {
  readonly #reader: Reader;
  #context!: MatchContext;
  readonly #places: readonly SearchPlace[];
  /** The one that is walked, where no index narrows the search. */
  #place: SearchPlace;
  readonly #matcher: Matcher;
  readonly #isEquality: boolean;
  #sight: Sight | undefined;
  readonly #skips: ((entry: Entry) => boolean) | undefined;
  #position: Position;
  #walked = 0;
  readonly #effort: Effort;
  /** Entries that are read at once: fewer, where the filter takes long for each. */
  #atOnce = EXAMINED_PER_PAGE;

  /** Throws `noSuchObject` when there is no base, `invalidDnSyntax` when its DN is none. */
  constructor(reader: Reader, request: EntrySearch) {
    this.#reader = reader;
    this.#places = request.places ?? [placeOf(reader, request)];
    this.#place = this.#places[0]!;
    this.#matcher = compileFilter(request.filter);
    this.#isEquality = request.filter.kind === 'equality';
    this.#skips = request.skips;
    this.#effort = effortOf(request.sight?.caller);
    this.see(request.sight);
    this.#position = this.#begin(request);
  }

  /** From here on as another caller sees it, or the same one at another time. */
  see(sight: Sight | undefined): void {
    const context = matchContext(this.#reader, this.#effort);
    this.#sight = sight;
    if (sight === undefined) this.#context = askingNoSecrets(context);
    else this.#context = sight.maySearch === undefined ? context : { ...context, maySearch: sight.maySearch };
  }

  /** What filters are asked with. */
  get context(): MatchContext {
    return this.#context;
  }

  /** Entries that were read so far without an index that leads to them. */
  get walked(): number {
    return this.#walked;
  }

  /** What the filter has looked at in them, see effort.ts. */
  get steps(): number {
    return this.#effort.steps;
  }

  get done(): boolean {
    return this.#position.kind === 'end';
  }

  /** Undefined when it is done, or has not begun. */
  get cursor(): SearchCursor | undefined {
    const position = this.#position;
    switch (position.kind) {
      case 'candidates':
        return { kind: 'candidates', after: position.ids[position.at - 1] ?? 0 };
      case 'children':
      case 'subtree':
        return position;
      default:
        return undefined;
    }
  }

  /** The next entries that match, at most `limit`; perhaps none although the search is not done. */
  next(limit: number): Entry[] {
    const found: Entry[] = [];
    const few = this.#position.kind === 'few' ? this.#few(this.#position.key, limit) : undefined;
    if (few !== undefined) {
      for (const entry of few) this.#match(entry, found);
      return found;
    }
    const read = (): void => {
      const stepsEnd = this.steps + STEPS_PER_PAGE;
      let examined = 0;
      while (!this.done && found.length < limit && examined < EXAMINED_PER_PAGE && this.steps < stepsEnd)
        examined += this.#examine(Math.min(EXAMINED_PER_PAGE - examined, limit - found.length), found, stepsEnd);
    };
    if (this.#isOneRow()) read();
    else this.#reader.snapshot(read);
    return found;
  }

  /** At most `limit` entries; how many. What is read behind `stepsEnd` is read again. */
  #examine(limit: number, found: Entry[], stepsEnd: number): number {
    const before = { place: this.#place, position: this.#position, walked: this.#walked };
    const entries = this.#page(Math.min(limit, this.#atOnce));
    for (const [at, entry] of entries.entries()) {
      this.#match(entry, found);
      if (this.steps < stepsEnd || at === entries.length - 1) continue;
      this.#goBack(entry, at + 1, before);
      this.#atOnce = at + 1;
      return at + 1;
    }
    this.#atOnce = Math.min(2 * this.#atOnce, EXAMINED_PER_PAGE);
    return Math.max(1, entries.length);
  }

  /** To behind an entry of the page that began there. */
  #goBack(
    entry: Entry,
    examined: number,
    { place, position, walked }: { place: SearchPlace; position: Position; walked: number },
  ): void {
    this.#place = place;
    switch (position.kind) {
      case 'candidates':
        this.#position = { ...position, at: position.ids.indexOf(entry.id, position.at) + 1 };
        return;
      case 'children':
        this.#position = { kind: 'children', after: entry.id };
        break;
      case 'subtree':
        this.#position = { kind: 'subtree', after: pathOfNormalized(entry.normalizedDn) };
        break;
      default:
        throw new Error('a page of more than one entry is of candidates or of a walk');
    }
    this.#walked = walked + examined;
  }

  /** Where it matches and is seen. */
  #match(entry: Entry, found: Entry[]): void {
    if (this.#skips?.(entry) === true) return;
    this.#effort.begin();
    const bare = this.#sight?.bare(entry) ?? entry;
    if (this.#matcher(bare, this.#context) !== true) return;
    const shown = this.#sight === undefined ? bare : this.#sight.shown(bare);
    if (shown !== undefined) found.push(shown);
  }

  /** One statement reads all that is left, and what it is matched by: nothing has to be of one revision with it. */
  #isOneRow(): boolean {
    return this.#isEquality && this.#position.kind === 'candidates' && this.#position.ids.length === 1;
  }

  /** Those to match now, by one statement. Undefined where they are many: then it goes on as any other search. */
  #few(key: IndexKey, limit: number): Entry[] | undefined {
    const rows = this.#reader.arrays(FEW_EQUAL, TENANT, ...key, FEW + 1);
    if (rows.length > FEW) return undefined;
    // What is not wanted yet is read again when it is.
    this.#position =
      rows.length <= limit ? { kind: 'end' } : { kind: 'candidates', ids: rows.map(([id]) => id as number), at: limit };
    const entries: Entry[] = [];
    for (const row of rows.slice(0, limit)) if (this.#inScope(row)) entries.push(decodeEntry(row));
    return entries;
  }

  #begin({ filter, from, ids: given, walks }: EntrySearch): Position {
    if (given !== undefined) return given.length === 0 ? { kind: 'end' } : { kind: 'candidates', ids: given, at: 0 };
    if (this.#places.every(({ scope }) => scope === 'base')) return { kind: 'base' };
    if (from !== undefined && from.kind !== 'candidates') return from;
    if (walks === true) return startOf(this.#place);
    const key = from === undefined ? keyOfFew(filter) : undefined;
    return key === undefined ? this.#narrowed(filter, from) : { kind: 'few', key, filter };
  }

  #narrowed(filter: Filter, from?: Extract<SearchCursor, { kind: 'candidates' }>): Position {
    const ids = this.#candidates(filter);
    if (ids === undefined) return startOf(this.#place);
    const left = from === undefined ? ids : ids.filter((id) => id > from.after);
    return left.length === 0 ? { kind: 'end' } : { kind: 'candidates', ids: left, at: 0 };
  }

  /** Behind the last entry of a place. */
  #afterPlace(): Position {
    const next = this.#places[this.#places.indexOf(this.#place) + 1];
    if (next === undefined) return { kind: 'end' };
    this.#place = next;
    return startOf(next);
  }

  /** The fewest entries that an index can narrow it to; undefined when none can. */
  #candidates(filter: Filter): readonly number[] | undefined {
    let best: readonly number[] | undefined;
    const room: Room = { rows: LOOKED_UP_MAX };
    for (const lookups of planLookups(filter) ?? []) {
      const ids = this.#lookUp(lookups, room);
      if (ids !== undefined && ids.length < (best?.length ?? Number.POSITIVE_INFINITY)) best = ids;
      if (best !== undefined && best.length <= FEW) break;
    }
    return best;
  }

  /** Ids of all entries that one of the look-ups finds, each once; undefined when they are too many. */
  #lookUp(lookups: readonly IndexLookup[], room: Room): readonly number[] | undefined {
    const ids = new Set<number>();
    for (const lookup of lookups) {
      const most = Math.min(CANDIDATES_MAX, room.rows);
      if (most <= 0) return undefined;
      // One more shows that there are more, whether or not others have found the same.
      const rows = lookup.kind === 'memberOf' ? this.#memberRows(lookup.group, room) : this.#rows(lookup, most + 1);
      // What finds nothing has been asked all the same.
      room.rows -= lookup.kind === 'memberOf' ? 1 : 1 + rows!.length;
      if (rows === undefined || rows.length > most) return undefined;
      for (const row of rows) ids.add(row[0] as number);
      if (ids.size > CANDIDATES_MAX) return undefined;
    }
    return [...ids].sort((a, b) => a - b);
  }

  #rows(lookup: Exclude<IndexLookup, { kind: 'memberOf' }>, limit: number): Value[][] {
    switch (lookup.kind) {
      case 'equal':
        return this.#reader.arrays(EQUAL, TENANT, ...lookup.key, limit);
      case 'begins':
      case 'memberBegins': {
        const sql = lookup.kind === 'begins' ? BEGINS : MEMBER_BEGINS;
        const { attribute, prefix } = lookup;
        return this.#reader.arrays(sql, TENANT, attribute, prefix, `${prefix}\u{10ffff}`, limit);
      }
      case 'member':
        return this.#reader.arrays(MEMBER, TENANT, lookup.attribute, lookup.key, limit);
      case 'uuid':
        return this.#reader.arrays(UUID, TENANT, lookup.uuid);
      default:
        return lookup satisfies never;
    }
  }

  /** Each member is a row, and another to find it by its name. */
  #memberRows(group: string, room: Room): Value[][] | undefined {
    const most = Math.min(CANDIDATES_MAX, Math.floor(room.rows / 2));
    const entry = findEntry(this.#reader, group);
    const names = entry === undefined ? [] : membersNamed(this.#reader, entry.id, most);
    room.rows -= 2 * (names?.length ?? most);
    return names?.flatMap((name) => this.#reader.arrays(BY_PATH, TENANT, parseDn(name).path));
  }

  #page(limit: number): Entry[] {
    const position = this.#position;
    switch (position.kind) {
      case 'end':
        return [];
      case 'few':
        this.#position = this.#narrowed(position.filter);
        return [];
      case 'base': {
        const { entry } = this.#place;
        this.#position = this.#afterPlace();
        return [entry];
      }
      case 'candidates': {
        const end = Math.min(position.ids.length, position.at + limit);
        const entries: Entry[] = [];
        for (const id of position.ids.slice(position.at, end)) {
          const row = this.#reader.arrays(BY_ID, id)[0];
          if (row !== undefined && this.#inScope(row)) entries.push(decodeEntry(row));
        }
        this.#position = end === position.ids.length ? { kind: 'end' } : { ...position, at: end };
        return entries;
      }
      case 'children': {
        const entries = this.#reader.arrays(CHILDREN, this.#place.entry.id, position.after, limit).map(decodeEntry);
        this.#walked += entries.length;
        this.#position = entries.length < limit ? this.#afterPlace() : { kind: 'children', after: entries.at(-1)!.id };
        return entries;
      }
      case 'subtree':
        return this.#subtree(position.after, limit);
      default:
        return position satisfies never;
    }
  }

  /** The base itself, then all paths that begin with its own: from `base,` up to what follows its last comma. */
  #subtree(after: string, limit: number): Entry[] {
    const { entry, path } = this.#place;
    const entries = after === '' ? [entry] : [];
    const from = after === '' ? path : after;
    const room = limit - entries.length;
    const rows = room === 0 ? [] : this.#reader.arrays(SUBTREE, TENANT, from, `${path.slice(0, -1)}-`, room);
    const last = (rows.at(-1)?.[PATH_COLUMN] as string | undefined) ?? from;
    this.#walked += entries.length + rows.length;
    this.#position = rows.length < room ? this.#afterPlace() : { kind: 'subtree', after: last };
    return [...entries, ...rows.map(decodeEntry)];
  }

  #inScope(row: readonly Value[]): boolean {
    return this.#places.some(({ entry, path, scope }) => {
      if (scope === 'sub') return (row[PATH_COLUMN] as string).startsWith(path);
      return scope === 'one' ? row[1] === entry.id : row[0] === entry.id;
    });
  }
}

/** Where one value leads to all that can match, and nothing but the entry itself is asked whether it does. */
function keyOfFew(filter: Filter): IndexKey | undefined {
  const [lookup, ...more] = planLookups(filter)?.[0] ?? [];
  if (lookup?.kind !== 'equal' || more.length > 0) return undefined;
  return asksMembers(filter) || asksOthers(filter) ? undefined : lookup.key;
}

function placeOf(reader: Reader, { base, scope }: EntrySearch): SearchPlace {
  const dn = typeof base === 'string' ? parseDn(base) : base;
  return { entry: getEntry(reader, dn), path: dn.path, scope };
}

function startOf({ scope }: SearchPlace): Position {
  if (scope === 'base') return { kind: 'base' };
  return scope === 'one' ? { kind: 'children', after: 0 } : { kind: 'subtree', after: '' };
}
