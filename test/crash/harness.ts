// The crash test: write under load, kill at a random moment, start again, compare with what was acknowledged.
//
// In      number of cycles, a seed, how the machine dies: the process alone, or the power with it (power-loss/)
// Out     a verdict: what is lost, doubled, torn, alien; repeated remote deliveries counted apart; restart times
// Limits  a cycle writes for at most a second, longer only until LOAD_MIN messages are acknowledged; a restart has five
//         seconds to its first answer
// Never   repairs anything by hand, and never sends again what was not answered

import type { Switches } from '../../src/server/switches.ts';
import { type Person, populate } from '../support/directory.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { CLOSE, type SinkAnswer, type SinkScript, SmtpSink } from '../support/smtp-sink.ts';
import { until } from '../support/until.ts';
import { Ends, endKey } from './ends.ts';
import { Ledger, type Problems } from './ledger.ts';
import { REFUSED, startLoad } from './load.ts';
import { recognize, seeded } from './message.ts';
import { firstAnswer, illegalStates, readEntries, readMailbox, readQueue } from './read-back.ts';

export const FIRST_ANSWER_MS = 5000;
/** A cycle is no use without a load, and a machine with other work may need longer for it. */
const LOAD_MIN = 20;
const LOAD_WAIT_MS = 60_000;
/** From the last restart until everything for the remote host has left. */
const DRAIN_MS = 60_000;
/**
 * Between the remote host's 250 and our commit lies one delivery a connection, and that one may be repeated. The server
 * has so many under way to one host; a connection may be closed already when its outcome is not yet committed.
 */
const UNDER_WAY_MAX = 20;
/** The whole store is checked after each so many cycles, and at the end. */
const CHECK_EVERY = 5;
const DOMAIN = 'acme.example';
const REMOTE = 'remote.example';

export interface CrashOptions {
  /** Where the server keeps its data; the caller removes it. */
  readonly data: string;
  readonly cycles: number;
  readonly seed: number;
  /** What the server does worse than the shipped one, so that the test must fail. */
  readonly switches?: Partial<Switches>;
  /** Nothing for a remote host. */
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
  readonly remote: { readonly sent: number; readonly repeated: number; readonly allowed: number };
  readonly refusals: Readonly<Record<string, number>>;
  readonly firstAnswerMs: { readonly median: number; readonly max: number };
  readonly sentences: readonly string[];
}

export async function runCrashTest(options: CrashOptions): Promise<Verdict> {
  const sink = await SmtpSink.start();
  try {
    return await cycles(options, sink);
  } finally {
    await sink.close();
  }
}

async function cycles(options: CrashOptions, sink: SmtpSink): Promise<Verdict> {
  const { data } = options;
  const random = seeded(options.seed);
  const say = options.say ?? (() => {});
  const config = `[next-hop]\n"${REMOTE}" = "${sink.nextHop}"\n\n[queue]\nretry = ["1s"]\nexpire = "1d"\n`;
  // The first start and its people are not what is tested: they are on the disk before the first cut.
  const server = await startWaypost({ data, config, env: { WAYPOST_LOG: 'warn' } });
  try {
    const names = (letter: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${letter}${i}`);
    const people = await populate(server, DOMAIN, [...names('r', 10), ...names('w', 2), ...names('s', 2)]);
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
      remoteDomain: REMOTE,
    };
    await server.stop();
    sink.script = failing(random);
    options.power?.begin();
    await restart(run, options);
    let allowed = 0;

    for (let cycle = 1; cycle <= options.cycles; cycle++) {
      const before = sink.connections;
      const load = startLoad(scene);
      const enough = run.ledger.acknowledged() + LOAD_MIN;
      await new Promise((wait) => setTimeout(wait, 150 + random() * 850));
      await until('something to lose', () => run.ledger.acknowledged() >= enough, LOAD_WAIT_MS);
      load.stop();
      await server.kill9();
      await load.ended;
      for (const [text, count] of load.refusals) run.refusals.set(text, (run.refusals.get(text) ?? 0) + count);
      allowed += Math.min(UNDER_WAY_MAX, sink.connections - before);
      options.power?.cut();
      // One kill in four meets the next start, which has the most to put right.
      if (random() < 0.25) {
        const ended = sink.connections;
        await server.interruptedStart(random() * 600);
        allowed += Math.min(UNDER_WAY_MAX, sink.connections - ended);
        options.power?.cut();
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
    if (total(run.ledger.problems) === 0) await drain(run, sink);
    const mailboxes = await compare(run, true);
    await checkStates(run);
    run.ledger.checkRemote(countRemote(sink));
    await checkEnds(run, sink, mailboxes);
    await server.stop();
    return verdict(options.seed, run, allowed);
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
  const { switches } = options;
  const began = performance.now();
  await run.server.restart({ env, ...(switches === undefined ? {} : { switches }) });
  await firstAnswer(run.server.listeners.smtp);
  run.firstAnswerMs.push(Math.round(performance.now() - began));
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

/** A host that fails in each phase now and then, and refuses some recipients for good. */
function failing(random: () => number): SinkScript {
  const sometimes = (answer: SinkAnswer) => (): SinkAnswer | undefined => (random() < 0.03 ? answer : undefined);
  const later = '451 4.3.0 not now';
  return {
    greeting: sometimes('421 4.3.2 busy'),
    ehlo: sometimes(CLOSE),
    mail: sometimes(later),
    rcpt: (address) => (address.startsWith(REFUSED) ? REFUSES : sometimes(later)()),
    data: sometimes(CLOSE),
    // Kept only when the reply says so.
    dot: () => sometimes(later)() ?? sometimes(CLOSE)(),
  };
}

const REFUSES = '550 5.1.1 no such user';
const REFUSING: SinkScript = { rcpt: (address) => (address.startsWith(REFUSED) ? REFUSES : '250 2.1.5 ok') };

/** Each accepted recipient of a submitted message, in exactly one place. */
async function checkEnds({ server, ledger, ends }: Run, sink: SmtpSink, mailboxes: Mailboxes): Promise<void> {
  const remote = new Map<string, number>();
  const inMailbox = new Map<string, number>();
  const inReport = new Map<string, number>();
  const inQueue = new Map<string, number>();
  const add = (counts: Map<string, number>, id: string | undefined, recipient: string): void => {
    if (id !== undefined) counts.set(endKey(id, recipient), (counts.get(endKey(id, recipient)) ?? 0) + 1);
  };
  for (const { data, recipients } of sink.messages) {
    const id = recognize(Buffer.from(data, 'latin1'))?.id;
    for (const recipient of recipients) add(remote, id, recipient);
  }
  for (const [login, found] of mailboxes)
    for (const { id, report } of found) {
      if (report === undefined) add(inMailbox, id, login);
      else for (const recipient of report) add(inReport, id, recipient);
    }
  for (const recipient of await readQueue(server)) add(inQueue, /^(?:no-)?(m\d+)@/.exec(recipient)?.[1], recipient);
  const found = { mailbox: inMailbox, remote, queue: inQueue, report: inReport };
  for (const sentence of ends.check(found)) ledger.problem('ends', sentence);
}

async function checkStates({ server, ledger }: Run): Promise<void> {
  for (const sentence of await illegalStates(server)) ledger.problem('states', sentence);
}

function countRemote(sink: SmtpSink): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { data } of sink.messages) {
    const id = recognize(Buffer.from(data, 'latin1'))?.id ?? 'a message without an id';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

async function drain({ ledger, server }: Run, sink: SmtpSink): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  const remote = [...ledger.messages.values()].filter(({ kind, fate }) => kind === 'remote' && fate === 'acknowledged');
  for (;;) {
    const counts = countRemote(sink);
    const isDone = remote.every(({ id }) => counts.has(id)) && (await readQueue(server)).length === 0;
    if (isDone || performance.now() > deadline) return;
    await new Promise((wait) => setTimeout(wait, 200));
  }
}

function verdict(seed: number, run: Run, allowed: number): Verdict {
  const { ledger } = run;
  const times = run.firstAnswerMs.toSorted((a, b) => a - b);
  const records = [...ledger.messages.values()].filter(({ fate }) => fate === 'acknowledged');
  const remote = records.filter(({ kind }) => kind === 'remote').length;
  const max = times.at(-1) ?? 0;
  const kept = total(ledger.problems) === 0 && ledger.remoteRepeated <= allowed;
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
    phantoms: ledger.phantoms,
    remote: { sent: remote, repeated: ledger.remoteRepeated, allowed },
    refusals: Object.fromEntries(run.refusals),
    firstAnswerMs: { median: times[Math.floor(times.length / 2)] ?? 0, max },
    sentences: ledger.sentences,
  };
}

function total(problems: Problems): number {
  return Object.values(problems).reduce((sum, count) => sum + count, 0);
}
