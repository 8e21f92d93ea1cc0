// The ESEARCH response: what a search has found, by its tag. RFC 4731 §3.1, RFC 4466 §2.6.2, RFC 5267 §4.3, RFC 7162 §3.1.10, RFC 9394 §4
//
// Out     text in pieces: the numbers of a large mailbox are more than may wait for a peer

import type { PartialRange } from '../partial-range.ts';
import { encodeMailbox } from './mailbox.ts';
import { encodeString } from './strings.ts';

export interface SearchResult {
  readonly tag: string;
  /** Whether the numbers are UIDs. */
  readonly byUid: boolean;
  /** Of which mailbox, where several are searched; the name as the client has it spelled. RFC 7377 §2.1 */
  readonly mailbox?: { readonly name: string; readonly uidValidity: number } | undefined;
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly count?: number | undefined;
  /** In their order; only those that rise by one become a range. */
  readonly all?: readonly number[] | undefined;
  /** The highest of what was found, where mod-sequences were asked for. */
  readonly modseq?: number | undefined;
  readonly partial?: { readonly range: PartialRange; readonly results: readonly number[] } | undefined;
}

const RANGES_A_PIECE = 5000;

export function* encodeSearchResult({
  tag,
  byUid,
  mailbox,
  min,
  max,
  count,
  all,
  partial,
  modseq,
}: SearchResult): Generator<string> {
  const of = mailbox === undefined ? '' : ` MAILBOX ${encodeMailbox(mailbox.name)} UIDVALIDITY ${mailbox.uidValidity}`;
  yield `* ESEARCH (TAG ${encodeString(tag)}${of})${byUid ? ' UID' : ''}`;
  if (min !== undefined) yield ` MIN ${min}`;
  if (max !== undefined) yield ` MAX ${max}`;
  if (count !== undefined) yield ` COUNT ${count}`;
  if (all !== undefined && all.length > 0) {
    yield ' ALL ';
    yield* encodeSetPieces(all);
  }
  if (partial !== undefined) {
    yield ` PARTIAL (${partial.range.from}:${partial.range.to} `;
    if (partial.results.length === 0) yield 'NIL';
    else yield* encodeSetPieces(partial.results);
    yield ')';
  }
  if (modseq !== undefined) yield ` MODSEQ ${modseq}`;
  yield '\r\n';
}

/** A set in the order of the numbers. */
function* encodeSetPieces(numbers: readonly number[]): Generator<string> {
  let piece = '';
  let ranges = 0;
  for (let at = 0; at < numbers.length; ) {
    const first = numbers[at]!;
    let last = first;
    while (++at < numbers.length && numbers[at] === last + 1) last++;
    piece += `${piece === '' && ranges === 0 ? '' : ','}${first === last ? first : `${first}:${last}`}`;
    if (++ranges % RANGES_A_PIECE !== 0) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** What has to be put into a client's list, or taken out, and at which place of it; 0: wherever it belongs. RFC 5267 §4.3 */
export interface ListChange {
  readonly position: number;
  readonly numbers: readonly number[];
}

export interface SearchUpdate {
  readonly tag: string;
  readonly byUid: boolean;
  readonly removed: readonly ListChange[];
  readonly added: readonly ListChange[];
}

export function* encodeSearchUpdate({ tag, byUid, removed, added }: SearchUpdate): Generator<string> {
  yield `* ESEARCH (TAG ${encodeString(tag)})${byUid ? ' UID' : ''}`;
  yield* encodeListChanges('REMOVEFROM', removed);
  yield* encodeListChanges('ADDTO', added);
  yield '\r\n';
}

function* encodeListChanges(name: string, changes: readonly ListChange[]): Generator<string> {
  if (changes.length === 0) return;
  let before = ` ${name} (`;
  for (const { position, numbers } of changes) {
    yield `${before}${position} `;
    yield* encodeSetPieces(numbers);
    before = ' ';
  }
  yield ')';
}
