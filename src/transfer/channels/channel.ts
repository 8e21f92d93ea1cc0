// A channel: one way for a message to leave the queue. One file a kind beside this one; server/ registers them, and nothing
// else compares a channel's name.
//
// In      a delivery: recipients of one message that go to one destination
// Out     an outcome for each of them
// Never   touches the queue, or any table outside the transaction that it is called in

import type { QueueRowId } from '../../base/ids.ts';
import type { JsonObject } from '../../base/json.ts';
import type { Awaitable, Transaction } from '../../database/operation.ts';
import type { Envelope } from '../../message/envelope.ts';
import type { ChannelKind } from '../../routing/compile-channel.ts';
import type { RouteRequest } from '../../routing/route-request.ts';
import type { Target } from '../../routing/targets.ts';
import type { MessageRow, StoredMessage } from '../../store/messages.ts';
import type { Outcome } from '../outcome.ts';

export interface Delivery {
  readonly message: StoredMessage;
  /** Its recipients are the targets', in order. */
  readonly envelope: Envelope;
  /** Of the first target: a channel that takes one at a time has that of each. */
  readonly request: RouteRequest;
  /** As the targets have it. */
  readonly destination: string;
  /** At least one, at most `recipientsMax`. */
  readonly targets: readonly Target[];
  /** Header fields that go before the message, CRLF lines; as a rule none. */
  readonly prefix: string;
  /** The rows of the targets, in order. */
  readonly rows: readonly RowInHand[];
}

/** What a channel may know of a row that it works on. */
export interface RowInHand {
  readonly id: QueueRowId;
  readonly createdAt: number;
  /** Before this one. */
  readonly attempts: number;
  readonly lease: number;
  /** What an attempt before has committed before it acted (intend.ts). */
  readonly intent: JsonObject | undefined;
}

export interface Delivered {
  /** One for each target, in order; where there are fewer, the last targets have not been tried. At least one. */
  readonly outcomes: readonly Outcome[];
  /** How the destination's host can be reached; `none`, as without it: nothing has been learned. See destination-concurrency.ts. */
  readonly feedback?: 'good' | 'bad' | 'none';
  /** Called once the outcomes are committed, or will not be. `isMoreDue`: whether rows of the same destination wait. */
  release?(isMoreDue: () => boolean): void;
}

export interface Channel {
  /** Its kind: there may be several channels of it, whose names and words the directory has. */
  readonly name: ChannelKind;
  /** It works on this host, in one transaction of the writer: its rows need no lease. */
  readonly isLocal: boolean;
  /** Recipients of one delivery. */
  readonly recipientsMax: number;
  /** Deliveries at once to this destination, where the channel itself knows; beside what its entry says. */
  concurrency?(destination: string): number | undefined;
  /**
   * What it throws is a bug, and the recipients are tried again. When `signal` aborts it ends what another host has not
   * been asked to take yet; outcomes of then are dropped where all of them are `deferred`.
   */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered>;
  /** Ends what it keeps between deliveries; none comes any more. */
  stop?(): void;
}

/** What `write` needs of a message. */
export type WrittenMessage = Pick<MessageRow, 'id' | 'received'> & { readonly sizeBytes: number };

/** What it takes needs no queue. */
export interface LocalChannel extends Channel {
  /** Each target that is `delivered` refers to the message from then on. False: it is gone. */
  readonly keeps: boolean;
  /**
   * The writer's half: puts one message where these targets say, in the transaction under way, and gives an outcome for
   * each. Called by place.ts alone, at the dot and from the queue. The references that it adds are counted by the caller.
   */
  write(tx: Transaction, message: WrittenMessage, targets: readonly Target[]): Awaitable<readonly Outcome[]>;
}
