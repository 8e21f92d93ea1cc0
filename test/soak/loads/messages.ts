// Messages of the loads, of all sizes, so that segments fill and are emptied; and what their answers mean for the ledger.

import { SmtpRefusal } from '../../../src/demo/clients/smtp-client.ts';
import { makeMessage } from '../../crash/message.ts';
import type { SentMessage } from '../ledger.ts';
import type { World } from '../world.ts';

/** One in fifty has a segment of its own; 110 KB at the mean. */
function someSize(random: () => number): number {
  const chance = random();
  if (chance < 0.02) return 1_300_000;
  if (chance < 0.22) return 100_000 + random() * 500_000;
  return chance < 0.5 ? 30_000 : 500 + random() * 4000;
}

export interface Outgoing {
  readonly sent: SentMessage;
  readonly message: Buffer;
}

/** `placesOf` its id; it is in the ledger before it goes out. */
export function compose({ ledger, random }: World, placesOf: (id: string) => readonly string[]): Outgoing {
  const id = ledger.nextId();
  const message = makeMessage(id, random, 'undisclosed', someSize(random));
  return { sent: ledger.open(id, placesOf(id), message), message };
}

/** Sends it once. A lost connection leaves it open, and is thrown, as each refusal is. */
export async function settled(sent: SentMessage, sending: Promise<unknown>): Promise<void> {
  try {
    await sending;
    sent.fate = 'acknowledged';
  } catch (error) {
    // A refused RCPT is of one recipient: the others may have got it.
    if (error instanceof SmtpRefusal && !error.message.startsWith('RCPT')) sent.fate = 'refused';
    throw error;
  }
}
