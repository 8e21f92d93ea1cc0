// The bench: the same generator lines against Waypost and against Postfix + Dovecot, by turns, in one run.
//
//   --quick         one round instead of three, the lines with a bar only
//   --only NAME     this line only; may be repeated
//   --alone         Waypost alone, even where the peers are installed
//   --against DIR   a checkout: this program and that one by turns, processor time a message; without the peers
//   --json          one JSON object on standard output instead of the table
//
// Out     a table of medians and ratios; exit code 1 when a bar is missed, 0 when all are held or no peer is installed
// Never   compares figures of different runs: the disk's sync rate can change tenfold in minutes

import { parseArgs } from 'node:util';
import { compareWith } from './against.ts';
import { aligned, fsyncCost, machine, median, shown } from './figures.ts';
import type { Figures } from './generate.ts';
import { LINES, type Line, MAILBOXES } from './lines.ts';
import { type PeerName, peersMissing, type Side, type SideName, startOurs, startPeers } from './sides.ts';

const PEER_NAMES = { shipped: 'Postfix + Dovecot', fast: 'the same, fast logins' } as const;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});

interface Result {
  readonly line: Line;
  readonly medians: ReadonlyMap<SideName, number>;
  readonly runs: ReadonlyMap<SideName, readonly Figures[]>;
  readonly missed: readonly string[];
}

if (options.against !== undefined) process.exit((await compareWith(options.against, options)) ? 0 : 1);

const lines = LINES.filter(({ name, bars }) => {
  if (options.only.length > 0) return options.only.includes(name);
  return !options.quick || Object.keys(bars).length > 0;
});
const unknown = options.only.filter((name) => !LINES.some((line) => line.name === name));
if (lines.length === 0 || unknown.length > 0) {
  console.error(`no line ${unknown.join(', ')}; there are ${LINES.map(({ name }) => name).join(', ')}`);
  process.exit(64);
}
const rounds = options.quick ? 1 : 3;
// Mailboxes read after APPEND are those it filled: all reading lines share the last block of users.
const READ = MAILBOXES * rounds * lines.length;
const users = READ + MAILBOXES;
const say = (text: string): void => console.error(text);

const sides: Side[] = [];
let failed = false;
const stopAll = async (): Promise<void> => {
  for (const side of sides.splice(0)) await side.stop();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void stopAll().then(() => process.exit(1)));
try {
  failed = !(await bench());
} finally {
  await stopAll();
}
process.exit(failed ? 1 : 0);

/** True when no bar was missed. */
async function bench(): Promise<boolean> {
  say(`starting Waypost with ${users} users ...`);
  const ours = await startOurs(users);
  sides.push(ours);
  say(`users added over LDAP: ${ours.addsPerSecond}/s on 8 connections`);
  const missing = options.alone ? 'not asked for (--alone)' : peersMissing();
  if (missing === false) {
    sides.push(await startPeers(users, 'shipped'));
    if (lines.some(({ against }) => against.includes('fast'))) sides.push(await startPeers(users, 'fast'));
  } else say(`Waypost alone, no ratios: ${missing}`);

  const disk = [fsyncCost()];
  const results = lines.map((line, i) => measure(line, MAILBOXES * rounds * i));
  disk.push(fsyncCost());
  if (options.json) {
    console.log(JSON.stringify(asJson(results, disk), undefined, 2));
  } else {
    console.log(table(results));
    console.log(`\nAppends of 4 KiB, each synced, before and after: ${disk.join(' and ')}/s. ${machine(rounds)}.`);
  }
  return results.every(({ missed }) => missed.length === 0);
}

function measure(line: Line, offset: number): Result {
  const runs = new Map<SideName, Figures[]>();
  const taking = sides.filter(({ name }) => name === 'waypost' || line.against.some((peer) => peer === name));
  for (let round = 0; round < rounds; round++) {
    for (const side of taking) {
      const figures = line.run(side, line.isFresh ? offset + round * MAILBOXES : READ);
      runs.set(side.name, [...(runs.get(side.name) ?? []), figures]);
      say(`${line.name} ${side.name}: ${figures[line.figure]} ${line.unit}`);
    }
  }
  const middle = line.isCost ? (values: readonly number[]) => Math.max(...values) : median;
  const medians = new Map(
    [...runs].map(([name, all]) => [name, middle(all.map((figures) => Number(figures[line.figure])))]),
  );
  const missed = Object.entries(line.bars).flatMap(([name, bar]) => {
    const theirs = medians.get(name as PeerName);
    const ours = medians.get('waypost')!;
    if (theirs === undefined || advantage(line, ours, theirs) >= bar) return [];
    return [`${line.name}: ${advantage(line, ours, theirs).toFixed(1)} times ${name}, the bar is ${bar}`];
  });
  return { line, medians, runs, missed };
}

/** So many times better are we. */
function advantage({ isCost }: Line, ours: number, theirs: number): number {
  return isCost ? theirs / ours : ours / theirs;
}

function table(results: readonly Result[]): string {
  const rows: string[][] = [['', 'Waypost', 'the other', '', 'ratio', 'bar', '']];
  for (const { line, medians } of results) {
    const ours = medians.get('waypost')!;
    const others = line.against.filter((name) => medians.has(name));
    if (others.length === 0)
      rows.push([`${line.name}: ${line.what}`, `${shown(ours)} ${line.unit}`, '', '', '', '', '']);
    for (const name of others) {
      const theirs = medians.get(name)!;
      const bar = line.bars[name];
      const times = advantage(line, ours, theirs);
      const verdict = bar === undefined ? '' : times >= bar ? 'held' : 'MISSED';
      rows.push([
        `${line.name}: ${line.what}`,
        `${shown(ours)} ${line.unit}`,
        shown(theirs),
        PEER_NAMES[name],
        times.toFixed(1),
        bar === undefined ? '' : String(bar),
        verdict,
      ]);
    }
  }
  return aligned(rows);
}

function asJson(results: readonly Result[], disk: readonly number[]): object {
  return {
    machine: machine(rounds),
    rounds,
    syncedAppendsPerSecond: disk,
    lines: results.map(({ line, medians, runs, missed }) => ({
      name: line.name,
      what: line.what,
      unit: line.unit,
      medians: Object.fromEntries(medians),
      ratios: Object.fromEntries(
        [...medians].flatMap(([name, theirs]) =>
          name === 'waypost' ? [] : [[name, Number(advantage(line, medians.get('waypost')!, theirs).toFixed(1))]],
        ),
      ),
      bars: line.bars,
      missed,
      runs: Object.fromEntries(runs),
    })),
  };
}
