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
import { Intake, type Intakes, type Sign, type TakenMessage } from '../store/intake.ts';
import type { Signer } from './sign/signer.ts';

export interface MadeParts {
  readonly intakes: Intakes;
  readonly nextId: () => MessageId;
  readonly clock: Clock;
}

/** Of who makes mail that leaves this host. */
export interface SignedMadeParts extends MadeParts {
  readonly signer: Pick<Signer, 'signsTo' | 'withoutOwn'>;
}

export interface MadeMail {
  readonly bytes: Buffer | AsyncIterable<Buffer>;
  /** Undefined for the null reverse-path. */
  readonly sender: Address | undefined;
  /** Absent: the next one. */
  readonly id?: MessageId;
  /** Absent: it is not signed. */
  readonly sign?: Sign | undefined;
}

export async function takeMade(
  parts: MadeParts,
  { bytes, sender, id = parts.nextId(), sign }: MadeMail,
): Promise<TakenMessage> {
  const returnPath = returnPathField(formatSender(sender));
  const options = { mayBeSigned: sign !== undefined };
  const intake = new Intake(parts.intakes, id, () => ({ returnPath, fields: '' }), options);
  try {
    if (Buffer.isBuffer(bytes)) await intake.write(bytes);
    else for await (const piece of bytes) await intake.write(piece);
    return await intake.finish(parts.clock.now(), 'crlf', sign);
  } catch (error) {
    intake.abandon();
    throw error;
  }
}
