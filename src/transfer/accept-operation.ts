// The operation by which most messages are accepted, and its caller's half.

import { type Operation, operation, type Writer } from '../database/operation.ts';
import { type AcceptArguments, type Accepted, accept } from './accept.ts';
import type { PlaceParts } from './place.ts';
import {
  decodeAccept,
  decodeAccepted,
  encodeAccept,
  encodeAccepted,
  type PostedAccept,
  type PostedAccepted,
} from './posted-accept.ts';

type AcceptOperation = Operation<PostedAccept, PostedAccepted>;

export function acceptOperation(parts: PlaceParts): AcceptOperation {
  return operation('transfer.accept', async (tx, posted) =>
    encodeAccepted(await accept(tx, decodeAccept(posted), parts)),
  );
}

/** Gives the function that executes it; `bytes`: a rough size of the arguments. */
export function acceptBy(
  writer: Writer,
  posted: AcceptOperation,
): (args: AcceptArguments, bytes?: number) => Promise<Accepted> {
  return async (args, bytes) => decodeAccepted(await writer.execute(posted, encodeAccept(args), bytes));
}
