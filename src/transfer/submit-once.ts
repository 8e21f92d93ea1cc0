// A message that its sender may submit again without knowing whether it has come: accepted once under a name.
//
// In      a submission, perhaps with its name; the operation of accept-once.ts
// Out     what has become of it, now or when it first came under that name; or that the name was another message's
// What came before under the name is not kept a second time: the caller gives the new bytes up

import { idText } from '../base/ids.ts';
import type { Operation, Reader, Writer } from '../database/operation.ts';
import type { Recipient } from '../message/envelope.ts';
import type { Accepted } from './accept.ts';
import {
  knownAnswer,
  type Once,
  type OnceAccepted,
  type OnceAnswer,
  type OnceArguments,
  type OnceKnown,
} from './accept-once.ts';
import { type PrepareParts, prepareAccept, type Submission, type Submitted, sizeOf } from './submit.ts';

export interface SubmittedOnce extends Submitted {
  /** Its Message-ID, without brackets. */
  readonly messageId: string | undefined;
  /** It came before. */
  readonly isKnown: boolean;
}

export interface SubmitOnceParts extends PrepareParts {
  readonly writer: Writer;
  readonly accept: Operation<OnceArguments, OnceAccepted>;
}

/** Undefined: under this name another message was accepted. */
export async function submitOnce(
  parts: SubmitOnceParts,
  submission: Submission,
  once: Once,
): Promise<SubmittedOnce | undefined> {
  const args = await prepareAccept(parts, submission);
  const done = await parts.writer.execute(parts.accept, { accept: args, once }, sizeOf(args));
  const { recipients } = submission.envelope;
  if ('answer' in done) return asThen(done, recipients);
  const answer: OnceAnswer = { message: args.message.id, messageId: args.messageId, accepted: done.accepted };
  return { ...submitted(answer, recipients), isKnown: false };
}

/** What came under this name before; `different`: another message. */
export function submittedBefore(
  reader: Reader,
  once: Once,
  recipients: readonly Recipient[],
): SubmittedOnce | 'different' | undefined {
  const known = knownAnswer(reader, once);
  return known && (asThen(known, recipients) ?? 'different');
}

function asThen({ answer, isSame }: OnceKnown, recipients: readonly Recipient[]): SubmittedOnce | undefined {
  return isSame ? { ...submitted(answer, recipients), isKnown: true } : undefined;
}

function submitted({ message, messageId, accepted }: OnceAnswer, recipients: readonly Recipient[]) {
  const { kinds, results, delivered, queued }: Accepted = accepted;
  return {
    id: idText(message),
    messageId,
    results: results.map((kind, index) => ({ recipient: recipients[index]!, ...kinds[kind]! })),
    delivered,
    queued,
  };
}
