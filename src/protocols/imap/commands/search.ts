// SEARCH and UID SEARCH: what the numbering and the rows can say first, bytes only for what is still open.
//
// Limits  PAGE_MESSAGES rows a page, BATCH_MESSAGES whose bytes are read at once; others have their turn between
// RFC 3501 §6.4.4, RFC 5530 §3 BADCHARSET

import { flagsBetween, messagesBetween, PAGE_ROWS } from '../../../store/messages.ts';
import { parseSearch, type SearchCommand } from '../../../wire/imap/commands/search.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { no, ok } from '../reply.ts';
import { type SearchCandidate, SearchMatcher } from '../search-matcher.ts';

const PAGE_MESSAGES = Math.min(500, PAGE_ROWS);
const BATCH_MESSAGES = 8;
const NUMBERS_A_PIECE = 10_000;

export const search: CommandDefinition<SearchCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseSearch,
  async run({ key, byUid, unknownCharset }, session) {
    if (unknownCharset !== undefined) return no('Unknown character set', 'BADCHARSET (US-ASCII UTF-8)');
    const { mailbox, door } = session;
    const matcher = new SearchMatcher(key, mailbox, door.blobs);
    const found: number[] = [];
    for (const { from, to } of matcher.positions) {
      for (let at = from; at < to && !session.gone; at += PAGE_MESSAGES) {
        const page = candidates(session, matcher, at, Math.min(to, at + PAGE_MESSAGES));
        await matching(session, matcher, page, ({ number, uid }) => found.push(byUid ? uid : number));
      }
    }
    await writeFound(session, found);
    return ok('SEARCH completed');
  },
};

/** In pieces, since the numbers of a large mailbox are more than may wait for a peer. */
async function writeFound(session: ImapConversation, found: readonly number[]): Promise<void> {
  session.write('* SEARCH');
  for (let at = 0; at < found.length; at += NUMBERS_A_PIECE) {
    session.write(` ${found.slice(at, at + NUMBERS_A_PIECE).join(' ')}`);
    await session.breathe();
  }
  session.write('\r\n');
}

/** The messages at the positions [from, to), with as much of their rows as the keys ask for. */
function candidates(session: ImapConversation, { needs }: SearchMatcher, from: number, to: number): SearchCandidate[] {
  const { mailbox, door } = session;
  const { access, view } = mailbox;
  const range = [view.uidAt(from), view.uidAt(to - 1)] as const;
  if (needs === 'numbers')
    return Array.from({ length: to - from }, (_, i) => ({ number: from + i + 1, uid: view.uidAt(from + i) }));
  if (needs === 'flags')
    return flagsBetween(door.reader, access, range).map((flags) => ({
      number: view.numberOf(flags.uid)!,
      uid: flags.uid,
      flags,
    }));
  return messagesBetween(door.reader, access, range, to - from).map((row) => ({
    number: view.numberOf(row.uid)!,
    uid: row.uid,
    flags: row,
    row,
  }));
}

async function matching(
  session: ImapConversation,
  matcher: SearchMatcher,
  page: readonly SearchCandidate[],
  found: (candidate: SearchCandidate) => void,
): Promise<void> {
  let open: SearchCandidate[] = [];
  const verdicts = new Map<SearchCandidate, boolean | undefined>();
  const settle = async () => {
    const answers = await Promise.all(open.map((candidate) => matcher.matches(candidate, () => session.breathe())));
    open.forEach((candidate, index) => {
      verdicts.set(candidate, answers[index]);
    });
    open = [];
    await session.breathe();
  };
  for (const candidate of page) {
    const verdict = matcher.quickly(candidate);
    verdicts.set(candidate, verdict);
    if (verdict !== undefined) continue;
    open.push(candidate);
    if (open.length >= BATCH_MESSAGES) await settle();
    if (session.gone) return;
  }
  await settle();
  for (const [candidate, verdict] of verdicts) if (verdict === true) found(candidate);
}
