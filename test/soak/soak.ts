// The soak test: all loads at their rates, threads that are ended meanwhile, samples; at the end what has grown, and what must hold.
//
// In      how long it warms up and is measured, a factor of all rates, a seed
// Out     a report: figures with their verdicts, what the loads came to, problems in sentences
// States  the world begins -> warm-up -> measured minutes -> the loads end, the queues empty -> invariants -> the servers stop
// Never   judges how fast anything is

import { seeded } from '../crash/message.ts';
import type { Figure } from './flat.ts';
import { checkInvariants, collectArrivals, warnings } from './invariants.ts';
import { Kills } from './kills.ts';
import { LOADS } from './loads/all.ts';
import { deferring } from './loads/queue.ts';
import { startLoads, type Tally } from './pace.ts';
import { descriptorKinds, Samples } from './samples.ts';
import { beginWorld, type ServerName, type World } from './world.ts';

export interface SoakOptions {
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly seed: number;
  /** Of all rates. */
  readonly rate: number;
  /** Beside the usual environment of both servers: a mutation that must be seen. */
  readonly env?: Readonly<Record<string, string>>;
  /** A line of progress. */
  readonly say?: (text: string) => void;
}

export interface SoakReport {
  /** Nothing has grown, and no problem was found. */
  readonly ok: boolean;
  readonly seed: number;
  readonly warmUpMinutes: number;
  readonly minutes: number;
  readonly figures: readonly Figure[];
  readonly loads: Readonly<Record<string, Tally>>;
  /** `mx1 dns` -> how often it was ended. */
  readonly kills: Readonly<Record<string, number>>;
  readonly messages: { readonly acknowledged: number; readonly refused: number; readonly open: number };
  /** The other host or the second server has taken the same again; it did not say so the first time that often. */
  readonly repeated: { readonly times: number; readonly unsaid: number };
  /** By server, before the measured minutes and at their end: kind of descriptor -> how many. */
  readonly descriptors: Readonly<Record<ServerName, readonly Readonly<Record<string, number>>[]>>;
  readonly warnings: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  /** All that were found; the first of them are in sentences. */
  readonly problemsCount: number;
  readonly samples: ReturnType<Samples['all']>;
}

/** So many in the measured minutes, neither more often nor more seldom than that. */
const SAMPLES = 100;
const SAMPLE_MS = { least: 1500, most: 10_000 };
const KILLS = 40;
const KILL_MS = { least: 1500, most: 30_000 };

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { seed, env = {}, say = () => {} } = options;
  const world = await beginWorld(seeded(seed), env);
  let ended: Promise<readonly (number | null)[]> | undefined;
  try {
    say('the servers are ready');
    const report = await soak(world, options);
    ended = world.end();
    for (const code of await ended) if (code !== 0) world.problem(`a server has ended with ${code}`);
    const { problems, problemsCount } = world;
    return { ...report, ok: report.ok && problemsCount === 0, problems, problemsCount };
  } finally {
    await (ended ?? world.end());
  }
}

async function soak(world: World, options: SoakOptions): Promise<SoakReport> {
  const { warmUpMs, measuredMs, rate, seed, say = () => {} } = options;
  let unsaid = 0;
  world.sink.script = deferring(world.random, () => unsaid++);
  const everyMs = between(measuredMs / SAMPLES, SAMPLE_MS);
  const loads = startLoads(world, LOADS, rate);
  const kills = new Kills(world);
  const samples = new Samples(world);
  const began = performance.now();
  const part = (): number => (performance.now() - began - warmUpMs) / measuredMs;
  kills.start(between(measuredMs / KILLS, KILL_MS), part);

  const line = (): void => {
    const [done, attempts] = [sum(loads.tallies, 'done'), sum(loads.tallies, 'attempts')];
    const seconds = Math.round((part() * measuredMs) / 1000);
    const found = world.problemsCount === 0 ? '' : `; ${world.problemsCount} PROBLEMS`;
    say(`${seconds} s: ${done} of ${attempts} done; ${samples.latest('mx1')}; ${samples.latest('mx2')}${found}`);
  };
  const sampleUntil = async (end: number): Promise<void> => {
    do {
      const next = Math.min(end, performance.now() + everyMs);
      await samples.take();
      collectArrivals(world);
      line();
      await new Promise((wait) => setTimeout(wait, Math.max(0, next - performance.now())));
    } while (performance.now() < end);
  };
  await sampleUntil(began + warmUpMs);
  samples.begin();
  const kinds = (): [mx1: Readonly<Record<string, number>>, mx2: Readonly<Record<string, number>>] => [
    descriptorKinds(world.mx1.pid),
    descriptorKinds(world.mx2.pid),
  ];
  const [kinds1, kinds2] = kinds();
  await sampleUntil(began + warmUpMs + measuredMs);
  const [last1, last2] = kinds();
  await kills.stop();
  await loads.stop();
  say('the load is over');
  await checkInvariants(world, say);

  const figures = samples.figures(kills, { settleMs: warmUpMs, measuredMs });
  const { ledger, problems, problemsCount } = world;
  return {
    ok: figures.every(({ verdict }) => verdict !== 'grows'),
    ...{ seed, figures, problems, problemsCount },
    warmUpMinutes: warmUpMs / 60_000,
    minutes: measuredMs / 60_000,
    loads: Object.fromEntries(loads.tallies),
    kills: Object.fromEntries(kills.counts),
    messages: {
      acknowledged: ledger.count('acknowledged'),
      refused: ledger.count('refused'),
      open: ledger.count('open'),
    },
    repeated: { times: ledger.repeats, unsaid },
    descriptors: { mx1: [kinds1, last1], mx2: [kinds2, last2] },
    warnings: warnings(world),
    samples: samples.all(),
  };
}

function between(ms: number, { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(most, Math.max(least, ms));
}

function sum(tallies: ReadonlyMap<string, Tally>, what: 'attempts' | 'done'): number {
  return tallies.values().reduce((total, tally) => total + tally[what], 0);
}
