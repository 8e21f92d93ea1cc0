// A message that is accepted once under a name: what came before under the same name is answered as then.
//
// In      what acceptOperation takes; whose name it is, the name, perhaps a hash of what was asked
// Out     what has become of it; or what was answered before, and whether the same was asked then
// Order   looked up, accepted, and the name written, in one transaction: a crash leaves both or neither
// Never   keeps the name of a message that is refused for all: it may be sent again
// Limits  housekeeping forgets names by age (housekeeping.ts)

import { type Operation, operation, type Reader, type Row } from '../database/operation.ts';
import { type AcceptArguments, type Accepted, accept } from './accept.ts';
import type { PlaceParts } from './place.ts';

export interface Once {
  readonly kind: 'http' | 'submit-file';
  /** Whose names these are: a login's UUID, or `''`. */
  readonly owner: string;
  readonly key: string;
  /** Of all that was asked; null where the name says it. */
  readonly hash: Uint8Array | null;
  /** A name from before then is not known any more; absent: each is, until housekeeping forgets it. */
  readonly forgetBefore?: number;
}

export interface OnceArguments {
  readonly accept: AcceptArguments;
  readonly once: Once;
}

/** `answer`: what was written then; `isSame`: the same was asked. */
export type OnceAccepted = { readonly accepted: Accepted } | OnceKnown;

export interface OnceKnown {
  readonly answer: OnceAnswer;
  readonly isSame: boolean;
}

/** The message that it was, and what its recipients got. */
export interface OnceAnswer {
  readonly message: number;
  /** Its Message-ID, without brackets. */
  readonly messageId?: string | undefined;
  readonly accepted: Accepted;
}

export function acceptOnceOperation(parts: PlaceParts): Operation<OnceArguments, OnceAccepted> {
  return operation('transfer.acceptOnce', async (tx, { accept: args, once }) => {
    const known = knownIn(await tx.get(KNOWN, once.kind, once.owner, once.key), once);
    if (known !== undefined) return known;
    const accepted = await accept(tx, args, parts);
    if (accepted.delivered + accepted.queued > 0) {
      const answer: OnceAnswer = { message: args.message.id, messageId: args.messageId, accepted };
      await tx.run(
        'INSERT OR REPLACE INTO accepted_once (kind, owner, key, hash, at, answer) VALUES (?, ?, ?, ?, ?, ?)',
        ...[once.kind, once.owner, once.key, once.hash, args.at, JSON.stringify(answer)],
      );
    }
    return { accepted };
  });
}

const KNOWN = 'SELECT hash, at, answer FROM accepted_once WHERE kind = ? AND owner = ? AND key = ?';

/** What was answered under this name, for who would rather not prepare anything in vain. The transaction looks again. */
export function knownAnswer(reader: Reader, once: Once): OnceKnown | undefined {
  return knownIn(reader.get(KNOWN, once.kind, once.owner, once.key), once);
}

function knownIn(row: Row | undefined, { hash, forgetBefore = 0 }: Once): OnceKnown | undefined {
  if (row === undefined || Number(row['at']) < forgetBefore) return undefined;
  const isSame = hash === null || (row['hash'] instanceof Uint8Array && Buffer.compare(row['hash'], hash) === 0);
  return { answer: JSON.parse(String(row['answer'])) as OnceAnswer, isSame };
}

const SLICE = 2000;

/** Names older than `before`; gives whether there may be more. */
export const forgetOnce = operation('transfer.forgetOnce', async (tx, { before }: { readonly before: number }) => {
  const rows = await tx.all(
    'SELECT kind, owner, key FROM accepted_once WHERE at < ? ORDER BY at LIMIT +?',
    ...[before, SLICE],
  );
  for (const { kind, owner, key } of rows)
    await tx.run('DELETE FROM accepted_once WHERE kind = ? AND owner = ? AND key = ?', kind!, owner!, key!);
  return { more: rows.length === SLICE };
});
