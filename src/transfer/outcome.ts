// The outcome of an attempt for one recipient. A channel returns outcomes; it never touches the queue.

import type { JsonObject } from '../base/json.ts';
import { visible } from '../message/trace.ts';
import type { Submission } from './submit.ts';

export interface Outcome {
  readonly result: 'delivered' | 'deferred' | 'failed';
  /** Enhanced status, `class.subject.detail`: its class is that of the result, but for 4.4.7, failed by waiting. RFC 3463 §2 */
  readonly status: string;
  /** The host's reply, or our reason in one sentence. See `outcome`. */
  readonly words: string;
  /** The host that said it; absent when it is our own decision. */
  readonly remote?: string;
  /** Of `delivered`: what a report of it says. Absent: `relayed`, and where an operation of this host did it, `delivered`. */
  readonly action?: 'delivered' | 'relayed' | 'expanded';
  /** The row ends without a report of success, whatever its sender has asked for. */
  readonly isUntold?: true;
  /** Its sender is told that it was relayed, asked for success or not: what BY has asked for. */
  readonly isTraced?: true;
  /** How its bytes went, where they went by a network: `TLSv1.3, verified`. For the journey. */
  readonly over?: string;
  /**
   * Mail that the channel makes, say an answer. It is accepted in the transaction that records this outcome, so that it
   * exists exactly once, whatever ends the process; not at all where `operation` gives another result, or the row is gone.
   */
  readonly messages?: readonly Submission[];
  /** Of a local channel: runs in the transaction that records this outcome, and gives the one that counts. */
  readonly operation?: { readonly name: string; readonly args: JsonObject };
}

const WORDS_MAX = 500;

/** The words become one bounded line of printable ASCII: they may be a stranger's. */
export function outcome(result: Outcome['result'], status: string, words: string, remote?: string): Outcome {
  const line = visible(
    words
      .slice(0, 2 * WORDS_MAX)
      .replace(/\s+/g, ' ')
      .trim(),
  );
  const said = { result, status, words: line.slice(0, WORDS_MAX) };
  return remote === undefined ? said : { ...said, remote };
}

/** The outcome of a bug, or of a row that cannot be read: the recipient is tried again, not refused. */
export const INTERNAL_ERROR = outcome('deferred', '4.3.0', 'Internal error, it is tried again');

/** As a journey shows it: `2.0.0 mx.remote.example said: 250 ok (TLSv1.3, verified)`. */
export function outcomeText({
  status,
  remote,
  words,
  over,
}: Pick<Outcome, 'status' | 'remote' | 'words' | 'over'>): string {
  const said = remote === undefined ? `${status} ${words}` : `${status} ${remote} said: ${words}`;
  return over === undefined ? said : `${said} (${over})`;
}
