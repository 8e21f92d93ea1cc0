// What a client that knows a mailbox from an earlier session, or from an earlier moment, has missed: messages that went, and
// messages that have changed or come. The cost is that of the changes, whatever the size of the mailbox.
//
// In      the modseq that the client knows, and what it knows of UIDs
// Out     one VANISHED (EARLIER), and a FETCH response with flags for each changed or new message
// Limits  PAGE_ROWS rows at a time, others have their turn between
// Never   tells what lies above the session's own modseq: that is reported as in any other session
// RFC 7162 §3.2.5 §3.2.6 §3.2.10

import { idOf, type Uid } from '../../base/ids.ts';
import {
  type ChangedPlace,
  changedBetween,
  countAt,
  hasTracesSince,
  type ModseqSpan,
  newSince,
  vanishedBetween,
} from '../../store/changes.ts';
import { flagsBetween, type MessageFlags, PAGE_ROWS } from '../../store/messages.ts';
import type { KnownMailbox } from '../../wire/imap/commands/select.ts';
import { encodeVanishedEarlier } from '../../wire/imap/responses/vanished.ts';
import { mergeRanges, type NumberRange, rangesOf } from '../../wire/imap/values.ts';
import type { ImapConversation } from './conversation.ts';
import { type PositionRange, rangesHold } from './mailbox-view.ts';
import type { SelectedMailbox } from './selected.ts';

/** Pairs of numbers and UIDs that are compared: a client sends a dozen. */
const PAIRS_MAX = 10_000;

/** Behind SELECT with QRESYNC: the client's UIDVALIDITY is the mailbox's. */
export async function resynchronize(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  known: KnownMailbox,
): Promise<void> {
  const span = spanOf(mailbox, known.modseq);
  await writeVanished(session, mailbox, span, known.uids, () => firstDoubtful(mailbox, known.pairs));
  await writeChanged(session, mailbox, span);
}

/** A client that claims to know more than there is knows another history: it gets all. */
function spanOf({ modseq }: SelectedMailbox, since: number): ModseqSpan {
  return { since: since > modseq ? 0 : since, to: modseq };
}

/** VANISHED (EARLIER) for UID FETCH: what of these UIDs has gone since, and the client has been told. */
export async function writeVanishedSince(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  since: number,
  uids: readonly NumberRange[],
): Promise<void> {
  await writeVanished(session, mailbox, spanOf(mailbox, since), uids, () => 1);
}

async function writeVanished(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  span: ModseqSpan,
  known: readonly NumberRange[] | undefined,
  doubtfulFrom: () => number,
): Promise<void> {
  const wanted = known === undefined ? undefined : mergeRanges(known.map(rising));
  const ranges = hasTracesSince(session.door.reader, idOf(span.since))
    ? await tracesOf(session, mailbox, span, wanted)
    : await gapsOf(mailbox, wanted ?? [{ first: 1, last: mailbox.uidNext - 1 }], doubtfulFrom);
  for (const piece of encodeVanishedEarlier(ranges)) {
    session.write(piece);
    await session.breathe();
  }
}

function rising({ first, last }: NumberRange): NumberRange {
  return first <= last ? { first, last } : { first: last, last: first };
}

async function tracesOf(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  span: ModseqSpan,
  wanted: readonly NumberRange[] | undefined,
): Promise<NumberRange[]> {
  const uids: Uid[] = [];
  for (let after: ChangedPlace = { modseq: span.since, uid: Number.MAX_SAFE_INTEGER }; ; ) {
    const page = vanishedBetween(session.door.reader, mailbox.access, span, after, PAGE_ROWS);
    for (const { uid } of page)
      if ((wanted === undefined || rangesHold(wanted, uid)) && !mailbox.isStillNumbered(uid)) uids.push(uid);
    if (page.length < PAGE_ROWS || session.gone) break;
    after = page[page.length - 1]!;
    await session.breathe();
  }
  return rangesOf(Uint32Array.from(uids).sort());
}

/** Where traces are missing: all of the known UIDs that are not in the mailbox. */
async function gapsOf(
  mailbox: SelectedMailbox,
  wanted: readonly NumberRange[],
  doubtfulFrom: () => number,
): Promise<NumberRange[]> {
  await mailbox.load();
  const { view } = mailbox;
  const from = doubtfulFrom();
  const gaps: NumberRange[] = [];
  for (const { first, last } of wanted) {
    let next = Math.max(first, from);
    for (let position = view.positionFrom(next); position < view.count && next <= last; position++) {
      const uid = view.uidAt(position);
      if (uid > last) break;
      if (uid > next) gaps.push({ first: next, last: uid - 1 });
      next = uid + 1;
    }
    if (next <= last) gaps.push({ first: next, last });
  }
  return gaps;
}

/** As long as a number has the UID that it had, nothing before it has gone. */
function firstDoubtful({ view }: SelectedMailbox, pairs: KnownMailbox['pairs']): number {
  let from = 1;
  if (pairs === undefined) return from;
  const uids = eachOf(pairs.uids);
  for (const number of eachOf(pairs.numbers)) {
    const uid = uids.next();
    if (uid.done === true || number > view.count || view.uidAt(number - 1) !== uid.value) break;
    from = uid.value + 1;
  }
  return from;
}

function* eachOf(ranges: readonly NumberRange[]): Generator<number> {
  let left = PAIRS_MAX;
  for (const { first, last } of ranges)
    for (let number = first; number <= last && left > 0; number++, left--) yield number;
}

async function writeChanged(session: ImapConversation, mailbox: SelectedMailbox, span: ModseqSpan): Promise<void> {
  const { reader } = session.door;
  const { access, view } = mailbox;
  const newFrom = newSince(reader, access, span.since, idOf(mailbox.uidNext - 1));
  for (let after: ChangedPlace = { modseq: span.since, uid: Number.MAX_SAFE_INTEGER }; !session.gone; ) {
    const page = changedBetween(reader, access, span, after, newFrom, PAGE_ROWS);
    await writeFlags(
      session,
      mailbox,
      page.toSorted((a, b) => b.uid - a.uid),
      span,
    );
    if (page.length < PAGE_ROWS) break;
    after = page[page.length - 1]!;
  }
  // The new ones stand at the end: their numbers are the view's.
  await view.loadFromUid(newFrom, () => session.breathe());
  for (let at = view.positionFrom(newFrom); at < view.count && !session.gone; at += PAGE_ROWS) {
    const range = [view.uidAt(at), view.uidAt(Math.min(view.count, at + PAGE_ROWS) - 1)] as const;
    let text = '';
    for (const message of flagsBetween(reader, access, range))
      if (message.modseq <= span.to) text += mailbox.flagsResponse(message, true);
    session.write(text);
    await session.breathe();
  }
}

/** Flags of messages, falling. A number in the front of the view is counted, since to load it would cost its size. */
async function writeFlags(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  messages: readonly MessageFlags[],
  { to }: ModseqSpan,
): Promise<void> {
  const { access, view } = mailbox;
  const { position, uid: loadedFrom } = view.front;
  let [before, number] = [loadedFrom, position + 1];
  let text = '';
  for (const message of messages) {
    if (message.uid < loadedFrom) {
      number -= countAt(session.door.reader, access, to, message.uid, before);
      before = message.uid;
      text += mailbox.numberedFlags(number, message, true);
    } else text += mailbox.flagsResponse(message, true);
    const turn = session.breathe();
    if (turn === undefined) continue;
    session.write(text);
    text = '';
    await turn;
  }
  session.write(text);
}

/** Where the messages stand that have changed since a modseq, rising and not touching. */
export async function changedPositions(
  session: ImapConversation,
  mailbox: SelectedMailbox,
  since: number,
): Promise<PositionRange[]> {
  const { reader } = session.door;
  const { access, view } = mailbox;
  const newFrom = newSince(reader, access, since, idOf(mailbox.uidNext - 1));
  const span = { since, to: idOf(Number.MAX_SAFE_INTEGER) } as ModseqSpan;
  const uids: Uid[] = [];
  for (let after: ChangedPlace = { modseq: since, uid: Number.MAX_SAFE_INTEGER }; ; ) {
    const page = changedBetween(reader, access, span, after, newFrom, PAGE_ROWS);
    for (const { uid } of page) uids.push(uid);
    if (page.length < PAGE_ROWS || session.gone) break;
    after = page[page.length - 1]!;
    await session.breathe();
  }
  const rising = Uint32Array.from(uids).sort();
  await view.loadFromUid(rising[0] ?? newFrom, () => session.breathe());
  const positions: { from: number; to: number }[] = [];
  const add = (from: number, to: number) => {
    const last = positions[positions.length - 1];
    if (last !== undefined && last.to === from) last.to = to;
    else if (from < to) positions.push({ from, to });
  };
  for (const uid of rising) {
    const number = view.numberOf(idOf(uid));
    if (number !== undefined) add(number - 1, number);
  }
  add(view.positionFrom(newFrom), view.count);
  return positions;
}
