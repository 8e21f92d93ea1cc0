// SEARCH and UID SEARCH: the answer as the client wants it, and what `$` means afterwards.
//
// RFC 3501 §6.4.4, RFC 4731, RFC 5182 §2.1, RFC 9051 §6.4.4, RFC 5530 §3 BADCHARSET

import { Failure } from '../../../base/failure.ts';
import { parseSearch, type SearchCommand } from '../../../wire/imap/commands/search.ts';
import type { ReturnOptions } from '../../../wire/imap/return-options.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';
import { candidateSet } from '../search-matcher.ts';
import { answerOf, numbersFor, saveResults, writeAnswer } from '../search-results.ts';
import { SearchWalk } from '../search-walk.ts';

const NUMBERS_A_PIECE = 10_000;
/** IMAP4rev2 knows no other response. RFC 9051 §6.4.4 */
const REV2: ReturnOptions = { options: new Set(['ALL']), partial: undefined };

export const search: CommandDefinition<SearchCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseSearch,
  async run(command, session) {
    const saves = command.returns?.options.has('SAVE') ?? false;
    try {
      await run(command, session);
    } catch (error) {
      if (saves && error instanceof Failure) saveResults(session.mailbox, []);
      throw error;
    }
    return ok('SEARCH completed');
  },
};

async function run({ key, byUid, returns, unknownCharset }: SearchCommand, session: ImapConversation): Promise<void> {
  checkCharset(unknownCharset);
  const { mailbox } = session;
  await mailbox.load(candidateSet(key));
  const walk = new SearchWalk(session, mailbox, key);
  const isRev2 = (session.enabled as ReadonlySet<string>).has('IMAP4REV2');
  const options = returns ?? (isRev2 ? REV2 : undefined);
  if (options === undefined) return writeNumbers(session, 'SEARCH', numbersFor(mailbox, await walk.first(), byUid));
  const answer = await answerOf(walk, options);
  if (options.options.has('SAVE')) saveResults(mailbox, answer.found);
  if (options.options.size > 1 || options.partial !== undefined || !options.options.has('SAVE'))
    await writeAnswer(session, mailbox, answer, byUid);
}

function checkCharset(unknown: string | undefined): void {
  if (unknown !== undefined) throw new ImapFailure('invalid', 'Unknown character set', 'BADCHARSET (US-ASCII UTF-8)');
}

/** In pieces, since the numbers of a large mailbox are more than may wait for a peer. */
async function writeNumbers(session: ImapConversation, name: 'SEARCH', found: readonly number[]): Promise<void> {
  session.write(`* ${name}`);
  for (let at = 0; at < found.length; at += NUMBERS_A_PIECE) {
    session.write(` ${found.slice(at, at + NUMBERS_A_PIECE).join(' ')}`);
    await session.breathe();
  }
  session.write('\r\n');
}
