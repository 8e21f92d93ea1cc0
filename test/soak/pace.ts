// Loads at their rates: so many attempts a second, whatever each of them takes, so that the machine has room for others.
//
// In      loads, a factor of their rates
// Out     what became of the attempts of each; a failure that trying again does not mend is a problem of the world
// Limits  AT_ONCE attempts of a load; one that would be one more is left out, and counted. What is to be served has a minute

import { isTemporary } from './refusals.ts';
import type { World } from './world.ts';

export interface Load {
  readonly name: string;
  /** Attempts. */
  readonly perSecond: number;
  readonly run: (world: World) => Promise<void>;
}

export interface Tally {
  attempts: number;
  done: number;
  /** Ended by a refusal that is over later, such as a connection whose thread was ended. */
  interrupted: number;
  /** By what; numbers stand as #. */
  readonly reasons: Record<string, number>;
  /** Left out, since as many were under way as may be. */
  late: number;
}

const AT_ONCE = 6;
const SERVED_MS = 60_000;
const AGAIN_MS = 200;
const REASONS_MAX = 20;

export interface RunningLoads {
  readonly tallies: ReadonlyMap<string, Tally>;
  /** No new attempts; resolves when those under way have ended. */
  stop(): Promise<void>;
}

export function startLoads(world: World, loads: readonly Load[], rate: number): RunningLoads {
  const tallies = new Map<string, Tally>();
  const underWay = new Set<Promise<void>>();
  const timers = new Map<Load, NodeJS.Timeout>();
  let isStopped = false;

  const attempt = async (load: Load, tally: Tally): Promise<void> => {
    tally.attempts++;
    try {
      await load.run(world);
      tally.done++;
    } catch (error) {
      if (isTemporary(error)) interrupted(tally, error);
      else world.problem(`${load.name}: ${firstLines(error)}`);
    }
  };
  const begin = (load: Load): void => {
    const tally: Tally = { attempts: 0, done: 0, interrupted: 0, reasons: {}, late: 0 };
    tallies.set(load.name, tally);
    let running = 0;
    const turn = (): void => {
      if (isStopped) return;
      const waitMs = ((0.5 + world.random()) * 1000) / (load.perSecond * rate);
      timers.set(load, setTimeout(turn, waitMs));
      if (running >= AT_ONCE) {
        tally.late++;
        return;
      }
      running++;
      const done = attempt(load, tally).finally(() => {
        running--;
        underWay.delete(done);
      });
      underWay.add(done);
    };
    turn();
  };
  for (const load of loads) begin(load);

  return {
    tallies,
    async stop() {
      isStopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(underWay);
    },
  };
}

function interrupted(tally: Tally, error: unknown): void {
  tally.interrupted++;
  const reason = String(error).replaceAll(/\d+/g, '#').slice(0, 160);
  if (reason in tally.reasons || Object.keys(tally.reasons).length < REASONS_MAX)
    tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1;
}

/** Tries again whatever trying again may mend, for a minute: then its last failure is thrown, as one that it does not. */
export async function served<T>(what: string, work: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + SERVED_MS; ; ) {
    try {
      return await work();
    } catch (error) {
      if (!isTemporary(error)) throw error;
      if (performance.now() > until) throw new Error(`${what} was not served in a minute: ${String(error)}`);
    }
    await new Promise((wait) => setTimeout(wait, AGAIN_MS));
  }
}

/** What it says, and where it was thrown. */
function firstLines(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 2).join('') : String(error);
}
