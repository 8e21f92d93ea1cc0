// The THREAD response. RFC 5256 §4 BASE.7.2.THREAD
//
// Out     text in pieces, a thread or more each: those of a large mailbox are more than may wait for a peer

/** A tree of numbers; without one it is a dummy at the root. */
export interface ThreadNumbers {
  readonly number: number | undefined;
  readonly children: readonly ThreadNumbers[];
}

const PIECE_CHARACTERS = 64 * 1024;

export function* encodeThreads(threads: readonly ThreadNumbers[]): Generator<string> {
  let piece = threads.length === 0 ? '* THREAD' : '* THREAD ';
  for (const thread of threads) {
    // What is to be written: a tree in parentheses, a tree behind its parent's number, text.
    const open: (ThreadNumbers | string)[] = [')', thread, '('];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (typeof next === 'string') {
        piece += next;
        continue;
      }
      const { number, children } = next;
      if (number !== undefined) piece += number;
      if (children.length > 0 && number !== undefined) piece += ' ';
      if (children.length === 1 && number !== undefined) open.push(children[0]!);
      else for (let i = children.length - 1; i >= 0; i--) open.push(')', children[i]!, '(');
      if (piece.length < PIECE_CHARACTERS) continue;
      yield piece;
      piece = '';
    }
  }
  yield `${piece}\r\n`;
}
