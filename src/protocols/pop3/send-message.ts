// RETR and TOP: a message on its way out, in chunks, no faster than the peer takes it.
//
// Errors  expunged meanwhile -> `not-found`; unreadable -> `unavailable`, or, once it was announced, the connection is cut
// Limits  CHUNK_BYTES of the message are read ahead
// RFC 1939 §5 RETR, §7 TOP

import { Failure } from '../../base/failure.ts';
import { INBOX } from '../../store/accounts.ts';
import { findMessage } from '../../store/messages.ts';
import type { Blob } from '../../store/segment.ts';
import { MessageEncoder, TopCutter } from '../../wire/pop3/multi-line.ts';
import { noSuchMessage } from './maildrop.ts';
import type { Pop3Session } from './session.ts';

const CHUNK_BYTES = 64 * 1024;

/** All of it, or its header and so many lines of its body. */
export async function sendMessage(session: Pop3Session, number: number, bodyLines?: number): Promise<void> {
  const { uid, size } = session.maildrop.get(number);
  const blob = findBlob(session, uid) ?? noSuchMessage();
  // The first piece before anything is said, so that most of what can go wrong is an answer.
  const first = await readFirst(session, uid, blob);
  session.ok(bodyLines === undefined ? `${size} octets` : 'The beginning of the message');
  try {
    await stream(session, blob, first, bodyLines === undefined ? undefined : new TopCutter(bodyLines));
  } catch (error) {
    session.abort(error);
  }
}

function findBlob(session: Pop3Session, uid: number): Blob | undefined {
  return findMessage(session.door.reader, session.maildrop.account, INBOX, uid)?.blob;
}

async function readFirst(session: Pop3Session, uid: number, blob: Blob): Promise<Buffer> {
  try {
    return await session.door.blobs.read(blob, 0, Math.min(CHUNK_BYTES, blob.length));
  } catch (error) {
    // A file that is gone: the message was expunged since we looked, or there is something wrong.
    if (!(error instanceof Failure) || error.kind !== 'not-found') throw error;
    if (findBlob(session, uid) === undefined) noSuchMessage();
    throw new Failure('unavailable', error.message, { detail: error.detail ?? '', cause: error });
  }
}

async function stream(session: Pop3Session, blob: Blob, first: Buffer, cutter: TopCutter | undefined): Promise<void> {
  const encoder = new MessageEncoder();
  for (let chunk = first, sent = 0; ; ) {
    sent += chunk.length;
    session.writeBytes(encoder.push(cutter === undefined ? chunk : cutter.push(chunk)));
    if (sent >= blob.length || cutter?.done) break;
    await session.breathe();
    if (session.gone) return;
    chunk = await session.door.blobs.read(blob, sent, Math.min(CHUNK_BYTES, blob.length - sent));
  }
  session.write(encoder.end());
}
