// What is looked at while the load runs, and how much of it may grow. The numbers and their reasons:
//
//   heap         of each thread after a collection, so that what is left is held by something: ratio 1.05 for what caches still
//                learn, and 1.5 MiB for what is under way at the moment. In 20 minutes a leak of 5 KB a second is above that
//   memory       resident, as /metrics gives it: V8 gives pages back late, and SQLite fills its page caches as the database grows:
//                ratio 1.1 and 24 MiB
//   descriptors  the least of each third, since sessions are open at any moment: 10 more, for segments that readers keep open
//   log          no sample above 96 MiB: the file begins anew at 64 MiB, behind a batch or two, where a reader lets it
//   unwritten    of the log, not yet written back: that begins at 32 MiB, in bulk at 128, and a look then leaves next to nothing. So the
//                least of each third, 24 MiB more where the last one lies in a new beginning; no sample above 160 MiB
//   descriptors  the least of each third, since sessions are open at any moment: 10 more, for segments that readers keep open
//   log          no sample above 96 MiB: the file begins anew at 64 MiB, behind a batch or two, where a reader lets it
//   unwritten    of the log, not yet written back: no sample above 36 MiB: that begins at 32 MiB, behind 32 batches
//   waste        octets of closed segments that no message has: two segments more, which a round of housekeeping may not have
//                met yet; it comes each minute
//   segments     that are open: one of each thread, and a large message's own: 6 more
//   database     is told and not judged: the change log and the journeys are kept for days
//
// In      the world, the ends of its threads
// Out     series by name, for flat.ts. Samples of a thread count from `settleMs` behind its last end on; nothing counts of it where
//         that leaves less than half of the time

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { idText } from '../../src/base/ids.ts';
import { metricsText } from '../support/metrics.ts';
import type { Waypost } from '../support/server.ts';
import { type Allowance, type Figure, judge, type Sample } from './flat.ts';
import type { Kills } from './kills.ts';
import type { ServerName, World } from './world.ts';

const MIB = 1024 * 1024;

const ALLOWANCES = {
  heap: { growth: { ratio: 1.05, more: 1.5 } },
  memory: { growth: { ratio: 1.1, more: 24 } },
  descriptors: { growth: { ratio: 1, more: 10, of: 'least' } },
  log: { most: 96 },
  unwritten: { growth: { ratio: 1, more: 24, of: 'least' }, most: 160 },
  waste: { growth: { ratio: 1, more: 128 } },
  segments: { growth: { ratio: 1, more: 6 } },
  database: {},
} as const satisfies Readonly<Record<string, Allowance>>;

type Kind = keyof typeof ALLOWANCES;
const COUNTED: ReadonlySet<Kind> = new Set(['descriptors', 'segments']);

/** A collection costs the load more than all other looks. */
const HEAP_EVERY = 4;
/** It takes some tenths of a second of a busy machine for each thread; one that is just being replaced says nothing. */
const HEAPS_MS = 4000;
/** In the index of the log; a frame is a page with its header. */
const LAST_FRAME_AT = 16;
const WRITTEN_BACK_AT = 96;
const FRAME_BYTES = 4096 + 24;
/** That /metrics does not name: main and writer. */
const THREADS_MORE = 2;

interface Series {
  readonly name: string;
  readonly kind: Kind;
  /** Of the heap: `mx1 protocol-1`, as kills name it. */
  readonly thread: string | undefined;
  readonly samples: (Sample & { readonly now: number })[];
}

export class Samples {
  readonly #world: World;
  readonly #series = new Map<string, Series>();
  #began = performance.now();
  #isMeasured = false;
  #takes = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The measured minutes begin: what was sampled before is forgotten. */
  begin(): void {
    this.#series.clear();
    this.#isMeasured = true;
    this.#began = performance.now();
  }

  async take(): Promise<void> {
    const servers = Object.entries(this.#world.servers);
    const threads = await Promise.all(servers.map(([name, server]) => this.#takeOf(name, server)));
    if (!this.#isMeasured || this.#takes++ % HEAP_EVERY !== 0) return;
    // One after the other: a collection takes the processor from the load.
    for (const [i, [name, server]] of servers.entries())
      for (const [thread, bytes] of await server.heaps(threads[i]!, HEAPS_MS))
        this.#note(name, 'heap', bytes / MIB, thread);
  }

  /** In short, for a line of progress. */
  latest(server: ServerName): string {
    const value = (kind: Kind): string => {
      const sample = this.#series.get(`${server} ${kind}`)?.samples.at(-1);
      return sample === undefined ? '-' : sample.value.toFixed(0);
    };
    const threads = [...this.#series.values()].filter(({ thread }) => thread?.startsWith(`${server} `));
    const heap = threads.reduce((sum, { samples }) => sum + (samples.at(-1)?.value ?? 0), 0);
    return `${server} ${value('memory')} MiB, heaps ${heap.toFixed(0)}, ${value('descriptors')} fd, log ${value('log')}, waste ${value('waste')}`;
  }

  figures(
    kills: Kills,
    { settleMs, measuredMs }: { readonly settleMs: number; readonly measuredMs: number },
  ): Figure[] {
    return [...this.#series.values()].map(({ name, kind, thread, samples }) => {
      const killed = thread === undefined ? undefined : kills.last.get(thread);
      const from = killed === undefined ? 0 : killed + settleMs;
      const counted = samples.filter(({ now }) => now >= from);
      const isEnough = from <= this.#began + measuredMs / 2;
      const unit = COUNTED.has(kind) ? '' : 'MiB';
      return judge({ name, unit }, counted, isEnough ? ALLOWANCES[kind] : {});
    });
  }

  /** Of each name: seconds and values. */
  all(): Readonly<Record<string, readonly (readonly [at: number, value: number])[]>> {
    const rounded = ({ at, value }: Sample) => [Math.round(at), Number(value.toFixed(2))] as const;
    return Object.fromEntries([...this.#series.values()].map(({ name, samples }) => [name, samples.map(rounded)]));
  }

  /** Gives how many threads it has. */
  async #takeOf(name: string, server: Waypost): Promise<number> {
    const metrics = await metricsText(server);
    const metric = (wanted: string): number => {
      const line = metrics.split('\n').find((text) => text.startsWith(`${wanted} `));
      return Number(line?.split(' ')[1] ?? Number.NaN);
    };
    const { waste, open, database } = storeOf(server);
    this.#note(name, 'memory', metric('waypost_resident_memory_bytes') / MIB);
    this.#note(name, 'log', metric('waypost_wal_bytes') / MIB);
    this.#note(name, 'unwritten', unwrittenOf(server) / MIB);
    this.#note(name, 'descriptors', descriptorsOf(server.pid));
    this.#note(name, 'waste', waste / MIB);
    this.#note(name, 'segments', open);
    this.#note(name, 'database', database / MIB);
    return THREADS_MORE + (metrics.match(/^waypost_connections\{/gm)?.length ?? 0);
  }

  #note(server: string, kind: Kind, value: number, thread?: string): void {
    const name = `${server} ${kind}${thread === undefined ? '' : ` ${thread}`}`;
    let series = this.#series.get(name);
    if (series === undefined) {
      series = { name, kind, thread: thread === undefined ? undefined : `${server} ${thread}`, samples: [] };
      this.#series.set(name, series);
    }
    const now = performance.now();
    series.samples.push({ at: (now - this.#began) / 1000, value, now });
  }
}

/** Octets of frames behind the last that has been written back, by the index of the log. https://www.sqlite.org/walformat.html */
function unwrittenOf({ data }: Waypost): number {
  const index = readFileSync(join(data, 'store.db-shm'));
  const little = endianness() === 'LE';
  const read = (at: number): number => (little ? index.readUInt32LE(at) : index.readUInt32BE(at));
  return Math.max(0, read(LAST_FRAME_AT) - read(WRITTEN_BACK_AT)) * FRAME_BYTES;
}

function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What the open descriptors of a process are, for a report that they have grown: `socket` -> how many. */
export function descriptorKinds(pid: number): Readonly<Record<string, number>> {
  const kinds: Record<string, number> = {};
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    const kind = kindOf(`/proc/${pid}/fd/${descriptor}`);
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

function kindOf(descriptor: string): string {
  try {
    const target = readlinkSync(descriptor);
    return target.endsWith('.seg') ? 'segment' : target.replace(/:\[\d+\]$/, '').replace(/^.*\//, '');
  } catch {
    return 'closed meanwhile';
  }
}

/** Octets; `open` is a number of segments. */
function storeOf({ data }: Waypost): { readonly waste: number; readonly open: number; readonly database: number } {
  const path = join(data, 'store.db');
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const open = new Set(
      database
        .prepare('SELECT id FROM segment WHERE closed IS NULL')
        .all()
        .map(({ id }) => Number(id)),
    );
    const rows = database.prepare('SELECT segment, sum(length + 32) AS bytes FROM message GROUP BY segment').all();
    const used = rows.reduce((sum, { segment, bytes }) => sum + (open.has(Number(segment)) ? 0 : Number(bytes)), 0);
    return { waste: closedBytes(join(data, 'segments'), open) - used, open: open.size, database: statSync(path).size };
  } finally {
    database.close();
  }
}

function closedBytes(folder: string, open: ReadonlySet<number>): number {
  const names = new Set([...open].map((id) => `${idText(id)}.seg`));
  return readdirSync(folder)
    .filter((name) => name.endsWith('.seg') && !names.has(name))
    .reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
