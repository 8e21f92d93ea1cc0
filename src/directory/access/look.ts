// A question to the tables that is written once for both: a Reader answers at once, a transaction is awaited.

import type { Reader, Transaction, Value } from '../../database/operation.ts';

type Query = readonly [sql: string, ...parameters: Value[]];

/** Yields statements, and gets their rows. */
export type Look<T> = Generator<Query, T, Value[][]>;

export function look<T>(reader: Reader, asks: Look<T>): T {
  let step = asks.next();
  while (step.done !== true) step = asks.next(reader.arrays(...step.value));
  return step.value;
}

export async function lookIn<T>(tx: Transaction, asks: Look<T>): Promise<T> {
  let step = asks.next();
  while (step.done !== true) step = asks.next(await tx.arrays(...step.value));
  return step.value;
}
