// What has happened to a part of the directory since a revision, so told that a copy which had that revision follows.
//
// In      base, scope, filter and sight; a revision that the log reaches; then as many calls of next() as it takes
// Out     entries as they are now, each at the last of its changes; UUIDs of those that are gone, or have left scope, filter or
//         sight. In an order that a copy can carry out: a superior comes before what is below it, who leaves a name before who
//         takes it. Where names go round in a circle one entry is gone first, and comes back
// States  two places in the log: up to `#ahead` every name that somebody has left is known, up to `at` all is told.
//         Entries are told only while the first has reached the end, so no name is taken that the copy still has elsewhere
// Limits  a page reads AHEAD_ROWS or TOLD_ROWS rows; LEAVING_MAX names that are left and taken are known at once: of more, who
//         left is gone first too
// Never   keeps a statement, a snapshot, or a queue between two pages: who is slow reads the log later
// RFC 4533 §1.1 §3.3 §3.4

import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import type { Filter } from '../wire/ldap/filter.ts';
import type { SearchScope } from '../wire/ldap/operations/search.ts';
import type { Sight } from './access/sight.ts';
import { type LogStep, stepsAfter } from './change-log.ts';
import { type Dn, normalizeDn, parseDn } from './dn.ts';
import { entryById, entryByUuid, findEntry } from './entries.ts';
import type { Entry } from './entry.ts';
import { compileFilter, type MatchContext, type Matcher } from './match.ts';
import { matchContext } from './match-context.ts';
import { entryAt } from './past-entry.ts';

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

export class Feed {
  readonly #reader: Reader;
  readonly #content: FeedContent;
  readonly #matches: Matcher;
  #position: FeedPosition;
  #ahead: Revision;
  #sight!: Sight;
  #context!: MatchContext;
  /** Who has left a name that another has now, by that name, until the copy knows. */
  readonly #leaving = new Map<string, string>();
  /** The names of the above by who has left them. */
  readonly #left = new Map<string, Set<string>>();
  /** Who was not among what is followed before a change that is not its last. */
  readonly #entered = new Set<string>();

  constructor(reader: Reader, content: FeedContent, from: FeedPosition) {
    this.#reader = reader;
    this.#content = content;
    this.#matches = compileFilter(content.filter);
    this.#position = from;
    this.#ahead = from.revision;
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
    const context = matchContext(this.#reader);
    this.#sight = sight;
    this.#context = sight.maySearch === undefined ? context : { ...context, maySearch: sight.maySearch };
    return this.#reader.snapshot(() => {
      const page = new Page();
      const ahead = stepsAfter(this.#reader, this.#ahead, AHEAD_ROWS);
      for (const step of ahead) this.#lookAhead(step, page);
      this.#ahead = ahead.at(-1)?.revision ?? this.#ahead;
      if (ahead.length === AHEAD_ROWS) return { steps: page.steps, isAtEnd: false };
      const told = stepsAfter(this.#reader, this.#position.revision, TOLD_ROWS);
      for (const step of told) this.#tell(step, page);
      this.#position = told.at(-1) ?? this.#position;
      const isAtEnd = told.length < TOLD_ROWS;
      if (isAtEnd) this.#forget();
      return { steps: page.steps, isAtEnd };
    });
  }

  #forget(): void {
    this.#entered.clear();
    this.#leaving.clear();
    this.#left.clear();
  }

  /** Who is gone, and who has left a name that is another's now. */
  #lookAhead(step: LogStep, page: Page): void {
    const { kind, uuid, dn } = step;
    if (kind !== 'delete' && kind !== 'rename') return;
    const entry = entryByUuid(this.#reader, uuid);
    if (entry === undefined || this.#shown(entry) === undefined) {
      if (this.#wasShown(step)) page.gone(uuid, dn);
      return;
    }
    const other = findEntry(this.#reader, dn);
    if (other === undefined || other.uuid === uuid) return;
    if (this.#leaving.size >= LEAVING_MAX) {
      page.gone(uuid, dn);
      return;
    }
    const name = normalizeDn(dn);
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
      if (kind === 'modify' && this.#wasShown(step)) page.gone(uuid, dn);
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
    else page.gone(uuid, name);
    this.#leaving.delete(name);
  }

  #shown(entry: Entry): Entry | undefined {
    if (!this.#isInScope(parseDn(entry.dn))) return undefined;
    const bare = this.#sight.bare(entry);
    return this.#matches(bare, this.#context) === true ? this.#sight.shown(bare) : undefined;
  }

  /** Before this change; where all is seen, also what the filter leaves out: to tell of it does no harm. */
  #wasShown({ kind, uuid, dn, revision }: LogStep): boolean {
    if (kind === 'add' || !this.#isInScope(parseDn(dn))) return false;
    if (this.#sight.caller === undefined) return true;
    const past = entryAt(this.#reader, uuid, (revision - 1) as Revision);
    return past !== undefined && this.#sight.shown(past) !== undefined;
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

  gone(uuid: string, dn: string): void {
    this.steps.push({ kind: 'gone', uuid, dn });
  }
}
