// A tree of search keys against one message after another, in three values: yes, no, and undecided without its bytes.
//
// In      the parsed keys, the session's numbering, rows, bytes of those messages for which the rest is not enough
// Out     whether a message matches
// Limits  every key is looked at once a message; text is read once a message whatever the number of keys
// RFC 3501 §6.4.4

import { DAY_MS, SECOND_MS } from '../../base/duration.ts';
import type { MessageId, Uid } from '../../base/ids.ts';
import { dayNumber, parseMailDate } from '../../message/date.ts';
import { decodeHeader } from '../../message/header-values.ts';
import { fold } from '../../message/unicode-casemap.ts';
import type { Blobs } from '../../store/blobs.ts';
import { MessageText } from '../../store/message-text.ts';
import type { MailboxMessage, MessageFlags, MessageSummary } from '../../store/messages.ts';
import type { IndexAnswers } from '../../store/search-index/search-index.ts';
import type { SearchKey } from '../../wire/imap/commands/search.ts';
import { emailObjectId } from '../../wire/imap/object-id.ts';
import type { NumberRange, NumberSet } from '../../wire/imap/values.ts';
import type { ImapDoor } from './door.ts';
import { flagBits } from './flag-set.ts';
import { type PositionRange, rangesHold } from './mailbox-view.ts';
import type { SelectedMailbox } from './selected.ts';

/** What must be read of each message before the keys can be looked at. */
export type SearchNeeds = 'numbers' | 'flags' | 'summary' | 'row';

/** What is not read yet leaves the keys that need it undecided. */
export interface SearchCandidate {
  readonly number: number;
  readonly uid: Uid;
  /** For the index. */
  readonly message?: MessageId;
  readonly flags?: MessageFlags;
  readonly summary?: MessageSummary;
  readonly row?: MailboxMessage;
}

/** The messages among which all that match are; undefined: any may. */
export function candidateSet(key: SearchKey): NumberSet | undefined {
  const sets = (key.key === 'and' ? key.of : [key]).filter((one) => one.key === 'numbers');
  return sets[0]?.numbers;
}

export class SearchMatcher {
  readonly needs: SearchNeeds;
  /** Where messages can match at all. */
  readonly positions: readonly PositionRange[];
  readonly #key: SearchKey;
  readonly #mailbox: SelectedMailbox;
  readonly #blobs: Blobs;
  /** Epoch seconds at which the search began. */
  readonly #now: number;
  readonly #ranges = new Map<NumberSet, readonly NumberRange[]>();
  /** Folded texts of all BODY and of all TEXT keys. */
  readonly #needles: { readonly body: Set<string>; readonly text: Set<string> } = { body: new Set(), text: new Set() };
  /** Folded texts of the keys that depend on bytes. */
  readonly #texts = new Map<SearchKey, string>();
  #index: IndexAnswers | undefined;

  constructor(key: SearchKey, mailbox: SelectedMailbox, { blobs, clock }: Pick<ImapDoor, 'blobs' | 'clock'>) {
    this.#key = key;
    this.#mailbox = mailbox;
    this.#blobs = blobs;
    this.#now = Math.floor(clock.now() / SECOND_MS);
    this.needs = this.#prepare(key);
    this.positions = this.#candidatePositions(key);
  }

  /** Resolves number sets and collects texts; gives what the key needs. */
  #prepare(key: SearchKey): SearchNeeds {
    switch (key.key) {
      case 'numbers':
        this.#ranges.set(key.numbers, this.#resolve(key.numbers));
        return 'numbers';
      case 'all':
        return 'numbers';
      case 'flag':
        return key.flag === '\\Recent' ? 'numbers' : 'flags';
      case 'keyword':
      case 'modseq':
        return 'flags';
      case 'body':
      case 'text':
        this.#texts.set(key, fold(key.text));
        this.#needles[key.key].add(this.#texts.get(key)!);
        return 'row';
      case 'header':
        this.#texts.set(key, fold(key.text));
        return 'row';
      case 'email-id':
        return 'row';
      case 'not':
        return this.#prepare(key.of);
      case 'or':
      case 'and':
        return key.of.map((one) => this.#prepare(one)).reduce(most, 'numbers');
      case 'within':
      case 'size':
      case 'internal-date':
      case 'sent-date':
      case 'saved-date':
        return 'summary';
      default:
        return key satisfies never;
    }
  }

  #resolve(numbers: NumberSet): readonly NumberRange[] {
    if (numbers.unit !== 'sequence') return this.#mailbox.uidsOf(numbers);
    return this.#mailbox.existing(numbers).map(({ from, to }) => ({ first: from + 1, last: to }));
  }

  /** A set that must hold the message spares the walk through the others. */
  #candidatePositions(key: SearchKey): readonly PositionRange[] {
    const set = candidateSet(key);
    if (set !== undefined) return this.#mailbox.existing(set);
    return this.#mailbox.count === 0 ? [] : [{ from: 0, to: this.#mailbox.count }];
  }

  /** What bytes are searched for. */
  get texts(): ReadonlySet<string> {
    return new Set(this.#texts.values());
  }

  /** Answers for all candidates that have a `message`, which are looked up a page at a time. */
  useIndex(answers: IndexAnswers): void {
    this.#index = answers;
  }

  /** Undefined when it depends on the message's bytes, or on what was not read of its row. */
  quickly(candidate: SearchCandidate): boolean | undefined {
    return this.#quickly(this.#key, candidate);
  }

  #quickly(key: SearchKey, candidate: SearchCandidate): boolean | undefined {
    switch (key.key) {
      case 'all':
        return true;
      case 'numbers':
        return rangesHold(
          this.#ranges.get(key.numbers)!,
          key.numbers.unit === 'sequence' ? candidate.number : candidate.uid,
        );
      case 'flag': {
        if (key.flag === '\\Recent') return this.#mailbox.isRecent(candidate.uid) === key.isSet;
        if (candidate.flags === undefined) return undefined;
        return ((candidate.flags.flags & flagBits[key.flag]) !== 0) === key.isSet;
      }
      case 'keyword': {
        if (candidate.flags === undefined) return undefined;
        const wanted = key.keyword.toLowerCase();
        return candidate.flags.keywords.some((keyword) => keyword.toLowerCase() === wanted) === key.isSet;
      }
      case 'modseq':
        return candidate.flags && candidate.flags.modseq >= key.from;
      case 'size': {
        if (candidate.summary === undefined) return undefined;
        const { size } = candidate.summary;
        return key.relation === 'larger' ? size > key.sizeBytes : size < key.sizeBytes;
      }
      case 'within': {
        if (candidate.summary === undefined) return undefined;
        const second = Math.floor(candidate.summary.internalDate / SECOND_MS);
        const wanted = this.#now - key.seconds;
        return key.relation === 'older' ? second <= wanted : second >= wanted;
      }
      case 'internal-date':
        if (candidate.summary === undefined) return undefined;
        return isInRelation(Math.floor(candidate.summary.internalDate / DAY_MS), key.relation, key.day);
      case 'saved-date':
        if (candidate.summary === undefined) return undefined;
        return isInRelation(Math.floor(candidate.summary.saved / DAY_MS), key.relation, key.day);
      case 'email-id':
        return candidate.row && emailObjectId(candidate.row.blob.hash) === key.id;
      case 'sent-date':
        if (candidate.summary === undefined) return undefined;
        return isInRelation(sentDay(candidate.summary), key.relation, key.day);
      case 'header':
      case 'body':
      case 'text':
        // Of a text the index can only say that it is nowhere.
        return candidate.message !== undefined && this.#index?.lacks(candidate.message, this.#texts.get(key)!, key.key)
          ? false
          : undefined;
      case 'not': {
        const verdict = this.#quickly(key.of, candidate);
        return verdict === undefined ? undefined : !verdict;
      }
      case 'or':
        return this.#combine(key.of, candidate, true);
      case 'and':
        return this.#combine(key.of, candidate, false);
      default:
        return key satisfies never;
    }
  }

  /** `decisive`: one such verdict decides; without it an open one leaves all open. */
  #combine(keys: readonly SearchKey[], candidate: SearchCandidate, decisive: boolean): boolean | undefined {
    let isOpen = false;
    for (const key of keys) {
      const verdict = this.#quickly(key, candidate);
      if (verdict === decisive) return decisive;
      if (verdict === undefined) isOpen = true;
    }
    return isOpen ? undefined : !decisive;
  }

  /** Reads of the message what is needed. `breathe` is called while a large one is read. */
  async matches(candidate: SearchCandidate, breathe: () => Promise<void> | undefined): Promise<boolean> {
    const text = new MessageText(candidate.row!, this.#blobs, this.#needles, breathe);
    return this.#matches(this.#key, candidate, text);
  }

  async #matches(key: SearchKey, candidate: SearchCandidate, text: MessageText): Promise<boolean> {
    const verdict = this.#quickly(key, candidate);
    if (verdict !== undefined) return verdict;
    switch (key.key) {
      case 'header':
        return text.hasHeader(key.field, key.text);
      case 'body':
        return text.bodyHas(this.#texts.get(key)!);
      case 'text':
        return text.messageHas(this.#texts.get(key)!);
      case 'not':
        return !(await this.#matches(key.of, candidate, text));
      case 'or':
        for (const one of key.of) if (await this.#matches(one, candidate, text)) return true;
        return false;
      case 'and':
        for (const one of key.of) if (!(await this.#matches(one, candidate, text))) return false;
        return true;
      default:
        throw new Error(`the key ${key.key} is never open`);
    }
  }
}

const order: readonly SearchNeeds[] = ['numbers', 'flags', 'summary', 'row'];

function most(a: SearchNeeds, b: SearchNeeds): SearchNeeds {
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

function isInRelation(day: number | undefined, relation: 'before' | 'on' | 'since', wanted: number): boolean {
  if (day === undefined) return false;
  if (relation === 'on') return day === wanted;
  return relation === 'before' ? day < wanted : day >= wanted;
}

/** The day of the Date field, in the zone it was written in. */
function sentDay(row: MessageSummary): number | undefined {
  const [date] = decodeHeader(row.header);
  const time = date === null ? undefined : parseMailDate(date);
  return time === undefined ? undefined : dayNumber(time);
}
