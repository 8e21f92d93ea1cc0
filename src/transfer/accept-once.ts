// A message that is accepted once under a name: what came before under the same name is answered as then.
//
// In      what acceptOperation takes; whose name it is, the name, perhaps a hash of what was asked
// Out     what has become of it; or what was answered before, and whether the same was asked then
// Order   looked up, accepted, and the name written, in one transaction: a crash leaves both or neither
// Never   keeps the name of a message that is refused for all: it may be sent again
// Limits  housekeeping forgets names by age (housekeeping.ts)

import { type Operation, operation, type Transaction } from '../database/operation.ts';
import { type AcceptArguments, type Accepted, accept } from './accept.ts';
import type { PlaceParts } from './place.ts';

export interface Once {
  readonly kind: 'http' | 'submit-file';
  /** Whose names these are: a login's UUID, or `''`. */
  readonly owner: string;
  readonly key: string;
  /** Of all that was asked; null where the name says it. */
  readonly hash: Uint8Array | null;
}

export interface OnceArguments {
  readonly accept: AcceptArguments;
  readonly once: Once;
}

/** `answer`: what was written then; `isSame`: the same was asked. */
export type OnceAccepted = { readonly accepted: Accepted } | { readonly answer: OnceAnswer; readonly isSame: boolean };

/** The message that it was, and what its recipients got. */
export interface OnceAnswer {
  readonly message: number;
  readonly accepted: Accepted;
}

export function acceptOnceOperation(parts: PlaceParts): Operation<OnceArguments, OnceAccepted> {
  return operation('transfer.acceptOnce', async (tx, { accept: args, once }) => {
    const known = await knownAnswer(tx, once);
    if (known !== undefined) return known;
    const accepted = await accept(tx, args, parts);
    if (accepted.delivered + accepted.queued > 0) {
      const answer: OnceAnswer = { message: args.message.id, accepted };
      await tx.run(
        'INSERT INTO accepted_once (kind, owner, key, hash, at, answer) VALUES (?, ?, ?, ?, ?, ?)',
        ...[once.kind, once.owner, once.key, once.hash, args.at, JSON.stringify(answer)],
      );
    }
    return { accepted };
  });
}

async function knownAnswer(tx: Transaction, once: Once): Promise<OnceAccepted | undefined> {
  const row = await tx.get(
    'SELECT hash, answer FROM accepted_once WHERE kind = ? AND owner = ? AND key = ?',
    ...[once.kind, once.owner, once.key],
  );
  if (row === undefined) return undefined;
  const { hash } = row;
  const isSame = once.hash === null || (hash instanceof Uint8Array && Buffer.compare(hash, once.hash) === 0);
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
