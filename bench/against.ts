// This program beside an older one of its own: does a message cost more of the processor than it did?
//
// In      the directory of a checkout that can start (`npm ci` has been run there)
// Out     for each line the medians of both, their ratio, and whether it is within the line's bar
// How     both run at the same time on fresh data with the same users; runs go to them by turns, each round beginning with
//         the other one, after two that are not counted: they compile the code of both. The generators are this checkout's
// Never   judges rates: processor time depends much less on the disk and on what else the machine does

import { resolve } from 'node:path';
import { aligned, machine, median } from './figures.ts';
import { LINES, type Line, MAILBOXES } from './lines.ts';
import { type Side, startOurs } from './sides.ts';

const ROUNDS = 5;
/** Before them, not counted: the second one still costs a tenth more than those after it. */
const WARM_UP = 2;
/** Fresh mailboxes of one line. */
const BLOCK = MAILBOXES * (WARM_UP + ROUNDS);
/** Processor time each, at most so many times what it was. */
const BARS: Readonly<Record<string, number>> = {
  deliver: 1.05,
  'deliver-20': 1.05,
  login: 1.05,
  'relay-unsigned': 1.05,
  rcpt: 1.05,
  append: 1.05,
  'fetch-envelope': 1.15,
};

export interface CompareOptions {
  readonly only: readonly string[];
  readonly json: boolean;
}

interface Comparison {
  readonly name: string;
  readonly unit: string;
  /** Processor milliseconds each, run by run. */
  readonly now: readonly number[];
  readonly before: readonly number[];
  readonly ratio: number;
  readonly bar: number;
  readonly isHeld: boolean;
}

/** True when every bar is held. */
export async function compareWith(directory: string, { only, json }: CompareOptions): Promise<boolean> {
  const judged = LINES.filter(({ name }) => BARS[name] !== undefined);
  const unknown = only.filter((name) => BARS[name] === undefined);
  if (unknown.length > 0) {
    console.error(`no bar for ${unknown.join(', ')}; there is one for ${Object.keys(BARS).join(', ')}`);
    process.exit(64);
  }
  const lines = judged.filter(({ name }) => only.length === 0 || only.includes(name));
  // Mailboxes read after APPEND are those it filled: the last block of users.
  const read = BLOCK * lines.length;
  const sides: Side[] = [];
  const stop = async (): Promise<void> => {
    for (const side of sides.splice(0)) await side.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().then(() => process.exit(1)));
  try {
    console.error(`starting this Waypost and that of ${directory} with ${read + MAILBOXES} users each ...`);
    sides.push(await startOurs(read + MAILBOXES), await startOurs(read + MAILBOXES, resolve(directory)));
    // What is fetched is what the line `append` has left.
    if (!lines.some(({ name }) => name === 'append'))
      for (const side of sides) LINES.find(({ name }) => name === 'append')!.run(side, read);
    const results = lines.map((line, i) => compare(line, sides, { fresh: BLOCK * i, read }));
    if (json)
      console.log(JSON.stringify({ machine: machine(ROUNDS), against: directory, lines: results }, undefined, 2));
    else console.log(`${table(results)}\n\n${machine(ROUNDS)}.`);
    return results.every(({ isHeld }) => isHeld);
  } finally {
    await stop();
  }
}

function compare(
  line: Line,
  sides: readonly Side[],
  users: { readonly fresh: number; readonly read: number },
): Comparison {
  const costs: Record<string, number[]> = { waypost: [], before: [] };
  for (let round = 0; round < WARM_UP + ROUNDS; round++)
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const offset = line.isFresh ? users.fresh + round * MAILBOXES : users.read;
      const figures = line.run(side, offset);
      const cost = Number(figures['server_cpu_ms_each']);
      if (round >= WARM_UP) costs[side.name]!.push(cost);
      console.error(`${line.name} ${side.name}: ${cost} ms of processor each, ${figures[line.figure]} ${line.unit}`);
    }
  const ratio = median(costs['waypost']!) / median(costs['before']!);
  const bar = BARS[line.name]!;
  return {
    name: line.name,
    unit: 'server_cpu_ms_each',
    now: costs['waypost']!,
    before: costs['before']!,
    ratio: Number(ratio.toFixed(3)),
    bar,
    isHeld: ratio <= bar,
  };
}

function table(results: readonly Comparison[]): string {
  const rows = [['processor ms each', 'now', 'before', 'ratio', 'bar', '']];
  for (const { name, now, before, ratio, bar, isHeld } of results)
    rows.push([
      name,
      median(now).toFixed(4),
      median(before).toFixed(4),
      ratio.toFixed(3),
      String(bar),
      isHeld ? 'held' : 'MISSED',
    ]);
  return aligned(rows);
}
