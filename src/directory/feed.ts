// What has happened to a part of the directory since a revision, so told that a copy which had that revision follows.
//
// In      base, scope, filter and sight; a revision that the log reaches; then as many calls of next() as it takes
// Out     entries as they are now, each at the last of its changes; UUIDs of those that are gone, or have left scope, filter or
//         sight. In an order that a copy can carry out: a superior comes before what is below it, who leaves a name before who
//         takes it. Where names go round in a circle one entry is gone first, and comes back
// States  two places in the log: up to `#ahead` every name that somebody has left is known, up to `at` all is told.
//         Entries are told only while the first has reached the end, so no name is taken that the copy still has elsewhere
// Limits  a page reads AHEAD_ROWS or TOLD_ROWS rows, and UNDONE_MAX more where it must find out what a caller saw before: once an
//         entry; LEAVING_MAX names that are left are known at once: of more, who left one that another has is gone first too
// Never   keeps a statement, a snapshot, or a queue between two pages: who is slow reads the log later
// RFC 4533 §1.1 §3.3 §3.4

import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import type { Filter } from '../wire/ldap/filter.ts';
import type { SearchScope } from '../wire/ldap/operations/search.ts';
import type { Sight } from './access/sight.ts';
import { type LogStep, stepsAfter } from './change-log.ts';
import { type Dn, normalizeDn, parseDn } from './dn.ts';
import type { Effort } from './effort.ts';
import { entryById, entryByUuid, findEntry } from './entries.ts';
import type { Entry } from './entry.ts';
import { compileFilter, type MatchContext, type Matcher } from './match.ts';
import { matchContext } from './match-context.ts';
import { WayBack } from './past-entry.ts';
import { effortOf } from './search-limits.ts';

export interface FeedContent {
  readonly base: Dn;
  readonly scope: SearchScope;
  readonly filter: Filter;
}

export type FeedStep =
  /** `shown`: as the caller sees it. `isNew`: it was not among what is followed. */
  | { readonly kind: 'entry'; readonly entry: Entry; readonly shown: Entry; readonly isNew: boolean }
  /** `dn`: a name that it had. */
  | { readonly kind: 'gone'; readonly uuid: string; readonly dn: string };

export interface FeedPosition {
  readonly revision: Revision;
  /** Epoch milliseconds: the log's time of that revision. */
  readonly at: number;
}

const AHEAD_ROWS = 500;
const TOLD_ROWS = 64;
const LEAVING_MAX = 10_000;
/** Who waits for whom to leave a name. */
const CHAIN_MAX = 500;
/** Changes that a page undoes. */
const UNDONE_MAX = 500;
/** Entries of which it is remembered that the copy has them not. */
const HAS_NOT_MAX = 100_000;

export class Feed {
  readonly #reader: Reader;
  readonly #content: FeedContent;
  readonly #matches: Matcher;
  #position: FeedPosition;
  #ahead: Revision;
  /** Where all was told for the last time. */
  #since: Revision;
  #sight!: Sight;
  #context!: MatchContext;
  #effort!: Effort;
  /** Who has left a name, by that name, until the copy knows: another has it now, or may take it. */
  readonly #leaving = new Map<string, string>();
  /** The names of the above by who has left them. */
  readonly #left = new Map<string, Set<string>>();
  /** Who was not among what is followed before a change that is not its last. */
  readonly #entered = new Set<string>();
  /** For who sees a part: whether the copy has an entry, by what was seen then and by what was told. */
  readonly #has = new Set<string>();
  readonly #hasNot = new Set<string>();
  /** To what an entry was then. */
  #way: WayBack | undefined;

  constructor(reader: Reader, content: FeedContent, from: FeedPosition) {
    this.#reader = reader;
    this.#content = content;
    this.#matches = compileFilter(content.filter);
    this.#position = from;
    this.#ahead = from.revision;
    this.#since = from.revision;
  }

  /** All up to here is told. */
  get position(): FeedPosition {
    return this.#position;
  }

  /** What the steps were made with. */
  get context(): MatchContext {
    return this.#context;
  }

  /** The next steps, perhaps none; `isAtEnd`: nothing more had happened. In one snapshot. */
  next(sight: Sight): { readonly steps: readonly FeedStep[]; readonly isAtEnd: boolean } {
    this.#effort = effortOf(sight.caller);
    const context = matchContext(this.#reader, this.#effort);
    this.#sight = sight;
    this.#context = sight.maySearch === undefined ? context : { ...context, maySearch: sight.maySearch };
    return this.#reader.snapshot(() => {
      const page = new Page();
      const { steps } = page;
      const ahead = stepsAfter(this.#reader, this.#ahead, AHEAD_ROWS);
      for (const step of ahead) {
        if (leavesName(step) && !this.#findOut(step, page)) return { steps, isAtEnd: false };
        this.#lookAhead(step, page);
        this.#ahead = step.revision;
      }
      if (ahead.length === AHEAD_ROWS) return { steps, isAtEnd: false };
      const told = stepsAfter(this.#reader, this.#position.revision, TOLD_ROWS);
      for (const step of told) {
        if (!this.#findOut(step, page)) return { steps, isAtEnd: false };
        this.#tell(step, page);
        this.#position = step;
      }
      const isAtEnd = told.length < TOLD_ROWS;
      if (isAtEnd) this.#forget();
      return { steps, isAtEnd };
    });
  }

  #forget(): void {
    this.#since = this.#position.revision;
    this.#has.clear();
    this.#hasNot.clear();
    this.#entered.clear();
    this.#leaving.clear();
    this.#left.clear();
  }

  /** Who is gone, and who has left a name. */
  #lookAhead(step: LogStep, page: Page): void {
    const { uuid, dn } = step;
    if (!leavesName(step)) return;
    const entry = entryByUuid(this.#reader, uuid);
    if (entry === undefined || this.#shown(entry) === undefined) {
      if (this.#wasShown(step)) this.#goes(uuid, dn, page);
      return;
    }
    const other = findEntry(this.#reader, dn);
    if (other?.uuid === uuid) return;
    const name = normalizeDn(dn);
    // The copy has under this name the entry that left it first: those that came and left meanwhile were never sent to it.
    if (this.#leaving.has(name)) return;
    if (this.#leaving.size >= LEAVING_MAX) {
      if (other !== undefined) this.#goes(uuid, dn, page);
      return;
    }
    this.#leaving.set(name, uuid);
    const names = this.#left.get(uuid);
    if (names === undefined) this.#left.set(uuid, new Set([name]));
    else names.add(name);
  }

  #tell(step: LogStep, page: Page): void {
    const { kind, uuid, dn, revision } = step;
    const entry = entryByUuid(this.#reader, uuid);
    const shown = entry && this.#shown(entry);
    if (entry === undefined || shown === undefined) {
      // Of the others lookAhead has told.
      if (kind === 'modify' && this.#wasShown(step)) this.#goes(uuid, dn, page);
      return;
    }
    const isNew = this.#entered.has(uuid) || !this.#wasShown(step);
    if (entry.revision === revision) this.#give({ entry, shown, isNew }, page);
    else if (isNew) this.#entered.add(uuid);
  }

  #give({ entry, shown, isNew }: { entry: Entry; shown: Entry; isNew: boolean }, page: Page): void {
    const { uuid } = entry;
    if (page.given.has(uuid) || page.giving.has(uuid)) return;
    page.giving.add(uuid);
    this.#giveSuperior(entry, page);
    const other = this.#leaving.get(entry.normalizedDn);
    if (other !== undefined && other !== uuid) this.#makeLeave(other, entry.normalizedDn, page);
    page.steps.push({ kind: 'entry', entry, shown, isNew });
    this.#note(uuid, true);
    page.giving.delete(uuid);
    page.given.add(uuid);
    for (const name of this.#left.get(uuid) ?? []) if (this.#leaving.get(name) === uuid) this.#leaving.delete(name);
    this.#left.delete(uuid);
  }

  /** Where it has changed too, its name or itself may be new to the copy. */
  #giveSuperior(entry: Entry, page: Page): void {
    const above = entry.parent === undefined ? undefined : entryById(this.#reader, entry.parent);
    if (above === undefined || above.revision <= this.#position.revision) return;
    const shown = this.#shown(above);
    if (shown !== undefined) this.#give({ entry: above, shown, isNew: true }, page);
  }

  /** `uuid` had this name, and the copy may still have it there. */
  #makeLeave(uuid: string, name: string, page: Page): void {
    if (page.given.has(uuid)) return;
    const entry = page.giving.has(uuid) || page.giving.size > CHAIN_MAX ? undefined : entryByUuid(this.#reader, uuid);
    const shown = entry && this.#shown(entry);
    if (entry !== undefined && shown !== undefined) this.#give({ entry, shown, isNew: false }, page);
    else this.#goes(uuid, name, page);
    this.#leaving.delete(name);
  }

  #shown(entry: Entry): Entry | undefined {
    if (!this.#isInScope(parseDn(entry.dn))) return undefined;
    const bare = this.#sight.bare(entry);
    this.#effort.begin();
    return this.#matches(bare, this.#context) === true ? this.#sight.shown(bare) : undefined;
  }

  /** Before this change; where all is seen, also what the filter leaves out: to tell of it does no harm. */
  #wasShown({ kind, uuid, dn }: LogStep): boolean {
    if (kind === 'add' || !this.#isInScope(parseDn(dn))) return false;
    return this.#sight.caller === undefined || this.#has.has(uuid);
  }

  /** Whether the copy has it, where that is not known. False: the next page goes on with it. */
  #findOut({ kind, uuid, dn }: LogStep, page: Page): boolean {
    if (this.#sight.caller === undefined || kind === 'add' || this.#has.has(uuid) || this.#hasNot.has(uuid))
      return true;
    if (!this.#isInScope(parseDn(dn))) return true;
    if (page.undone >= UNDONE_MAX) return false;
    if (this.#way?.uuid !== uuid) this.#way = new WayBack(this.#reader, uuid, this.#since);
    page.undone += this.#way.undo(UNDONE_MAX - page.undone);
    if (!this.#way.isThere) return false;
    const { entry } = this.#way;
    this.#way = undefined;
    this.#note(
      uuid,
      entry !== undefined && this.#isInScope(parseDn(entry.dn)) && this.#sight.shown(entry) !== undefined,
    );
    return true;
  }

  #goes(uuid: string, dn: string, page: Page): void {
    page.steps.push({ kind: 'gone', uuid, dn });
    this.#note(uuid, false);
  }

  #note(uuid: string, has: boolean): void {
    if (this.#sight.caller === undefined) return;
    if (this.#hasNot.size >= HAS_NOT_MAX) this.#hasNot.clear();
    (has ? this.#hasNot : this.#has).delete(uuid);
    (has ? this.#has : this.#hasNot).add(uuid);
  }

  #isInScope(dn: Dn): boolean {
    const { base, scope } = this.#content;
    if (!dn.path.startsWith(base.path)) return false;
    const below = dn.rdns.length - base.rdns.length;
    return scope === 'sub' || below === (scope === 'one' ? 1 : 0);
  }
}

/** Steps of one snapshot. */
class Page {
  readonly steps: FeedStep[] = [];
  readonly given = new Set<string>();
  /** On the way: what has to come first is given first. */
  readonly giving = new Set<string>();
  /** Changes of the log. */
  undone = 0;
}

function leavesName({ kind }: LogStep): boolean {
  return kind === 'delete' || kind === 'rename';
}
