// SEARCH and UID SEARCH: the answer as the client wants it, and what `$` means afterwards.
//
// RFC 3501 §6.4.4, RFC 4731, RFC 5182 §2.1, RFC 9051 §6.4.4, RFC 9738 §3.1, RFC 5530 §3 BADCHARSET

import { Failure } from '../../../base/failure.ts';
import {
  namesNumbers,
  parseSearch,
  type SearchCommand,
  type SearchCriteria,
} from '../../../wire/imap/commands/search.ts';
import type { ReturnOptions } from '../../../wire/imap/return-options.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { limitedReply } from '../message-limit.ts';
import { ok } from '../reply.ts';
import { type SearchContext, SearchContexts } from '../search-contexts.ts';
import {
  type Answer,
  answerOf,
  foundModseq,
  numbersFor,
  type Results,
  saveResults,
  writeAnswer,
  writeNumbers,
} from '../search-results.ts';
import { SearchWalk } from '../search-walk.ts';

/** IMAP4rev2 knows no other response. RFC 9051 §6.4.4 */
const REV2: ReturnOptions = { options: new Set(['ALL']), partial: undefined };

export const search: CommandDefinition<SearchCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseSearch,
  async run(command, session) {
    let limitCode: string | undefined;
    await saving(command, session, async () => {
      checkCriteria(command, session);
      const { byUid } = command;
      const walk = await SearchWalk.open(session, session.mailbox, command.key);
      const isRev2 = session.enabled.has('IMAP4REV2');
      const returns = command.returns ?? (isRev2 ? REV2 : undefined);
      limitCode = walk.limitCode;
      if (returns !== undefined) return writeAndSave(session, walk, returns, command);
      const found = await walk.first();
      const modseq = await foundModseq(session, session.mailbox, command.key, found);
      await writeNumbers(session, 'SEARCH', numbersFor(session.mailbox, found, byUid), modseq);
    });
    return limitedReply(session, ok('SEARCH completed'), limitCode);
  },
};

/** Sequence numbers among the keys are none for a client that has none. RFC 9586 §3.1 */
export function checkCriteria({ unknownCharset, key }: SearchCriteria, { enabled }: ImapConversation): void {
  if (unknownCharset !== undefined)
    throw new ImapFailure('invalid', 'Unknown character set', 'BADCHARSET (US-ASCII UTF-8)');
  if (enabled.has('UIDONLY') && namesNumbers(key))
    throw new ImapFailure('syntax', 'UIDONLY is enabled: a set stands behind UID', 'UIDREQUIRED');
}

/** Runs a search; one that is to save its results and fails saves that there are none. RFC 5182 §2.1 */
export async function saving(
  { returns }: { readonly returns: ReturnOptions | undefined },
  session: ImapConversation,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (returns?.options.has('SAVE') === true && error instanceof Failure) saveResults(session.mailbox, []);
    throw error;
  }
}

/** SAVE alone answers nothing. `criteria`: of results in another order than the mailbox's. */
export async function writeAndSave(
  session: ImapConversation,
  results: Results,
  returns: ReturnOptions,
  search: Omit<SearchContext, 'criteria'> & Partial<SearchContext>,
): Promise<void> {
  const { mailbox } = session;
  const { byUid, key } = search;
  const { options, partial } = returns;
  const keep = options.has('UPDATE')
    ? keeping(session, { criteria: undefined, ...search, fetched: returns.fetched })
    : undefined;
  const answer = await answerOf(results, returns);
  if (options.has('SAVE')) saveResults(mailbox, answer.found);
  if (options.size > 1 || partial !== undefined || !options.has('SAVE'))
    await writeAnswer(session, mailbox, answer, {
      byUid,
      modseq: await foundModseq(session, mailbox, key, answer.found),
    });
  keep?.(answer);
}

/** What the keys mean is settled before the search; its results are kept afterwards. RFC 5267 §4.3 */
export function keeping(session: ImapConversation, search: SearchContext): (answer: Answer) => void {
  const contexts = SearchContexts.of(session);
  contexts.checkTag();
  const { byUid, criteria, fetched } = search;
  const key = contexts.fixed(search.key);
  return ({ every = [] }) => contexts.keep({ key, byUid, criteria, fetched }, every);
}
