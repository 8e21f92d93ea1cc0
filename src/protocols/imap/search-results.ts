// What of a search's results is answered and saved, and no more than that is looked for.
//
// In      where results come from, in their order; RETURN's options
// Out     the ESEARCH response; the numbers that `$` means from then on
// Only as much is searched as is answered: MIN ends at the first match, MAX and PARTIAL from the end begin there
// RFC 4731 §3.1 §3.2, RFC 5182 §2.4, RFC 7162 §3.1.5, RFC 9394 §3.1 §3.2

import type { Modseq } from '../../base/ids.ts';
import { flagsBetween, PAGE_ROWS } from '../../store/messages.ts';
import { asksForModseq, type SearchKey } from '../../wire/imap/commands/search.ts';
import { partialPositions } from '../../wire/imap/partial-range.ts';
import { encodeSearchResult, type SearchResult } from '../../wire/imap/responses/esearch.ts';
import type { ReturnOptions } from '../../wire/imap/return-options.ts';
import { rangesOf } from '../../wire/imap/values.ts';
import type { ImapConversation } from './conversation.ts';
import type { SelectedMailbox } from './selected.ts';

const NUMBERS_A_PIECE = 10_000;

/** Sequence numbers in the order of the results. */
export interface Results {
  /** At most `limit` from the front, all of them without one. */
  first(limit?: number): Promise<number[]>;
  /** At most `limit` from the end, in the order of the results. */
  last(limit: number): Promise<number[]>;
}

/** What was looked for, as sequence numbers. */
export type Answer = Omit<SearchResult, 'tag' | 'byUid' | 'modseq' | 'mailbox'> & {
  readonly found: readonly number[];
  /** All of them, where all were looked for. */
  readonly every?: readonly number[];
  /** Nothing matches at all. */
  readonly isEmpty: boolean;
};

/** `found` is what `$` means if it is to be saved. */
export async function answerOf(results: Results, { options, partial }: ReturnOptions): Promise<Answer> {
  const namesNone = !options.has('MIN') && !options.has('MAX') && partial === undefined;
  const savesAll = options.has('ALL') || options.has('COUNT') || namesNone;
  if (savesAll || options.has('UPDATE')) {
    const all = await results.first();
    const part = partial === undefined ? undefined : partialPositions(partial, all.length);
    const min = options.has('MIN') ? all[0] : undefined;
    const max = options.has('MAX') ? all.at(-1) : undefined;
    const partResults = part === undefined ? [] : all.slice(part.from, part.to);
    return {
      min,
      max,
      count: options.has('COUNT') ? all.length : undefined,
      all: options.has('ALL') ? all : undefined,
      partial: part && { range: partial!, results: partResults },
      found: savesAll ? all : someOf(min, partResults, max),
      every: all,
      isEmpty: all.length === 0,
    };
  }
  const ends = partial === undefined ? [] : [partial.from, partial.to];
  const fromFront = Math.max(options.has('MIN') ? 1 : 0, ...ends);
  const fromEnd = Math.max(options.has('MAX') ? 1 : 0, ...ends.map((end) => -end));
  const front = fromFront > 0 ? await results.first(fromFront) : [];
  const end = fromEnd > 0 ? await results.last(fromEnd) : [];
  const side = ends[0]! > 0 ? front : end;
  const part = partial === undefined ? undefined : partialPositions(partial, side.length);
  const min = options.has('MIN') ? front[0] : undefined;
  const max = options.has('MAX') ? end.at(-1) : undefined;
  const partResults = part === undefined ? [] : side.slice(part.from, part.to);
  const isEmpty = front.length === 0 && end.length === 0;
  return {
    min,
    max,
    partial: part && { range: partial!, results: partResults },
    found: someOf(min, partResults, max),
    isEmpty,
  };
}

function someOf(min: number | undefined, part: readonly number[], max: number | undefined): number[] {
  return [...new Set([...(min === undefined ? [] : [min]), ...part, ...(max === undefined ? [] : [max])])];
}

/** The messages that `$` means from now on. */
export function saveResults(mailbox: Pick<SelectedMailbox, 'view' | 'saved'>, numbers: readonly number[]): void {
  const { view } = mailbox;
  const rising = Uint32Array.from(numbers).sort();
  const pairs: number[] = [];
  for (let at = 0; at < rising.length; at++) {
    const first = rising[at]!;
    while (at + 1 < rising.length && rising[at + 1] === rising[at]! + 1) at++;
    pairs.push(view.uidAt(first - 1), view.uidAt(rising[at]! - 1));
  }
  mailbox.saved = Uint32Array.from(pairs);
}

/** UIDs, or the numbers as they are. */
export function numbersFor({ view }: SelectedMailbox, numbers: readonly number[], byUid: boolean): readonly number[] {
  return byUid ? numbers.map((number) => view.uidAt(number - 1)) : numbers;
}

/** SEARCH and SORT as they were before RETURN; in pieces, since the numbers of a large mailbox are more than may wait for a peer. */
export async function writeNumbers(
  session: ImapConversation,
  name: 'SEARCH' | 'SORT',
  found: readonly number[],
  modseq?: Modseq,
): Promise<void> {
  session.write(`* ${name}`);
  for (let at = 0; at < found.length; at += NUMBERS_A_PIECE) {
    session.write(` ${found.slice(at, at + NUMBERS_A_PIECE).join(' ')}`);
    await session.breathe();
  }
  session.write(modseq === undefined ? '\r\n' : ` (MODSEQ ${modseq})\r\n`);
}

/** The highest mod-sequence of what was found, where the keys ask for some and something was. RFC 7162 §3.1.5 */
export async function foundModseq(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  key: SearchKey,
  found: readonly number[],
): Promise<Modseq | undefined> {
  if (!asksForModseq(key)) return undefined;
  session.enable('CONDSTORE');
  const { door } = session;
  const positions = rangesOf(Uint32Array.from(found).sort()).map(({ first, last }) => ({ from: first - 1, to: last }));
  let highest: Modseq | undefined;
  for (const slice of mailbox.view.uidSlices(positions, PAGE_ROWS)) {
    for (const range of slice)
      for (const { modseq } of flagsBetween(door.reader, mailbox.access, range))
        if (highest === undefined || modseq > highest) highest = modseq;
    await session.breathe();
  }
  return highest;
}

export async function writeAnswer(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  { min, max, count, all, partial }: Answer,
  { byUid, modseq, mailbox: named }: Pick<SearchResult, 'byUid' | 'modseq' | 'mailbox'>,
): Promise<void> {
  const one = (number: number | undefined) => number && numbersFor(mailbox, [number], byUid)[0];
  const result = {
    tag: session.tag,
    byUid,
    min: one(min),
    max: one(max),
    count,
    all: all && numbersFor(mailbox, all, byUid),
    partial: partial && { range: partial.range, results: numbersFor(mailbox, partial.results, byUid) },
    modseq,
    mailbox: named,
  };
  for (const piece of encodeSearchResult(result)) {
    session.write(piece);
    await session.breathe();
  }
}
