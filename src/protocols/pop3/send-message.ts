// RETR and TOP: a message on its way out, in chunks, no faster than the peer takes it.
//
// Errors  expunged meanwhile -> `not-found`; unreadable -> `unavailable`, or, once it was announced, the connection is cut
// Limits  a piece of the message is in memory; see read-ahead.ts
// RFC 1939 §5 RETR, §7 TOP

import { Failure } from '../../base/failure.ts';
import { PARSER } from '../../message/structure.ts';
import type { StoredBytes } from '../../store/messages.ts';
import { MessageEncoder, TopCutter } from '../../wire/pop3/multi-line.ts';
import type { Pop3Conversation } from './conversation.ts';
import { noSuchMessage } from './maildrop.ts';
import { PIECE_BYTES } from './read-ahead.ts';

/** All of it, or its header and so many lines of its body. */
export async function sendMessage(session: Pop3Conversation, number: number, bodyLines?: number): Promise<void> {
  const message = session.maildrop.get(number);
  const { row, first } = session.readAhead.begin(message) ?? noSuchMessage();
  // The first piece before anything is said, so that most of what can go wrong is an answer.
  const piece = await first.catch(notRead);
  session.ok(bodyLines === undefined ? `${message.size} octets` : 'The beginning of the message');
  try {
    await stream(session, row, piece, bodyLines === undefined ? undefined : new TopCutter(bodyLines));
  } catch (error) {
    session.abort(error);
  }
}

/** A file that is gone: the message was expunged since we looked. */
function notRead(error: unknown): never {
  if (error instanceof Failure && error.kind === 'not-found') noSuchMessage();
  throw error;
}

async function stream(
  session: Pop3Conversation,
  { blob, bareLineFeeds, parser }: StoredBytes,
  first: Buffer,
  cutter: TopCutter | undefined,
): Promise<void> {
  // What an older parser has read has not been counted yet.
  const encoder = new MessageEncoder(bareLineFeeds === 0 && parser >= PARSER ? 'crlf' : 'any');
  for (let chunk = first, sent = 0; ; ) {
    sent += chunk.length;
    session.writeBytes(encoder.push(cutter === undefined ? chunk : cutter.push(chunk)));
    if (sent >= blob.length || cutter?.done) break;
    await session.breathe();
    if (session.gone) return;
    chunk = await session.door.blobs.read(blob, sent, Math.min(PIECE_BYTES, blob.length - sent));
  }
  session.write(encoder.end());
}
