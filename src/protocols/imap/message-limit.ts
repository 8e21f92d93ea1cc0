// How many messages a command may look at: of more the newest are taken, and the client is told down to where.
//
// COPY takes all or none. EXPUNGE and CLOSE have no limit
// RFC 9738 §3.1

import { COPY_MESSAGES_MAX } from '../../base/limits.ts';
import { encodeUntagged } from '../../wire/imap/responses/status.ts';
import type { ImapConversation } from './conversation.ts';
import { ImapFailure } from './errors.ts';
import { countPositions, type PositionRange, slicePositions } from './mailbox-view.ts';
import type { TaggedResponse } from './reply.ts';
import type { SelectedMailbox } from './selected.ts';

export interface Limited {
  readonly positions: readonly PositionRange[];
  /** Without brackets; undefined: they are all that were meant. */
  readonly code: string | undefined;
}

/** The last of these messages. `most`: a bound of the command's own. */
export function limitMessages(
  { door }: Pick<ImapConversation, 'door'>,
  { view }: Pick<SelectedMailbox, 'view'>,
  positions: readonly PositionRange[],
  most = Number.POSITIVE_INFINITY,
): Limited {
  const limit = Math.min(most, door.limits.imapMessagesMax ?? Number.POSITIVE_INFINITY);
  const count = countPositions(positions);
  if (count <= limit) return { positions, code: undefined };
  const last = slicePositions(positions, { from: count - limit, to: count });
  return { positions: last, code: `MESSAGELIMIT ${limit} ${view.uidAt(last[0]!.from)}` };
}

/** For COPY. Throws where there are more. */
export function checkMessageLimit(
  session: Pick<ImapConversation, 'door'>,
  mailbox: Pick<SelectedMailbox, 'view'>,
  positions: readonly PositionRange[],
): void {
  const { code } = limitMessages(session, mailbox, positions, COPY_MESSAGES_MAX);
  if (code !== undefined) throw new ImapFailure('too-many', 'So many messages cannot be copied at once', code);
}

/** For what cannot be done in parts. */
export function checkCountLimit({ door }: Pick<ImapConversation, 'door'>, count: number): void {
  const { imapMessagesMax: limit } = door.limits;
  if (limit !== undefined && count > limit)
    throw new ImapFailure('too-many', 'One command looks at fewer messages', `MESSAGELIMIT ${limit}`);
}

/** The reply of a command that has looked at a part: a code of its own stands in it, and the limit before it. */
export function limitedReply(
  session: Pick<ImapConversation, 'write'>,
  reply: TaggedResponse,
  code: string | undefined,
): TaggedResponse {
  if (code === undefined) return reply;
  if (reply.code === undefined) return { ...reply, text: `${reply.text} for the last messages`, code };
  session.write(encodeUntagged('NO', 'Done for the last messages', code));
  return reply;
}
