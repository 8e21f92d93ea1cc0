// A server that follows another one writes no directory of its own: what an operation would change is written down, and handed on.
//
// In      an operation as it is anywhere else
// Out     the same; where it changes the directory, what it would give, and the changes step by step, for the provider to make.
//         Nothing of it is left here: the changes come back with the rest of the provider's
// Except  KEPT: an operation that writes tables of this server beside. It makes no change, and the rest of it stays

import { type Operation, operation, type Transaction } from '../../database/operation.ts';
import type { Caller } from '../../directory/caller.ts';
import type { DirectoryChange } from '../../directory/entry.ts';

/** What one caller has asked for. */
export interface RecordedChanges {
  readonly caller: Caller;
  readonly changes: DirectoryChange[];
}

/** Instead of an operation's result. */
export interface HandedResult<R> {
  readonly isRecorded: true;
  readonly result: R;
  readonly lists: readonly RecordedChanges[];
}

interface Recorder {
  readonly lists: RecordedChanges[];
  readonly isKept: boolean;
}

const KEPT: ReadonlySet<string> = new Set(['publishing.observed']);

/** Operations run one after another, and a transaction is of one thread. */
const recorders = new WeakMap<Transaction, Recorder>();

export function recorded<A, R>({ name, run }: Operation<A, R>): Operation<A, R | HandedResult<R>> {
  const isKept = KEPT.has(name);
  return operation(name, async (tx, args) => {
    const recorder: Recorder = { lists: [], isKept };
    recorders.set(tx, recorder);
    try {
      const result = await run(tx, args);
      const { lists } = recorder;
      if (lists.length === 0) return result;
      const outcome: HandedResult<R> = { isRecorded: true, result, lists };
      return isKept ? outcome : tx.rollbackWith(outcome);
    } finally {
      recorders.delete(tx);
    }
  });
}

/** Whether changes are written down, one by one, for the provider to make. */
export function isRecording(tx: Transaction): boolean {
  return recorders.has(tx);
}

/** Writes the change down where changes are handed on. `alone`: it is not to be made. */
export function recordChange(tx: Transaction, caller: Caller, change: DirectoryChange): 'alone' | 'beside' | undefined {
  const recorder = recorders.get(tx);
  if (recorder === undefined) return undefined;
  const last = recorder.lists.at(-1);
  if (last?.caller === caller) last.changes.push(change);
  else recorder.lists.push({ caller, changes: [change] });
  return recorder.isKept ? 'alone' : 'beside';
}

export function isRecorded<R>(result: R | HandedResult<R>): result is HandedResult<R> {
  return typeof result === 'object' && result !== null && 'isRecorded' in result;
}
