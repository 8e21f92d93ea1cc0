// The crash test: write under load, kill at a random moment, start again, compare with what was acknowledged.
//
// In      number of cycles, a seed, how the machine dies: the process alone, or the power with it (power-loss/)
// Out     a verdict: what is lost, doubled, torn, alien; repeated remote deliveries counted apart; restart times
// Limits  a cycle writes for at most a second, longer only until LOAD_MIN messages are acknowledged; a restart has five
//         seconds to its first answer
// Never   repairs anything by hand, and never sends again what was not answered

import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RemoteHost } from '../../src/estate/remote-host.ts';
import { CLOSE, type RemoteAnswer, type RemoteHostScript } from '../../src/estate/remote-script.ts';
import type { Switches } from '../../src/server/switches.ts';
import { type Person, populate } from '../support/directory.ts';
import { freePort } from '../support/free-ports.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';
import { type End, Ends, type Taker } from './ends.ts';
import { findEnds } from './found-ends.ts';
import { Ledger, type Problems } from './ledger.ts';
import { startLoad } from './load.ts';
import { seeded } from './message.ts';
import { firstAnswer, illegalStates, readEntries, readMailbox, readQueue } from './read-back.ts';
import { addWays, DOMAIN, LATER, MBOX, REFUSED, REMOTE, RUNS_AT_ONCE, WAYS } from './ways.ts';

export const FIRST_ANSWER_MS = 5000;
const TAKE_AND_CLOSE: RemoteAnswer = { close: true, taken: true };
/** A cycle is no use without a load, and a machine with other work may need longer for it. */
export const LOAD_MIN = 30;
const LOAD_WAIT_MS = 180_000;
/** From the last restart until everything for the remote host has left. */
const DRAIN_MS = 180_000;
/** The whole store is checked after each so many cycles, and at the end. */
const CHECK_EVERY = 5;
/** New connections to the other host are refused for so long, in some of the cycles. */
const REFUSED_MS = 150;

export interface CrashOptions {
  /** Where the server keeps its data; the caller removes it. */
  readonly data: string;
  readonly cycles: number;
  readonly seed: number;
  /** What the server does worse than the shipped one, so that the test must fail. */
  readonly switches?: Partial<Switches>;
  /** Mailboxes alone: no way out. */
  readonly local?: boolean;
  /** How the power goes: prepares the environment, and takes from the directory what was never synced. */
  readonly power?: PowerLoss;
  /** A line of progress. */
  readonly say?: (text: string) => void;
}

export interface PowerLoss {
  readonly env: Readonly<Record<string, string>>;
  /** Everything in the data directory counts as synced from now on. */
  begin(): void;
  /** It becomes what a disk would hold after the power was cut. */
  cut(): void;
}

export interface Verdict {
  /** Nothing acknowledged is lost or doubled, nothing is where it should not be. */
  readonly kept: boolean;
  /** Kept, and every restart had its first answer in time. */
  readonly ok: boolean;
  readonly cycles: number;
  readonly seed: number;
  readonly acknowledged: { readonly messages: number; readonly deliveries: number; readonly entries: number };
  readonly problems: Problems;
  readonly phantoms: number;
  /** Where recipients of what goes out have ended. */
  readonly ends: Readonly<Record<End, number>>;
  readonly repeated: Readonly<Record<Taker, number>>;
  /** So many of them may have been programs that ran at a kill. */
  readonly running: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly firstAnswerMs: { readonly median: number; readonly max: number };
  /** Messages whose bytes have moved, at the end. */
  readonly moved: number;
  readonly sentences: readonly string[];
}

export async function runCrashTest(options: CrashOptions): Promise<Verdict> {
  const sink = await RemoteHost.start({}, '127.0.0.2', await freePort());
  // Programs are somebody else, who may write here.
  const folder = mkdtempSync(join(tmpdir(), 'waypost-crash-programs-'));
  chmodSync(folder, 0o777);
  try {
    return await cycles(options, sink, folder);
  } finally {
    await sink.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function cycles(options: CrashOptions, sink: RemoteHost, folder: string): Promise<Verdict> {
  const { data } = options;
  const random = seeded(options.seed);
  const say = options.say ?? (() => {});
  // Whatever segment is closed is compressed at once, so that bytes move at each kill.
  const config = `[store]\ncompress = "0s"\n\n[next-hop]\n"${REMOTE}" = "${sink.nextHop}"\n\n[queue]\nretry = ["1s"]\nexpire = "1d"\n`;
  // The first start and its people are not what is tested: they are on the disk before the first cut.
  const server = await startWaypost({ data, config, env: { WAYPOST_LOG: 'warn' } });
  try {
    const names = (letter: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${letter}${i}`);
    const people = await populate(server, DOMAIN, [...names('r', 10), ...names('w', 2), ...names('s', 2)]);
    if (!options.local) people.push(...(await addWays(server, folder)));
    const group = (letter: string): Person[] => people.filter(({ login }) => login.startsWith(letter));
    const run: Run = {
      server,
      ledger: new Ledger(),
      ends: new Ends(),
      submitters: new Set(group('s')),
      people,
      bodiesFrom: new Map(),
      cycles: 0,
      firstAnswerMs: [],
      refusals: new Map(),
    };
    const scene = {
      server,
      ledger: run.ledger,
      ends: run.ends,
      random,
      domain: DOMAIN,
      readers: group('r'),
      writers: group('w'),
      submitters: options.local ? [] : group('s'),
      ways: options.local ? [] : WAYS,
      writtenOnce: [],
      // What it syncs is not watched.
      submitFolder: options.local || options.power !== undefined ? undefined : join(data, 'submit'),
    };
    await server.stop();
    let runs = 0;
    sink.script = failing(random);
    options.power?.begin();
    await restart(run, options);
    const killed = (): void => {
      runs += RUNS_AT_ONCE;
      if (options.power === undefined) return;
      options.power.cut();
      letLockAge(data);
    };

    for (let cycle = 1; cycle <= options.cycles; cycle++) {
      const load = startLoad(scene);
      const enough = run.ledger.acknowledged() + LOAD_MIN;
      const refused = random() < 0.3 ? sink.refuse(REFUSED_MS) : undefined;
      await new Promise((wait) => setTimeout(wait, 150 + random() * 850));
      await until('something to lose', () => run.ledger.acknowledged() >= enough, LOAD_WAIT_MS);
      load.stop();
      await server.kill9();
      await load.ended;
      await refused;
      for (const [text, count] of load.refusals) run.refusals.set(text, (run.refusals.get(text) ?? 0) + count);
      killed();
      // One kill in four meets the next start, which has the most to put right.
      if (random() < 0.25) {
        await server.interruptedStart(random() * 600);
        killed();
      }
      await restart(run, options);
      await compare(run);
      if (cycle % CHECK_EVERY === 0) await checkStates(run);
      run.cycles = cycle;
      say(
        `cycle ${cycle}: ${run.ledger.acknowledged()} messages acknowledged so far, ${total(run.ledger.problems)} problems`,
      );
      // One broken promise is enough; what follows would only repeat it.
      if (total(run.ledger.problems) > 0) break;
    }
    sink.script = REFUSING;
    // What is lost will not come: there is nothing to wait for.
    if (total(run.ledger.problems) === 0) await drain(run, scene.submitFolder);
    const mailboxes = await compare(run, true);
    await checkStates(run);
    await findEnds(run.ledger, run.ends, { server, sink, mailboxes, programLog: join(folder, 'log') });
    for (const sentence of run.ends.check()) run.ledger.problem('ends', sentence);
    if (total(run.ledger.problems) === 0) await until('bytes that have moved', () => movedMessages(data) > 0);
    await server.stop();
    return { ...verdict(options.seed, run, runs), moved: movedMessages(data) };
  } finally {
    await server.kill9();
  }
}

interface Run {
  readonly server: Waypost;
  readonly ledger: Ledger;
  readonly ends: Ends;
  /** They get reports. */
  readonly submitters: ReadonlySet<Person>;
  cycles: number;
  readonly people: readonly Person[];
  /** By login: UIDs below have been read octet for octet. */
  readonly bodiesFrom: Map<string, number>;
  readonly firstAnswerMs: number[];
  readonly refusals: Map<string, number>;
}

async function restart(run: Run, options: CrashOptions): Promise<void> {
  const env = { WAYPOST_LOG: 'warn', ...options.power?.env };
  const switches = { upkeepAfterMs: 0, ...options.switches };
  const began = performance.now();
  await run.server.restart({ env, switches });
  await firstAnswer(run.server.listeners.smtp);
  run.firstAnswerMs.push(Math.round(performance.now() - began));
}

/** A lock that a power cut has left may not say whose it was: it holds for five minutes, which nobody waits for here. */
function letLockAge(data: string): void {
  const lock = join(data, 'files', DOMAIN, `${MBOX}.lock`);
  if (existsSync(lock)) utimesSync(lock, 0, 0);
}

/** Everything the server has against everything it said; `whole` reads all octets again. */
async function compare(run: Run, whole = false): Promise<Mailboxes> {
  const mailboxes = new Map<string, Awaited<ReturnType<typeof readMailbox>>>();
  for (const person of run.people) {
    const from = whole || run.submitters.has(person) ? 1 : (run.bodiesFrom.get(person.login) ?? 1);
    const found = await readMailbox(run.server, person, from);
    mailboxes.set(person.login, found);
    run.bodiesFrom.set(person.login, Math.max(from, ...found.map(({ uid }) => uid + 1)));
  }
  const mail = [...mailboxes].map(
    ([login, found]) => [login, found.filter(({ report }) => report === undefined)] as const,
  );
  run.ledger.check(new Map(mail));
  run.ledger.checkEntries(await readEntries(run.server));
  return mailboxes;
}

type Mailboxes = ReadonlyMap<string, Awaited<ReturnType<typeof readMailbox>>>;

/**
 * A host that fails in each phase now and then: it is gone without a word, says later, has taken a message and does not say so. Some senders, recipients and messages it never takes: always the same, for what it has taken once it may not refuse later.
 */
function failing(random: () => number): RemoteHostScript {
  const sometimes = (...answers: readonly RemoteAnswer[]): RemoteAnswer | undefined =>
    random() < 0.04 ? answers[Math.floor(random() * answers.length)] : undefined;
  return {
    greeting: () => sometimes('421 4.3.2 busy', CLOSE),
    ehlo: () => sometimes('421 4.3.2 busy', CLOSE),
    mail: (line) => (isOneIn(23, /carol-m(\d+)@/.exec(line)) ? NEVER : sometimes(NOT_NOW, CLOSE)),
    rcpt: (address) => REFUSING.rcpt(address) ?? sometimes(NOT_NOW, CLOSE),
    data: () => sometimes(NOT_NOW, CLOSE),
    dot(data) {
      // Nobody is told of an answer or a report that is refused for good.
      if (isOneIn(29, /^X-Crash-Id: m(\d+)/m.exec(head(data)))) return NEVER;
      return sometimes(NOT_NOW, CLOSE, TAKE_AND_CLOSE);
    },
  };
}

const head = (data: string): string => data.slice(0, data.indexOf('\r\n\r\n'));
const isOneIn = (count: number, found: RegExpExecArray | null): boolean =>
  found !== null && Number(found[1]) % count === 0;
const NOT_NOW = '451 4.3.0 not now';
const NEVER = '550 5.7.1 not this';
const REFUSING = {
  rcpt(address: string): RemoteAnswer | undefined {
    if (address.startsWith(REFUSED)) return '550 5.1.1 no such user';
    return address.startsWith(LATER) ? NOT_NOW : undefined;
  },
} satisfies RemoteHostScript;

async function checkStates({ server, ledger }: Run): Promise<void> {
  for (const sentence of await illegalStates(server)) ledger.problem('states', sentence);
}

/** Until nothing moves: what stays in the queue is held, or not taken now. */
async function drain({ server }: Run, submitFolder: string | undefined): Promise<void> {
  const stays = (recipient: string): boolean => recipient.startsWith('held+') || recipient.startsWith(LATER);
  const isOver = async (): Promise<boolean> =>
    (submitFolder === undefined || readdirSync(submitFolder).every((name) => name === 'bad')) &&
    (await readQueue(server)).every(stays);
  // The ledger says what has not moved.
  await until('an end of all that moves', isOver, DRAIN_MS).catch(() => {});
}

function movedMessages(data: string): number {
  using database = new DatabaseSync(join(data, 'store.db'), { readOnly: true, timeout: 5000 });
  return Number(database.prepare('SELECT count(*) AS n FROM message WHERE codec > 0').get()?.['n']);
}

function verdict(seed: number, run: Run, running: number): Omit<Verdict, 'moved'> {
  const { ledger, ends } = run;
  const times = run.firstAnswerMs.toSorted((a, b) => a - b);
  const records = [...ledger.messages.values()].filter(({ fate }) => fate === 'acknowledged');
  const max = times.at(-1) ?? 0;
  const kept = total(ledger.problems) === 0 && ends.repeated.program <= running;
  return {
    kept,
    ok: kept && max < FIRST_ANSWER_MS,
    cycles: run.cycles,
    seed,
    acknowledged: {
      messages: records.length,
      deliveries: records.reduce((sum, { recipients }) => sum + recipients.length, 0),
      entries: [...ledger.entries.values()].filter((fate) => fate === 'acknowledged').length,
    },
    problems: ledger.problems,
    phantoms: ledger.phantoms + ends.phantoms,
    ends: ends.counts,
    repeated: ends.repeated,
    running,
    refusals: Object.fromEntries(run.refusals),
    firstAnswerMs: { median: times[Math.floor(times.length / 2)] ?? 0, max },
    sentences: ledger.sentences,
  };
}

function total(problems: Problems): number {
  return Object.values(problems).reduce((sum, count) => sum + count, 0);
}
