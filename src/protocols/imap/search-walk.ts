// Which messages of a mailbox match: what the numbering, the index and the rows can say first, bytes only for what is still open.
//
// In      keys, a mailbox that a session has open, how many results are wanted and from which end
// Out     sequence numbers
// Limits  PAGE_MESSAGES rows a page, BATCH_MESSAGES whose bytes are read at once; others have their turn between
// RFC 3501 §6.4.4, RFC 9394 §3.1, RFC 9738 §3.1

import type { Uid } from '../../base/ids.ts';
import {
  flagsBetween,
  messageIdsBetween,
  messagesAt,
  messagesBetween,
  PAGE_ROWS,
  summariesBetween,
} from '../../store/messages.ts';
import type { IndexAnswers } from '../../store/search-index/search-index.ts';
import type { SearchKey } from '../../wire/imap/commands/search.ts';
import type { ImapConversation } from './conversation.ts';
import { countPositions, type PositionRange, slicePositions } from './mailbox-view.ts';
import { checkCountLimit, limitMessages } from './message-limit.ts';
import { Progress } from './progress.ts';
import { candidateSet, type SearchCandidate, SearchMatcher } from './search-matcher.ts';
import type { SelectedMailbox } from './selected.ts';

const PAGE_MESSAGES = Math.min(500, PAGE_ROWS);
const BATCH_MESSAGES = 8;

export class SearchWalk {
  readonly #session: ImapConversation;
  readonly #mailbox: SelectedMailbox;
  readonly #matcher: SearchMatcher;
  /** Where is looked: of more messages than one command may look at the last. RFC 9738 §3.1 */
  readonly #positions: readonly PositionRange[];
  readonly #progress: Progress;
  /** Undefined: what can be said of bytes stands in the bytes. */
  #index: IndexAnswers | undefined;
  #isAsked = false;

  /** Loads of the numbering what the keys name; the rest as it is walked through. */
  static async open(session: ImapConversation, mailbox: SelectedMailbox, key: SearchKey): Promise<SearchWalk> {
    const set = candidateSet(key);
    if (set !== undefined) await mailbox.load(set);
    return new SearchWalk(session, mailbox, key);
  }

  private constructor(session: ImapConversation, mailbox: SelectedMailbox, key: SearchKey) {
    this.#session = session;
    this.#mailbox = mailbox;
    this.#matcher = new SearchMatcher(key, mailbox, session.door);
    const all = this.#matcher.positions;
    const count = countPositions(all);
    const most = session.door.limits.imapMessagesMax ?? count;
    this.#positions = count <= most ? all : slicePositions(all, { from: count - most, to: count });
    this.#progress = new Progress(session, Math.min(count, most));
  }

  /** What the reply says of a part, behind the search; undefined: all was looked at. */
  get limitCode(): string | undefined {
    return limitMessages(this.#session, this.#mailbox, this.#matcher.positions).code;
  }

  /** Throws where only a part would be looked at. */
  requireAll(): this {
    checkCountLimit(this.#session, countPositions(this.#matcher.positions));
    return this;
  }

  /** The index, for a search of bytes. */
  async #ask(): Promise<void> {
    const { texts } = this.#matcher;
    if (this.#isAsked || texts.size === 0 || this.#positions.length === 0) return;
    this.#isAsked = true;
    const { owner } = this.#mailbox.access;
    this.#index = await this.#session.door.searchIndex.ask(owner, texts, () => this.#session.breathe());
    if (this.#index !== undefined) this.#matcher.useIndex(this.#index);
  }

  /** The first ones that match, at most `limit`, rising. */
  async first(limit = Number.POSITIVE_INFINITY): Promise<number[]> {
    await this.#ask();
    const found: number[] = [];
    const positions = this.#positions;
    if (positions.length > 0) await this.#mailbox.loadFrom(positions[0]!.from);
    for (const { from, to } of positions) {
      for (let at = from; at < to && found.length < limit && !this.#session.gone; at += PAGE_MESSAGES)
        for (const number of await this.#page(at, Math.min(to, at + PAGE_MESSAGES))) found.push(number);
    }
    return found.length > limit ? found.slice(0, limit) : found;
  }

  /** The last ones that match, at most `limit`, rising: what is before them is not looked at. */
  async last(limit: number): Promise<number[]> {
    await this.#ask();
    const found: number[] = [];
    for (const { from, to } of this.#positions.toReversed()) {
      for (let end = to; end > from && found.length < limit && !this.#session.gone; end -= PAGE_MESSAGES) {
        const start = Math.max(from, end - PAGE_MESSAGES);
        await this.#mailbox.loadFrom(start);
        for (const number of (await this.#page(start, end)).reverse()) found.push(number);
      }
    }
    return found.slice(0, limit).reverse();
  }

  /** Those of the positions [from, to) that match. */
  async #page(from: number, to: number): Promise<number[]> {
    const page = this.#candidates(from, to);
    const verdicts = page.map((candidate) => this.#matcher.quickly(candidate));
    let open: number[] = [];
    const settle = async () => {
      const answers = await Promise.all(
        open.map((index) => this.#matcher.matches(page[index]!, () => this.#session.breathe())),
      );
      for (const [at, index] of open.entries()) verdicts[index] = answers[at];
      open = [];
      await this.#session.breathe();
    };
    for (let index = 0; index < page.length && !this.#session.gone; index++) {
      if (verdicts[index] !== undefined) continue;
      open.push(index);
      if (open.length >= BATCH_MESSAGES) await settle();
    }
    await settle();
    this.#progress.advance(to - from);
    return page.filter((_, index) => verdicts[index] === true).map(({ number }) => number);
  }

  /** The messages at the positions [from, to), with as much of their rows as the keys ask for. */
  #candidates(from: number, to: number): SearchCandidate[] {
    const { access, view } = this.#mailbox;
    const { reader } = this.#session.door;
    const range = [view.uidAt(from), view.uidAt(to - 1)] as const;
    switch (this.#matcher.needs) {
      case 'numbers':
        return Array.from({ length: to - from }, (_, i) => ({ number: from + i + 1, uid: view.uidAt(from + i) }));
      case 'flags':
        return flagsBetween(reader, access, range).map((flags) => ({ ...this.#named(flags), flags }));
      case 'summary':
        return summariesBetween(reader, access, range, to - from).map((summary) => ({
          ...this.#named(summary),
          flags: summary,
          summary,
        }));
      case 'row':
        if (this.#index !== undefined) return this.#indexed(this.#index, from, to);
        return messagesBetween(reader, access, range, to - from).map((row) => ({
          ...this.#named(row),
          flags: row,
          summary: row,
          row,
        }));
      default:
        return this.#matcher.needs satisfies never;
    }
  }

  /** Rows of those alone that the index leaves open. */
  #indexed(index: IndexAnswers, from: number, to: number): SearchCandidate[] {
    const { access, view } = this.#mailbox;
    const { reader } = this.#session.door;
    const places = messageIdsBetween(reader, access, [view.uidAt(from), view.uidAt(to - 1)], to - from);
    index.look(places.map(({ message }) => message));
    const candidates: SearchCandidate[] = [];
    const open: Uid[] = [];
    for (const { uid, message } of places) {
      const candidate = { ...this.#named({ uid }), message };
      const verdict = this.#matcher.quickly(candidate);
      if (verdict === undefined) open.push(uid);
      else if (verdict) candidates.push(candidate);
    }
    if (open.length === 0) return candidates;
    for (const row of messagesAt(reader, access, open))
      candidates.push({ ...this.#named(row), message: row.id, flags: row, summary: row, row });
    return candidates.sort((a, b) => a.number - b.number);
  }

  #named({ uid }: Pick<SearchCandidate, 'uid'>): Pick<SearchCandidate, 'number' | 'uid'> {
    return { number: this.#mailbox.view.numberOf(uid)!, uid };
  }
}
