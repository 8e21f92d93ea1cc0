// Mail that this program makes itself: its bytes become a message like any other's, before a transaction accepts it.
//
// In      the bytes, and the sender that its envelope will have
// Out     a message whose bytes are synced, with the Return-Path line that every stored message has; the caller settles its
//         `pending` once the transaction has been tried

import type { Clock } from '../base/clock.ts';
import type { MessageId } from '../base/ids.ts';
import type { Address } from '../message/address.ts';
import { formatSender } from '../message/envelope.ts';
import { returnPathField } from '../message/trace.ts';
import { Intake, type Intakes, type TakenMessage } from '../store/intake.ts';

export interface MadeParts {
  readonly intakes: Intakes;
  readonly nextId: () => MessageId;
  readonly clock: Clock;
}

export interface MadeMail {
  readonly bytes: Buffer | AsyncIterable<Buffer>;
  /** Undefined for the null reverse-path. */
  readonly sender: Address | undefined;
  /** Absent: the next one. */
  readonly id?: MessageId;
}

export async function takeMade(
  parts: MadeParts,
  { bytes, sender, id = parts.nextId() }: MadeMail,
): Promise<TakenMessage> {
  const returnPath = returnPathField(formatSender(sender));
  const intake = new Intake(parts.intakes, id, () => ({ returnPath, fields: '' }));
  try {
    if (Buffer.isBuffer(bytes)) await intake.write(bytes);
    else for await (const piece of bytes) await intake.write(piece);
    return await intake.finish(parts.clock.now());
  } catch (error) {
    intake.abandon();
    throw error;
  }
}
