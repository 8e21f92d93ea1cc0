// A channel for tests that makes mail: it takes every message and answers its sender, as an autoreply would.

import { SERVER } from '../../directory/caller.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import type { ChannelKind } from '../../routing/compile-channel.ts';
import type { TakenMessage } from '../../store/intake.ts';
import type { Outcome } from '../outcome.ts';
import type { Submission } from '../submit.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

export interface AnsweringParts {
  readonly name: ChannelKind;
  /** Takes in the bytes of a message that is made here. */
  readonly take: (from: Address | undefined, text: string) => Promise<TakenMessage>;
  /** What becomes of a recipient; delivered where nothing is said. */
  readonly outcome?: (recipient: Address) => Outcome;
}

export class AnsweringChannel implements Channel {
  readonly name: ChannelKind;
  readonly isLocal = false;
  readonly recipientsMax = 10;
  readonly #parts: AnsweringParts;
  readonly deliveries: Delivery[] = [];
  released = 0;

  constructor(parts: AnsweringParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  async deliver(delivery: Delivery): Promise<Delivered> {
    this.deliveries.push(delivery);
    const outcomes: Outcome[] = [];
    for (const { recipient } of delivery.targets) {
      const said = this.#parts.outcome?.(recipient) ?? DELIVERED;
      const { sender } = delivery.envelope;
      if (said.result === 'deferred' || sender === undefined) outcomes.push(said);
      else outcomes.push({ ...said, messages: [await this.#answer(sender, recipient, delivery.message.id)] });
    }
    return {
      outcomes,
      release: () => {
        this.released++;
      },
    };
  }

  async #answer(sender: Address, recipient: Address, message: number): Promise<Submission> {
    const text = `Subject: answer of ${formatAddress(recipient)} to ${message}\r\n\r\nI am away.\r\n`;
    return {
      envelope: { sender: undefined, recipients: [{ address: sender }], body: '7BIT' },
      message: await this.#parts.take(undefined, text),
      caller: SERVER,
      mayRelay: true,
      door: 'internal',
      refused: 'report',
    };
  }
}

const DELIVERED: Outcome = { result: 'delivered', status: '2.0.0', words: 'taken' };
