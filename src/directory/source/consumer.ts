// The consumer's side of content synchronization: what a search for changes says, as pages that can be written one by one.
//
// In      an open connection, a base, a cookie from the time before
// Out     pages in order: entries as they are, UUIDs that are gone, and a cookie where the content up to it is all here
// States  refresh (what has changed since the cookie; a phase names what is still there, or what is gone) -> persist
// Rules   in the refresh no cookie counts before its end, and what is gone comes at the end of its phase, so that its reader
//         sees how much that is before it goes. In persist each page has the cookie of its last change
// Limits  PAGE_MAX entries a page; a page ends sooner where nothing more has come. UUIDs of a refresh are kept until its end
// Errors  Failure 'unavailable'; 'conflict' where the server cannot go on from this cookie: begin without one
// RFC 4533 §3.3 §3.4

import { Failure } from '../../base/failure.ts';
import type { Filter } from '../../wire/ldap/filter.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import { resultCodes, resultName } from '../../wire/ldap/result-codes.ts';
import type { LdapConnection, SearchItem } from './connection.ts';
import { UuidSet } from './uuid-set.ts';

export interface SyncPage {
  readonly puts: readonly { readonly uuid: string; readonly entry: SearchEntry }[];
  /** UUIDs that are gone. */
  readonly removals: readonly string[];
  /** At the end of a phase that named what there is: what is here and not among these is gone. */
  readonly present: Pick<UuidSet, 'has'> | undefined;
  /** With this page written, the content is what it was there at the time of the cookie. */
  readonly cookie: Uint8Array | undefined;
  readonly stage: 'refresh' | 'persist';
  /** The refresh ends with this page. */
  readonly isRefreshed: boolean;
}

export interface SyncAsked {
  readonly base: string;
  readonly filter: Filter;
  readonly attributes: readonly string[];
  readonly cookie: Uint8Array | undefined;
}

const PAGE_MAX = 500;
/** Servers answer these where the cookie is none of theirs, or from a time that they do not reach: also one still to come. */
const CANNOT_GO_ON: readonly number[] = [resultCodes.unwillingToPerform, resultCodes.syncRefreshRequired];

export async function* followSync(connection: LdapConnection, asked: SyncAsked): AsyncGenerator<SyncPage, void> {
  const { base, filter, attributes, cookie } = asked;
  const search = connection.search(
    { baseObject: base, filter, attributes },
    { sync: { mode: 'refreshAndPersist', cookie, reloadHint: true } },
  );
  const items = search[Symbol.asyncIterator]();
  const state = new PageState(cookie === undefined);
  try {
    let next = items.next();
    for (;;) {
      const ready = await Promise.race([next, turn()]);
      if (ready === undefined && state.hasSome) yield state.take();
      const { done, value } = ready ?? (await next);
      if (done === true) break;
      if (state.note(value)) yield state.take();
      next = items.next();
    }
  } finally {
    await items.return?.(undefined);
  }
  const { result } = search.outcome;
  if (cookie !== undefined && CANNOT_GO_ON.includes(result.resultCode))
    throw new Failure('conflict', `the server cannot go on from what we have: ${resultName(result.resultCode)}`);
  const said = result.diagnosticMessage === '' ? '' : `: ${result.diagnosticMessage}`;
  throw new Failure('unavailable', `the synchronization has ended: ${resultName(result.resultCode)}${said}`);
}

/** The page that is being filled, and what the refresh has named so far. */
class PageState {
  #puts: { uuid: string; entry: SearchEntry }[] = [];
  #removals: string[] = [];
  #cookie: Uint8Array | undefined;
  #stage: SyncPage['stage'] = 'refresh';
  #seen = new UuidSet();
  #gone: string[] = [];
  #present: UuidSet | undefined;
  #isRefreshed = false;

  readonly #isWhole: boolean;

  constructor(isWhole: boolean) {
    this.#isWhole = isWhole;
  }

  get hasSome(): boolean {
    return this.#puts.length + this.#removals.length > 0 || (this.#stage === 'persist' && this.#cookie !== undefined);
  }

  /** True: the page must go. */
  note(item: SearchItem): boolean {
    if (item.kind === 'info') return this.#noteInfo(item.info);
    // Nobody has asked for them.
    if (item.kind === 'zone-marks') return false;
    const { sync } = item;
    if (sync === undefined) throw new Failure('unavailable', 'an entry without its state of synchronization');
    const { state, uuid, cookie } = sync;
    if (state === 'delete') this.#note(uuid);
    else if (this.#stage === 'refresh') this.#seen.add(uuid);
    if ((state === 'add' || state === 'modify') && item.kind === 'entry') this.#puts.push({ uuid, entry: item.entry });
    this.#noteCookie(cookie);
    return this.#isFull;
  }

  #noteInfo(info: Extract<SearchItem, { kind: 'info' }>['info']): boolean {
    this.#noteCookie(info.cookie);
    if (info.kind === 'syncIdSet') {
      for (const uuid of info.uuids) {
        if (info.refreshDeletes) this.#note(uuid);
        else this.#seen.add(uuid);
      }
      return this.#isFull;
    }
    if (info.kind === 'newCookie' || this.#stage === 'persist') return false;
    // From nothing all comes, and what has not come is not there, whatever the phase is called.
    if (info.kind === 'refreshPresent' || this.#isWhole) this.#present = this.#seen;
    this.#removals.push(...this.#gone);
    this.#gone = [];
    if (info.refreshDone) {
      this.#stage = 'persist';
      this.#isRefreshed = true;
      this.#cookie = info.cookie;
    }
    return this.#present !== undefined || this.#isRefreshed;
  }

  get #isFull(): boolean {
    return this.#puts.length + this.#removals.length >= PAGE_MAX;
  }

  #note(uuid: string): void {
    (this.#stage === 'refresh' ? this.#gone : this.#removals).push(uuid);
  }

  #noteCookie(cookie: Uint8Array | undefined): void {
    if (cookie !== undefined && this.#stage === 'persist') this.#cookie = cookie;
  }

  take(): SyncPage {
    const page: SyncPage = {
      puts: this.#puts,
      removals: this.#removals,
      present: this.#present,
      cookie: this.#cookie,
      stage: this.#isRefreshed ? 'refresh' : this.#stage,
      isRefreshed: this.#isRefreshed,
    };
    this.#puts = [];
    this.#removals = [];
    this.#cookie = undefined;
    if (this.#present !== undefined && this.#isRefreshed) this.#seen = new UuidSet();
    this.#present = undefined;
    this.#isRefreshed = false;
    return page;
  }
}

function turn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(() => resolve(undefined)));
}
