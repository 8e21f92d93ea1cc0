// Ends of threads while they are under load, one after the other, from inside as a bug's would be.
//
// A leak in a thread that is ended again and again would never be seen, so of each kind of thread that does work one is spared:
// protocol-1 at both, dns and transfer of one of the two. Those that work at mx1 alone are ended in the first quarter only, and
// judged by what follows. The writer's end is the process's (test/crash).

import { until } from '../support/until.ts';
import type { ServerName, World } from './world.ts';

interface Victim {
  readonly server: ServerName;
  readonly thread: string;
  readonly isEarly?: true;
}

const VICTIMS: readonly Victim[] = [
  { server: 'mx1', thread: 'protocol-2' },
  { server: 'mx1', thread: 'transfer', isEarly: true },
  { server: 'mx2', thread: 'protocol-2' },
  { server: 'mx1', thread: 'directory', isEarly: true },
  { server: 'mx1', thread: 'dns' },
  { server: 'mx1', thread: 'publisher', isEarly: true },
  { server: 'mx2', thread: 'upkeep' },
  { server: 'mx2', thread: 'transfer' },
  { server: 'mx2', thread: 'publisher' },
];
const EARLY_PART = 0.25;
const AGAIN_MS = 5000;

export class Kills {
  readonly #world: World;
  /** `mx1 dns` -> how often it was ended. */
  readonly counts = new Map<string, number>();
  /** When each was ended the last time: performance.now(). */
  readonly last = new Map<string, number>();
  #turn = 0;
  #isStopped = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(world: World) {
    this.#world = world;
  }

  /** `part`: how much of the whole time is over, 0 to 1. */
  start(everyMs: number, part: () => number): void {
    this.#ended = this.#run(everyMs, part);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #run(everyMs: number, part: () => number): Promise<void> {
    while (!this.#isStopped) {
      for (const end = performance.now() + everyMs; performance.now() < end && !this.#isStopped; )
        await new Promise((wait) => setTimeout(wait, 100));
      if (this.#isStopped) return;
      const victims = VICTIMS.filter(({ isEarly }) => isEarly !== true || part() < EARLY_PART);
      try {
        await this.#end(victims[this.#turn++ % victims.length]!);
      } catch (error) {
        this.#world.problem(String(error));
      }
    }
  }

  async #end({ server, thread }: Victim): Promise<void> {
    const waypost = this.#world.servers[server];
    const name = `${server} ${thread}`;
    const replaced = (): number =>
      waypost
        .stderr()
        .split('\n')
        .filter((line) => line.includes('server.restart-thread') && line.includes(`"${thread}"`)).length;
    const before = replaced();
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.last.set(name, performance.now());
    let saidAt = Number.NEGATIVE_INFINITY;
    await until(`the end of ${name}`, () => {
      // One that is just beginning has not heard it.
      if (performance.now() > saidAt + AGAIN_MS) {
        saidAt = performance.now();
        waypost.fault({ fault: 'end', thread });
      }
      return replaced() > before;
    });
  }
}
