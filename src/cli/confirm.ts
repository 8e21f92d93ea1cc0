// A question with yes or no, on a terminal. A program is not asked: it has said what it wants.

import { createInterface } from 'node:readline/promises';

/** True where standard input is no terminal. */
export async function confirmed(question: string): Promise<boolean> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return true;
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
