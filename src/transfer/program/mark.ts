// A mark that every process of a run bears, by which those that have left the run's process group are found and ended.
//
// It is the run's limit of file locks (RLIMIT_LOCKS). Linux enforces none since 2.4.25, hands it on over fork, setsid and exec
// whatever the environment, shows it of every process in /proc/PID/limits, and lets nobody but root raise it.
//
// Out     marks: this server's half, and one that no other run has
// Limits  so many rounds through /proc: who forks faster than it is killed wins, and who lowers its own mark is not found
// Never   kills what bears no mark of this server

import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

const ROUNDS_MAX = 20;
const ROUND_MS = 20;
/** Looked at in one turn: the thread has other work. */
const TURN = 100;
const LOW = 32n;
/** The highest bits stay free: all of them together would be no limit at all. */
const HALF = 2n ** 31n;

export class Marks {
  readonly #ours: bigint;

  /** `server`: this one among all on the machine, the same in each of its runs. */
  constructor(server: string) {
    const hash = createHash('sha256').update(server).digest().readBigUInt64BE(0);
    // Zero would be a limit that others have, too.
    this.#ours = (hash % (HALF - 1n)) + 1n;
  }

  /** As prlimit(1) takes it. */
  next(): string {
    return String((this.#ours << LOW) | BigInt(randomBytes(4).readUInt32BE(0)));
  }

  isOurs(mark: string): boolean {
    return BigInt(mark) >> LOW === this.#ours;
  }
}

/** Resolves when none of them is left that could be found. */
export async function endBearers(bears: (mark: string) => boolean): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    if (!(await killBearers(bears))) return;
    await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
  }
}

async function killBearers(bears: (mark: string) => boolean): Promise<boolean> {
  let isFound = false;
  for (const [index, name] of (await processes()).entries()) {
    if (index % TURN === TURN - 1) await new Promise((resolve) => setImmediate(resolve));
    // Between this look and the kill there is no turn: a number is not another's by then.
    const mark = markOf(name);
    if (mark === undefined || !bears(mark) || isDead(name)) continue;
    isFound = true;
    kill(Number(name));
  }
  return isFound;
}

/** None where there is no /proc. */
async function processes(): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => name[0]! >= '0' && name[0]! <= '9');
}

const LOCKS = '\nMax file locks';

/** The hard limit; undefined: the process has none, or is gone. */
function markOf(process: string): string | undefined {
  const limits = read(`/proc/${process}/limits`);
  const at = limits.indexOf(LOCKS);
  if (at < 0) return undefined;
  const [, hard] = limits.slice(at + LOCKS.length, limits.indexOf('\n', at + 1)).match(/\S+/g) ?? [];
  return hard === undefined || hard === 'unlimited' ? undefined : hard;
}

/** It has ended, and nobody has asked how: it would be found again and again. */
function isDead(process: string): boolean {
  const stat = read(`/proc/${process}/stat`);
  // The name before may have blanks and parentheses.
  const state = stat[stat.lastIndexOf(')') + 2];
  return state === undefined || state === 'Z' || state === 'X';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone, or not to be seen by us.
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone, or become somebody else, whom this server cannot end.
  }
}
