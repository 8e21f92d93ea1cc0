// How much each thread of a server under test has in use, once what is garbage has been collected.
//
// In      loaded into each thread with `--import`; over the main thread's IPC channel a HeapQuestion
// Out     a HeapAnswer of each thread over the same channel; one that is just dying says nothing
// Never   collects before it is asked: a server that nobody asks is as it is shipped

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread, threadName } from 'node:worker_threads';

export interface HeapQuestion {
  readonly heapOf: number;
}

export interface HeapAnswer {
  /** The number of the question. */
  readonly heapOf: number;
  readonly thread: string;
  /** Objects, and what they hold outside of the heap. */
  readonly bytes: number;
}

const questions = new BroadcastChannel('waypost-test-heap-questions');
const answers = new BroadcastChannel('waypost-test-heap-answers');
let collect: (() => void) | undefined;

function answer({ heapOf }: HeapQuestion): HeapAnswer {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return { heapOf, thread: isMainThread ? 'main' : (threadName ?? ''), bytes: heapUsed + external };
}

if (isMainThread) {
  process.on('message', (question: Partial<HeapQuestion>) => {
    if (question.heapOf === undefined) return;
    questions.postMessage(question);
    process.send?.(answer(question as HeapQuestion));
  });
  answers.onmessage = ({ data }: { data: HeapAnswer }): void => void process.send?.(data);
} else {
  questions.onmessage = ({ data }: { data: HeapQuestion }): void => answers.postMessage(answer(data));
}
questions.unref();
answers.unref();
