// The bench: the same generator lines against Waypost and against Postfix + Dovecot, by turns, in one run.
//
//   --quick         one round instead of three, the lines with a bar only
//   --only NAME     this line only; may be repeated
//   --alone         Waypost alone, even where the peers are installed
//   --json          one JSON object on standard output instead of the table
//
// Out     a table of medians and ratios; exit code 1 when a bar is missed, 0 when all are held or no peer is installed
// Never   compares figures of different runs: the disk's sync rate can change tenfold in minutes

import { cpus, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type Figures, generate } from './generate.ts';
import { peersMissing, type Side, type SideName, startOurs, startPeers } from './sides.ts';

interface Line {
  readonly name: string;
  readonly what: string;
  /** Arguments for this side. The count is only how long it takes: rates are compared. */
  readonly run: (side: Side, offset: number) => Figures;
  readonly figure: string;
  readonly unit: string;
  readonly against: readonly Exclude<SideName, 'waypost'>[];
  /** At least so many times the other side's rate. */
  readonly bars: Partial<Record<SideName, number>>;
}

const PEER_NAMES = { shipped: 'Postfix + Dovecot', fast: 'the same, fast logins' } as const;

/** Fresh mailboxes of one run. */
const MAILBOXES = 100;

function deliveries(size: number, rcpts: number, ours: number, theirs: number): Line['run'] {
  return (side, offset) =>
    generate('smtp-load', [
      ...['--port', side.smtp, '--wait-imap', `127.0.0.1:${side.imap}`, '--tree', side.pids, '--conns', 20],
      ...['--users', MAILBOXES, '--offset', offset, '--size', size, '--rcpts', rcpts],
      ...['--count', side.name === 'waypost' ? ours : theirs],
    ]);
}

function imap(mode: string, ours: number, theirs: number, extra: readonly (string | number)[]): Line['run'] {
  return (side, offset) =>
    generate('imap-load', [
      ...['--port', side.imap, '--tree', side.pids, '--mode', mode, '--offset', offset, '--users', 10],
      ...['--count', side.name === 'waypost' ? ours : theirs, ...extra],
    ]);
}

/** Ours with Argon2id, each account seen before, which a mail client's are; Dovecot's passwords are in the clear. */
function logins(side: Side, offset: number): Figures {
  const users = ['--mode', 'login', '--port', side.imap, '--users', 50, '--offset', offset, '--conns', 10];
  generate('imap-load', [...users, '--count', 50]);
  return generate('imap-load', [...users, '--tree', side.pids, '--count', side.name === 'waypost' ? 3000 : 300]);
}

const LINES: readonly Line[] = [
  {
    name: 'deliver',
    what: '10 KB, 20 connections, 1 recipient',
    run: deliveries(10_240, 1, 8000, 1000),
    figure: 'msgs_s',
    unit: 'messages/s in the mailbox',
    against: ['shipped'],
    bars: { shipped: 10 },
  },
  {
    name: 'deliver-20',
    what: '10 KB, 20 connections, 20 recipients',
    run: deliveries(10_240, 20, 2000, 150),
    figure: 'deliveries_s',
    unit: 'deliveries/s',
    against: ['shipped'],
    bars: { shipped: 20 },
  },
  {
    name: 'login',
    what: 'login + SELECT + LOGOUT, 10 connections',
    run: logins,
    figure: 'logins_s',
    unit: 'sessions/s',
    against: ['shipped', 'fast'],
    bars: { shipped: 5, fast: 2 },
  },
  {
    name: 'deliver-1k',
    what: '1 KB, 20 connections, 1 recipient',
    run: deliveries(1024, 1, 8000, 1000),
    figure: 'msgs_s',
    unit: 'messages/s in the mailbox',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'deliver-100k',
    what: '100 KB, 20 connections, 1 recipient',
    run: deliveries(102_400, 1, 2000, 500),
    figure: 'msgs_s',
    unit: 'messages/s in the mailbox',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'append',
    what: 'APPEND 10 KB, 10 connections, 10 users',
    run: imap('append', 3000, 1500, ['--conns', 10]),
    figure: 'appends_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'fetch-envelope',
    what: 'FETCH 1:* (FLAGS ENVELOPE), 4 connections, after APPEND',
    run: imap('fetch', 400, 400, ['--conns', 4]),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'fetch-body',
    what: 'FETCH 1:* BODY.PEEK[], 1 connection, after APPEND',
    run: imap('fetch', 20, 20, ['--conns', 1, '--items', 'BODY.PEEK[]']),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'store',
    what: 'STORE one message a command, 10 connections, after APPEND (Dovecot does not sync flags)',
    run: imap('store', 5000, 5000, ['--conns', 10]),
    figure: 'stores_s',
    unit: 'commands/s',
    against: ['shipped'],
    bars: {},
  },
  {
    name: 'pop3',
    what: 'POP3: STAT, RETR of all, QUIT, after APPEND',
    run: (side, offset) =>
      generate('pop3-load', ['--port', side.pop3, '--tree', side.pids, '--offset', offset, '--users', 1, '--count', 5]),
    figure: 'msgs_s',
    unit: 'messages/s',
    against: ['shipped'],
    bars: {},
  },
];

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
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
    console.log(`\nAppends of 4 KiB, each synced, before and after: ${disk.join(' and ')}/s. ${machine()}.`);
  }
  return results.every(({ missed }) => missed.length === 0);
}

function measure(line: Line, offset: number): Result {
  const runs = new Map<SideName, Figures[]>();
  const taking = sides.filter(({ name }) => name === 'waypost' || line.against.includes(name));
  const fresh = line.name.startsWith('deliver');
  for (let round = 0; round < rounds; round++) {
    for (const side of taking) {
      const figures = line.run(side, fresh ? offset + round * MAILBOXES : READ);
      runs.set(side.name, [...(runs.get(side.name) ?? []), figures]);
      say(`${line.name} ${side.name}: ${figures[line.figure]} ${line.unit}`);
    }
  }
  const medians = new Map(
    [...runs].map(([name, all]) => [name, median(all.map((figures) => Number(figures[line.figure])))]),
  );
  const missed = Object.entries(line.bars).flatMap(([name, bar]) => {
    const theirs = medians.get(name as SideName);
    if (theirs === undefined || medians.get('waypost')! >= theirs * bar) return [];
    return [`${line.name}: ${ratio(medians.get('waypost')!, theirs)} times ${name}, the bar is ${bar}`];
  });
  return { line, medians, runs, missed };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function ratio(ours: number, theirs: number): string {
  return (ours / theirs).toFixed(1);
}

function fsyncCost(): number {
  return Number(generate('fsync-cost', ['--dir', tmpdir(), '--seconds', 1])['appends_s']);
}

function machine(): string {
  const cores = cpus();
  return `${cores.length} cores, ${cores[0]?.model ?? 'unknown'}, Node ${process.versions.node}, ${rounds} round${rounds === 1 ? '' : 's'}`;
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
      const verdict = bar === undefined ? '' : ours >= theirs * bar ? 'held' : 'MISSED';
      rows.push([
        `${line.name}: ${line.what}`,
        `${shown(ours)} ${line.unit}`,
        shown(theirs),
        PEER_NAMES[name],
        ratio(ours, theirs),
        bar === undefined ? '' : String(bar),
        verdict,
      ]);
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}

function asJson(results: readonly Result[], disk: readonly number[]): object {
  return {
    machine: machine(),
    rounds,
    syncedAppendsPerSecond: disk,
    lines: results.map(({ line, medians, runs, missed }) => ({
      name: line.name,
      what: line.what,
      unit: line.unit,
      medians: Object.fromEntries(medians),
      ratios: Object.fromEntries(
        [...medians].flatMap(([name, theirs]) =>
          name === 'waypost' ? [] : [[name, Number(ratio(medians.get('waypost')!, theirs))]],
        ),
      ),
      bars: line.bars,
      missed,
      runs: Object.fromEntries(runs),
    })),
  };
}
