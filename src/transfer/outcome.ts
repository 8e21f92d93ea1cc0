// What came of an attempt, recipient by recipient. A channel returns outcomes; it never touches the queue.

import { visible } from '../message/trace.ts';

export interface Outcome {
  readonly result: 'delivered' | 'deferred' | 'failed';
  /** Enhanced status, `class.subject.detail`: its class is that of the result, but for 4.4.7, failed by waiting. RFC 3463 §2 */
  readonly status: string;
  /** The host that said it; undefined when it is our own decision. */
  readonly remote: string | undefined;
  /** Its reply, or our reason in one sentence. See `outcome`. */
  readonly words: string;
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
  return { result, status, words: line.slice(0, WORDS_MAX), remote };
}

/** As it stands in a journey: `2.0.0 mx.remote.example said: 250 ok`. */
export function outcomeText({ status, remote, words }: Pick<Outcome, 'status' | 'remote' | 'words'>): string {
  return remote === undefined ? `${status} ${words}` : `${status} ${remote} said: ${words}`;
}
