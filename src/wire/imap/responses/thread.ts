// The THREAD response. RFC 5256 §4 BASE.7.2.THREAD
//
// Out     text in pieces, a thread or more each: those of a large mailbox are more than may wait for a peer

import type { Thread } from '../../../message/threads.ts';

const PIECE_CHARACTERS = 16 * 1024;

/** `numbers`: of each message by its place, as the client counts. */
export function* encodeThreads(threads: readonly Thread[], numbers: readonly number[]): Generator<string> {
  let piece = threads.length === 0 ? '* THREAD' : '* THREAD ';
  for (const thread of threads) {
    // What is to be written: a tree in parentheses, a tree behind its parent's number, text.
    const open: (Thread | string)[] = [')', thread, '('];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (typeof next === 'string') {
        piece += next;
        continue;
      }
      const { message, children } = next;
      if (message !== undefined) piece += numbers[message];
      if (children.length > 0 && message !== undefined) piece += ' ';
      if (children.length === 1 && message !== undefined) open.push(children[0]!);
      else for (let i = children.length - 1; i >= 0; i--) open.push(')', children[i]!, '(');
      if (piece.length < PIECE_CHARACTERS) continue;
      yield piece;
      piece = '';
    }
  }
  yield `${piece}\r\n`;
}
