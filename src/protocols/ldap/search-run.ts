// One search under way, in the order that was asked for: it may wait between two pages, and goes on for the same caller.
//
// In      base, places and filter; then as many calls of next() as it takes
// Out     entries as the caller may see them now; the URLs of referrals among what is searched, before the first entry
// Limits  SORT_ENTRIES_MAX entries are sorted; the caller's are asked by who calls
// Never   gives an alias that is followed, nor a referral as an entry where none is wanted

import type { Reader } from '../../database/operation.ts';
import type { Sight } from '../../directory/access/sight.ts';
import { parseDn } from '../../directory/dn.ts';
import { entriesWith } from '../../directory/entries.ts';
import type { Entry } from '../../directory/entry.ts';
import type { MatchContext } from '../../directory/match.ts';
import { OnceARevision } from '../../directory/once-a-revision.ts';
import { isReferral, referralUris } from '../../directory/referrals.ts';
import { Search } from '../../directory/search.ts';
import { isAlias, placesOf, type SearchPlace } from '../../directory/search-base.ts';
import { type EntryOrder, SORT_ENTRIES_MAX, type Sortable } from '../../directory/sort.ts';
import type { SearchRequest } from '../../wire/ldap/operations/search.ts';

const REFERRALS_MAX = 10_000;

/** Nearly no directory has any. */
const referrals = new OnceARevision<boolean>();

function areThereReferrals(reader: Reader): boolean {
  return referrals.get(reader, '', () => entriesWith(reader, 'objectClass', 'referral', 1).length > 0);
}

export interface RunOptions {
  readonly reader: Reader;
  readonly base: Entry;
  readonly request: SearchRequest;
  /** Aliases and referrals are entries. */
  readonly asEntry: boolean;
  readonly sight: Sight;
}

export class SearchRun {
  readonly references: readonly (readonly string[])[];
  /** Given out so far, in all pages. */
  given = 0;
  isSorted = false;
  readonly #options: RunOptions;
  readonly #places: readonly SearchPlace[];
  readonly #follows: boolean;
  readonly #hasReferrals: boolean;
  #sight: Sight;
  #search: Search;
  /** Of the search that what is sorted was found by. */
  #before = { walked: 0, steps: 0 };
  /** Found, and not given out. */
  #kept: Entry[] = [];

  constructor(options: RunOptions) {
    const { reader, base, request, asEntry, sight } = options;
    this.#options = options;
    this.#sight = sight;
    this.#follows = !asEntry && (request.derefAliases === 'searching' || request.derefAliases === 'always');
    this.#places = placesOf(reader, base, request.scope, this.#follows);
    this.#hasReferrals = !asEntry && request.scope !== 'base' && areThereReferrals(reader);
    this.references = this.#hasReferrals
      ? this.#referencesOf(entriesWith(reader, 'objectClass', 'referral', REFERRALS_MAX))
      : [];
    this.#search = this.#begin();
  }

  get context(): MatchContext {
    return this.#search.context;
  }

  get done(): boolean {
    return this.#kept.length === 0 && this.#search.done;
  }

  /** Entries that were read without an index. */
  get walked(): number {
    return this.#before.walked + this.#search.walked;
  }

  /** What the filter has looked at in all entries. */
  get steps(): number {
    return this.#before.steps + this.#search.steps;
  }

  /** Goes on as the caller sees it now. */
  see(sight: Sight): void {
    this.#sight = sight;
    this.#search.see(sight);
  }

  /** At most `limit`; perhaps none although it is not done. */
  next(limit: number): Entry[] {
    if (this.#kept.length === 0) return this.#search.next(limit);
    return this.#kept.splice(0, limit);
  }

  /** Entries that next() gave and nobody wanted yet. */
  putBack(entries: readonly Entry[]): void {
    this.#kept.unshift(...entries);
  }

  /**
   * Finds all, and begins anew in this order. False when there are more than can be sorted: it begins anew all the same, in
   * the order of the tables. `breathe` is called between two pages; it says whether to go on.
   */
  async sort(order: EntryOrder, breathe: () => Promise<boolean>): Promise<boolean> {
    const found: { readonly id: number; readonly keys: Sortable }[] = [];
    while (!this.#search.done && found.length <= SORT_ENTRIES_MAX) {
      for (const entry of this.#search.next(SORT_ENTRIES_MAX + 1 - found.length))
        found.push({ id: entry.id, keys: order.sortable(entry, this.context, this.#sight) });
      if (!(await breathe())) return false;
    }
    this.#before = { walked: this.#search.walked, steps: this.#search.steps };
    this.isSorted = found.length <= SORT_ENTRIES_MAX;
    if (this.isSorted) found.sort((a, b) => order.compare(a.keys, b.keys) || a.id - b.id);
    this.#search = this.#begin(this.isSorted ? found.map(({ id }) => id) : undefined);
    return this.isSorted;
  }

  #begin(ids?: readonly number[]): Search {
    const { reader, request, base } = this.#options;
    return new Search(reader, {
      base: base.dn,
      scope: request.scope,
      filter: request.filter,
      places: this.#places,
      sight: this.#sight,
      ...(this.#hasReferrals || this.#follows ? { skips: (entry: Entry) => this.#skips(entry) } : {}),
      ...(ids === undefined ? {} : { ids }),
    });
  }

  #skips(entry: Entry): boolean {
    if (this.#hasReferrals && isReferral(entry)) return true;
    return this.#follows && entry.id !== this.#options.base.id && isAlias(entry);
  }

  #referencesOf(referrals: readonly Entry[]): (readonly string[])[] {
    const { reader, base, request } = this.#options;
    const among = new Search(reader, {
      base: base.dn,
      scope: request.scope,
      filter: { kind: 'present', attribute: 'objectClass' },
      places: this.#places,
      sight: this.#sight,
      ids: referrals.map(({ id }) => id),
    });
    const references: (readonly string[])[] = [];
    // Of what is right below the base its server gives the entry itself.
    const scope = request.scope === 'one' ? 'base' : 'sub';
    while (!among.done)
      for (const entry of among.next(REFERRALS_MAX)) references.push(referralUris(entry, parseDn(entry.dn), scope));
    return references.filter((uris) => uris.length > 0);
  }
}
