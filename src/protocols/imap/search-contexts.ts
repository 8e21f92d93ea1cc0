// Searches whose results the client keeps: it is told what comes into them and what goes, with the changes that are the cause.
//
// In      a search with its results; messages that have come, changed or gone
// Out     ESEARCH responses with REMOVEFROM and ADDTO, behind EXISTS and FETCH and before EXPUNGE
// States  kept -> cancelled, or gone with the selected mailbox
// Sets    sequence numbers and `$` in keys mean the messages that they meant at the beginning
// Limits  CONTEXTS_MAX a session, RESULTS_MAX UIDs of all together: beyond them NOUPDATE. Of a sorted list a place is found by
//         halves, each of which reads a row
// Never   looks at messages that have not changed: OLDER and YOUNGER are not told by the passing of time (RFC 5032 §3)
// RFC 5267 §4.3

import { Failure } from '../../base/failure.ts';
import { idOf, type Uid } from '../../base/ids.ts';
import { summariesBetween } from '../../store/messages.ts';
import type { FetchItems } from '../../wire/imap/commands/fetch.ts';
import type { SearchKey } from '../../wire/imap/commands/search.ts';
import type { SortCriterion } from '../../wire/imap/commands/sort.ts';
import { encodeSearchUpdate, type ListChange } from '../../wire/imap/responses/esearch.ts';
import { encodeUntagged } from '../../wire/imap/responses/status.ts';
import { encodeString } from '../../wire/imap/responses/strings.ts';
import { rangesOf } from '../../wire/imap/values.ts';
import type { ArrivedResults, ImapConversation, SelectionUpdates } from './conversation.ts';
import { SearchWalk } from './search-walk.ts';
import type { SelectedMailbox } from './selected.ts';
import { inOrderOf, type SortedMessage, sortedMessage } from './sort-order.ts';

const CONTEXTS_MAX = 8;
const RESULTS_MAX = 1_000_000;

export interface SearchContext {
  readonly key: SearchKey;
  readonly byUid: boolean;
  /** Undefined: in the order of the mailbox. */
  readonly criteria: readonly SortCriterion[] | undefined;
  /** Of each new message among the results. */
  readonly fetched?: FetchItems | undefined;
}

interface Kept extends SearchContext {
  /** In the order of the results. */
  uids: Uid[];
}

export class SearchContexts implements SelectionUpdates {
  readonly #session: ImapConversation;
  readonly #mailbox: SelectedMailbox;
  /** By the tag of the command. */
  readonly #contexts = new Map<string, Kept>();
  #arrivals: ArrivedResults[] = [];

  private constructor(session: ImapConversation) {
    this.#session = session;
    this.#mailbox = session.mailbox;
  }

  /** Those of the selected mailbox. */
  static of(session: ImapConversation): SearchContexts {
    if (session.updates instanceof SearchContexts) return session.updates;
    const made = new SearchContexts(session);
    session.updates = made;
    return made;
  }

  /** A tag names one context. */
  checkTag(): void {
    if (this.#contexts.has(this.#session.tag)) throw new Failure('syntax', 'This tag is in use by another search');
  }

  /** Numbers in sets become the UIDs that they mean now. */
  fixed(key: SearchKey): SearchKey {
    switch (key.key) {
      case 'numbers': {
        if (key.numbers.unit === 'uid') return key;
        const { view } = this.#mailbox;
        const ranges = this.#mailbox
          .existing(key.numbers)
          .map(({ from, to }) => ({ first: view.uidAt(from), last: view.uidAt(to - 1) }));
        return { key: 'numbers', numbers: { unit: 'uid', ranges } };
      }
      case 'not':
        return { key: 'not', of: this.fixed(key.of) };
      case 'or':
        return { key: 'or', of: [this.fixed(key.of[0]), this.fixed(key.of[1])] };
      case 'and':
        return { key: 'and', of: key.of.map((one) => this.fixed(one)) };
      default:
        return key;
    }
  }

  /** The command that runs wants to be told; `numbers` are its results. The client hears of it when that cannot be. */
  keep(context: SearchContext, numbers: readonly number[]): void {
    const { tag } = this.#session;
    let held = numbers.length;
    for (const { uids } of this.#contexts.values()) held += uids.length;
    if (this.#contexts.size >= CONTEXTS_MAX || held > RESULTS_MAX) {
      this.#session.write(encodeUntagged('NO', 'Too many contexts', `NOUPDATE ${encodeString(tag)}`));
      return;
    }
    const { view } = this.#mailbox;
    this.#contexts.set(tag, { ...context, uids: numbers.map((number) => view.uidAt(number - 1)) });
    this.#mailbox.touched ??= new Set();
  }

  /** Whether there was one. */
  cancel(tag: string): boolean {
    const isThere = this.#contexts.delete(tag);
    if (this.#contexts.size === 0) this.#mailbox.touched = undefined;
    return isThere;
  }

  get wantsArrivals(): boolean {
    for (const { fetched } of this.#contexts.values()) if (fetched !== undefined) return true;
    return false;
  }

  takeArrivals(): readonly ArrivedResults[] {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    return arrivals;
  }

  async update(): Promise<void> {
    const { touched, vanished } = this.#mailbox;
    if (touched === undefined || (touched.size === 0 && vanished.size === 0)) return;
    const uids = [...touched].filter((uid) => !vanished.has(uid)).sort((a, b) => a - b);
    touched.clear();
    for (const [tag, context] of this.#contexts) {
      await this.#updateOne(tag, context, uids);
      if (this.#session.gone) return;
    }
  }

  async #updateOne(tag: string, context: Kept, touched: readonly Uid[]): Promise<void> {
    const { vanished } = this.#mailbox;
    const matching = new Set(await this.#matching(context.key, touched));
    const open = new Set(touched);
    const isGone = (uid: Uid): boolean => vanished.has(uid) || (open.has(uid) && !matching.has(uid));
    const known = new Set(context.uids.filter((uid) => matching.has(uid)));
    const removed = context.uids.flatMap((uid, at) => (isGone(uid) ? [{ uid, at }] : []));
    const added = [...matching].filter((uid) => !known.has(uid));
    if (removed.length === 0 && added.length === 0) return;
    if (context.fetched !== undefined) {
      const arrived = new Set(this.#mailbox.arrived);
      this.#arrivals.push({ uids: added.filter((uid) => arrived.has(uid)), fetched: context.fetched });
    }
    const update = {
      tag,
      byUid: context.byUid,
      removed: this.#removals(context, removed),
      added: await this.#additions(context, new Set(removed.map(({ uid }) => uid)), added),
    };
    for (const piece of encodeSearchUpdate(update)) {
      this.#session.write(piece);
      await this.#session.breathe();
    }
  }

  /** Of these messages. */
  async #matching(key: SearchKey, uids: readonly Uid[]): Promise<Uid[]> {
    if (uids.length === 0) return [];
    const those: SearchKey = { key: 'numbers', numbers: { unit: 'uid', ranges: rangesOf(uids) } };
    const walk = await SearchWalk.open(this.#session, this.#mailbox, { key: 'and', of: [those, key] });
    const numbers = await walk.first();
    return numbers.map((number) => this.#mailbox.view.uidAt(number - 1));
  }

  #named(context: SearchContext, uids: readonly Uid[]): readonly number[] {
    return context.byUid ? uids : uids.map((uid) => this.#mailbox.view.numberOf(uid)!);
  }

  /** From a sorted list each by its place, the last one first, so that no other place shifts. */
  #removals(context: Kept, removed: readonly { readonly uid: Uid; readonly at: number }[]): ListChange[] {
    if (removed.length === 0) return [];
    const uids = removed.map(({ uid }) => uid);
    if (context.criteria === undefined) return [{ position: 0, numbers: this.#named(context, uids) }];
    return removed.map(({ uid, at }) => ({ position: at + 1, numbers: this.#named(context, [uid]) })).reverse();
  }

  async #additions(context: Kept, removed: ReadonlySet<Uid>, added: readonly Uid[]): Promise<ListChange[]> {
    if (removed.size > 0) context.uids = context.uids.filter((uid) => !removed.has(uid));
    if (added.length === 0) return [];
    if (context.criteria === undefined) {
      context.uids = [...context.uids, ...added].sort((a, b) => a - b);
      return [{ position: 0, numbers: this.#named(context, added) }];
    }
    const changes: ListChange[] = [];
    for (const uid of added) {
      const value = this.#valueOf(uid, context.criteria);
      // Gone meanwhile: it was never in the list.
      if (value === undefined) continue;
      const at = this.#placeOf(context.uids, value, context.criteria);
      context.uids.splice(at, 0, uid);
      changes.push({ position: at + 1, numbers: this.#named(context, [uid]) });
      await this.#session.breathe();
    }
    return changes;
  }

  #valueOf(uid: Uid, criteria: readonly SortCriterion[]): SortedMessage | undefined {
    const { reader } = this.#session.door;
    const [row] = summariesBetween(reader, this.#mailbox.access, [uid, uid], 1);
    return row === undefined ? undefined : sortedMessage(uid, row, criteria);
  }

  /** Where a message belongs among sorted ones. One that is gone meanwhile says nothing: the next one is asked. */
  #placeOf(uids: readonly Uid[], value: SortedMessage, criteria: readonly SortCriterion[]): number {
    const compare = inOrderOf(criteria);
    let low = 0;
    let high = uids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      let at = middle;
      let other: SortedMessage | undefined;
      while (at < high && other === undefined) other = this.#valueOf(idOf(uids[at++]), criteria);
      if (other === undefined || compare(value, other) < 0) high = middle;
      else low = at;
    }
    return low;
  }
}
