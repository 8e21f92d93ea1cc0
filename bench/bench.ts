// The bench: the same generator lines against Waypost and against Postfix + Dovecot, or slapd, by turns, in one run.
//
//   --quick         one round instead of three, the lines with a bar only
//   --only NAME     this line only; may be repeated
//   --alone         Waypost alone, even where the peers are installed
//   --against DIR   a checkout: this program and that one by turns, processor time a message; without the peers
//   --rows          dns-many: all zones but 10,000 as what DNS reads of them alone, without entries: ready in seconds, not minutes
//   --json          one JSON object on standard output instead of the table
//
// Out     a table of medians and ratios; exit code 1 when a bar is missed, 0 when all are held. Without peers only ratios of
//         our own figures are judged
// Never   compares figures of different runs: the disk's sync rate can change tenfold in minutes

import { parseArgs } from 'node:util';
import { compareWith } from './against.ts';
import { CATALOG_LINE, catalogLag, catalogPeersMissing } from './catalog-line.ts';
import { DIRECTORY_LINES } from './directory-lines.ts';
import { slapdMissing, startDirectorySides } from './directory-sides.ts';
import { DNS_LINES } from './dns-lines.ts';
import { dnsPeersMissing, startDnsSides } from './dns-sides.ts';
import { aligned, fsyncCost, machine, median, shown } from './figures.ts';
import type { Figures } from './generate.ts';
import { LINES, MAILBOXES, type Measured } from './lines.ts';
import {
  opendkimMissing,
  type PeerName,
  peersMissing,
  type Side,
  type SideName,
  startOurs,
  startPeers,
} from './sides.ts';

const PEER_NAMES = {
  shipped: 'Postfix + Dovecot',
  fast: 'the same, fast logins',
  opendkim: 'Postfix + OpenDKIM',
  slapd: 'slapd',
} as const;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
    rows: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
  },
});

interface Result {
  readonly line: Measured;
  readonly medians: ReadonlyMap<SideName, number>;
  readonly runs: ReadonlyMap<SideName, readonly Figures[]>;
  readonly missed: readonly string[];
}

if (options.against !== undefined) process.exit((await compareWith(options.against, options)) ? 0 : 1);

const isAsked = ({ name, bars, own }: Measured): boolean => {
  if (options.only.length > 0) return options.only.includes(name);
  return !options.quick || Object.keys(bars).length > 0 || own !== undefined;
};
const lines = LINES.filter(isAsked);
const directoryLines = DIRECTORY_LINES.filter(isAsked);
const dnsLines = DNS_LINES.filter(isAsked);
const names = [...LINES, ...DIRECTORY_LINES, ...DNS_LINES, CATALOG_LINE].map(({ name }) => name);
const unknown = options.only.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no line ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(64);
}
const rounds = options.quick ? 1 : 3;
// Mailboxes read after APPEND are those it filled: all reading lines share the last block of users.
const READ = blockStart(lines.length);
const users = READ + MAILBOXES;
const say = (text: string): void => console.error(text);

const running: { stop(): Promise<void> }[] = [];
let failed = false;
const stopAll = async (): Promise<void> => {
  for (const side of running.splice(0)) await side.stop();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // What ends a test at once (test/support/server.ts) would leave the peers running.
  process.removeAllListeners(signal);
  process.once(signal, () => void stopAll().then(() => process.exit(1)));
}
try {
  failed = !(await bench());
} finally {
  await stopAll();
}
process.exit(failed ? 1 : 0);

/** Where the mailboxes of line number `i` begin: each run of those before it has its own. */
function blockStart(i: number): number {
  return lines.slice(0, i).reduce((runs, { warmUp = 0 }) => runs + warmUp + rounds, 0) * MAILBOXES;
}

/** True when no bar was missed. */
async function bench(): Promise<boolean> {
  const disk = [fsyncCost()];
  const results = lines.length === 0 ? [] : await benchMail();
  await stopAll();
  if (directoryLines.length > 0) results.push(...(await benchDirectory()));
  await stopAll();
  if (dnsLines.length > 0) results.push(...(await benchDns()));
  await stopAll();
  if (isAsked(CATALOG_LINE)) results.push(...(await benchCatalog()));
  disk.push(fsyncCost());
  if (options.json) {
    console.log(JSON.stringify(asJson(results, disk), undefined, 2));
  } else {
    console.log(table(results));
    console.log(`\nAppends of 4 KiB, each synced, before and after: ${disk.join(' and ')}/s. ${machine(rounds)}.`);
  }
  return results.every(({ missed }) => missed.length === 0);
}

async function benchMail(): Promise<Result[]> {
  say(`starting Waypost with ${users} users ...`);
  const sides: Side[] = [];
  const started = async <S extends Side>(starting: Promise<S>): Promise<S> => {
    const side = await starting;
    sides.push(side);
    running.push(side);
    return side;
  };
  const ours = await started(startOurs(users));
  say(`users added over LDAP: ${ours.addsPerSecond}/s on 8 connections`);
  const missing = options.alone ? 'not asked for (--alone)' : peersMissing();
  if (missing === false) {
    const isAgainst = (name: PeerName): boolean => lines.some(({ against }) => against.includes(name));
    for (const name of ['shipped', 'fast', 'opendkim'] as const) {
      const why = name === 'opendkim' && isAgainst(name) && opendkimMissing();
      if (why !== false) say(`no ratios to Postfix + OpenDKIM: ${why}`);
      else if (isAgainst(name)) await started(startPeers(users, name));
    }
  } else say(`Waypost alone, no ratios: ${missing}`);
  const results: Result[] = [];
  let other: Side | undefined;
  for (const [i, line] of lines.entries()) {
    if (line.needsOther && other === undefined) running.push((other = await startOurs(users)));
    const taking = sides.filter(({ name }) => name === 'waypost' || line.against.some((peer) => peer === name));
    const runs = taking.map((side): Run => {
      const offset = blockStart(i);
      return [side.name, (round) => line.run(side, line.isFresh ? offset + round * MAILBOXES : READ, other)];
    });
    results.push(await measure(line, runs));
  }
  return results;
}

/** After the others: many users take memory. */
async function benchDirectory(): Promise<Result[]> {
  const missing = options.alone ? 'not asked for (--alone)' : slapdMissing();
  const isAgainst = directoryLines.some(({ against }) => against.includes('slapd'));
  if (isAgainst && missing !== false) say(`no ratios to slapd: ${missing}`);
  const sides = await startDirectorySides({
    few: directoryLines.some(({ needsFew }) => needsFew),
    slapd: isAgainst && missing === false,
    asking: directoryLines.some(({ needsSource }) => needsSource),
    say,
  });
  running.push(sides);
  const results: Result[] = [];
  for (const line of directoryLines) {
    const { ours, theirs } = line;
    if (line.needsSource && sides.asking === undefined) continue;
    const runs: Run[] = [['waypost', () => ours(sides)]];
    if (theirs !== undefined && sides.slapd !== undefined) runs.push(['slapd', () => theirs(sides)]);
    results.push(await measure(line, runs));
  }
  return results;
}

async function benchDns(): Promise<Result[]> {
  const missing = options.alone ? 'not asked for (--alone)' : dnsPeersMissing();
  if (missing !== false) {
    say(`no lines of DNS: ${missing}`);
    return [];
  }
  const sides = await startDnsSides(say, options);
  running.push(sides);
  const results: Result[] = [];
  for (const line of dnsLines) results.push(await measure(line, [['waypost', () => line.ours(sides)]]));
  return results;
}

/** It starts what it needs. */
async function benchCatalog(): Promise<Result[]> {
  const missing = options.alone ? 'not asked for (--alone)' : catalogPeersMissing();
  if (missing === false) return [await measure(CATALOG_LINE, [['waypost', catalogLag]])];
  say(`no line of the catalog: ${missing}`);
  return [];
}

type Run = readonly [side: SideName, run: (round: number) => Figures | Promise<Figures>];

async function measure(line: Measured, sides: readonly Run[]): Promise<Result> {
  const runs = new Map<SideName, Figures[]>();
  const { warmUp = 0 } = line;
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const [name, run] of sides) {
      const figures = await run(round);
      const isCounted = round >= warmUp;
      if (isCounted) runs.set(name, [...(runs.get(name) ?? []), figures]);
      const all = line.own === undefined ? '' : ` ${JSON.stringify(figures)}`;
      say(`${line.name} ${name}: ${figures[line.figure]} ${line.unit}${all}${isCounted ? '' : ' (not counted)'}`);
    }
  }
  const middle = line.isWorst ? (values: readonly number[]) => Math.max(...values) : median;
  const medians = new Map(
    [...runs].map(([name, all]) => [name, middle(all.map((figures) => Number(figures[line.figure])))]),
  );
  const ours = medians.get('waypost')!;
  const missed = Object.entries(line.bars).flatMap(([name, bar]) => {
    const theirs = medians.get(name as PeerName);
    if (theirs === undefined || advantage(line, ours, theirs) >= bar) return [];
    return [`${line.name}: ${advantage(line, ours, theirs).toFixed(1)} times ${name}, the bar is ${bar}`];
  });
  if (!isOwnHeld(line, ours)) missed.push(`${line.name}: ${ours} ${line.unit}, the bar is ${line.own}`);
  return { line, medians, runs, missed };
}

function isOwnHeld({ own, isCost }: Measured, figure: number): boolean {
  return own === undefined || (isCost ? figure <= own : figure >= own);
}

/** So many times better are we. */
function advantage({ isCost }: Measured, ours: number, theirs: number): number {
  return isCost ? theirs / ours : ours / theirs;
}

function table(results: readonly Result[]): string {
  const rows: string[][] = [['', 'Waypost', 'the other', '', 'ratio', 'bar', '']];
  for (const { line, medians } of results) {
    const ours = medians.get('waypost')!;
    const others = line.against.filter((name) => medians.has(name));
    if (line.own !== undefined) {
      const verdict = isOwnHeld(line, ours) ? 'held' : 'MISSED';
      rows.push([`${line.name}: ${line.what}`, '', '', '', ours.toFixed(2), ownBar(line), verdict]);
    } else if (others.length === 0)
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

function ownBar({ own, isCost }: Measured): string {
  return isCost ? `at most ${own}` : `${own}`;
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
      ...(line.own === undefined ? {} : { own: line.own }),
      missed,
      runs: Object.fromEntries(runs),
    })),
  };
}
