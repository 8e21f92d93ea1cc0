// Text of a rewrite rule that does not parse, as its author is told: the column, and what is wrong there.

import { Failure } from '../../base/failure.ts';

/** `column` counts from 1. */
export function columnFailure(column: number, words: string): Failure {
  return new Failure('syntax', `column ${column}: ${words}`);
}
