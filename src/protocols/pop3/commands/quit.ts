// QUIT, and the UPDATE state: what is marked is removed, the maildrop is let go, then the reply. RFC 1939 §4 §6
//
// Order   the reply comes after the removal is on disk; when that fails, what was not removed stays as it is
// Limits  STORE_SLICE_MESSAGES messages an operation

import { asFailure, Failure } from '../../../base/failure.ts';
import { STORE_SLICE_MESSAGES } from '../../../base/limits.ts';
import { expunge } from '../../../store/expunge.ts';
import type { Pop3Conversation } from '../conversation.ts';

export async function quit(session: Pop3Conversation): Promise<void> {
  try {
    if (session.isLoggedIn) await update(session);
    session.ok('Goodbye');
  } catch (error) {
    const { kind, detail } = asFailure(error);
    const options = detail === undefined ? {} : { detail };
    session.fail(new Failure(kind, 'Some deleted messages were not removed', options));
  }
  session.close();
}

async function update(session: Pop3Conversation): Promise<void> {
  const { maildrop, door } = session;
  try {
    for (const ranges of maildrop.markedSlices(STORE_SLICE_MESSAGES)) {
      const args = { ...maildrop.access, ranges, deletedOnly: false };
      for (let more = true; more; ) ({ more } = await door.writer.execute(expunge, args));
    }
  } finally {
    await session.unlock();
  }
}
