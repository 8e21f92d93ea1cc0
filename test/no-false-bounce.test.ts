// Promise 1, no false bounce: from the moment LDAP says success, RCPT on any thread and DNS over UDP and TCP answer from
// that change or a later one. Additions are never refused, not even for a while; what was removed is never accepted; and
// neither a full synchronization beside it nor kill -9 in the middle of both changes that.
//
// In      changes of users (with statuses and mail hosts), aliases, lists, domains, several LDAP connections at once, on the
//         started program; FALSE_BOUNCE_CHANGES=100000 for the long form
// Probes  before each change and at once after its success, on a connection of every protocol thread; all the time, from the
//         side, on addresses that others are changing: an answer must be that of a state between its question and itself;
//         after a restart, for every address
// Some additions get a whole message, some removals come between RCPT and the dot: 250 there, 550 5.1.1 here
// Can fail: where rememberRow (src/routing/history.ts) writes nothing, threads forget nothing, and the first probe after a
//         change is a violation

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { type DnsProbe, SmtpProbe, TcpProbe, UdpProbe } from './false-bounce/probes.ts';
import { answersOf, PROBES_HOST, TAKEN, type Thing, thingsOf } from './false-bounce/things.ts';
import { addDomain, addUser, administrator } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const CHANGES = Number(process.env['FALSE_BOUNCE_CHANGES'] ?? 400);
const KILLS = Math.max(2, Math.floor(CHANGES / 5000));
/** More protocol threads than cores, so that they are interrupted at any point. */
const THREADS = 3;
const WORKERS = 10;
/** Between two questions from the side: they are not what the machine is for. */
const PAUSE_MS = 3;
/** Between two full synchronizations. */
const SYNC_PAUSE_MS = 100;
/** A kill comes at any moment within these, and finds changes before, in and behind their commit. */
const KILL_MS = 30;
/** Nothing is judged by its time. */
const PATIENCE_MS = 600_000;

const counts = {
  changes: 0,
  'RCPT before a change': 0,
  'RCPT after a change': 0,
  'messages after an addition': 0,
  'removed before the dot': 0,
  'RCPT from the side': 0,
  'of those undecided': 0,
  'MX over UDP': 0,
  'MX over TCP': 0,
  'full synchronizations': 0,
  kills: 0,
  'changes cut off by a kill': 0,
  'of those committed': 0,
};
const violations: string[] = [];

function check(what: string, expected: string, reply: string): void {
  if (!reply.startsWith(expected) && violations.length < 20) violations.push(`${what}: ${reply}, not ${expected}`);
}

/** From one start of the server to its end. */
class Round {
  readonly server: Waypost;
  readonly #goal: number;
  #isOver = false;
  #isKilled = false;
  /** In the middle of what the others do. */
  killed: Promise<void> | undefined;

  /** Over at so many changes of all rounds. */
  constructor(server: Waypost, goal: number) {
    this.server = server;
    this.#goal = goal;
  }

  get isOver(): boolean {
    return this.#isOver || violations.length > 0;
  }

  countChange(): void {
    counts.changes++;
    if (counts.changes < this.#goal) return;
    if (this.#goal === CHANGES) this.end();
    else this.killed ??= this.#kill();
  }

  end(): void {
    this.#isOver = true;
  }

  async #kill(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * KILL_MS));
    this.end();
    this.#isKilled = true;
    await this.server.kill9();
  }

  /** What ends with the server may end in any way. */
  async run(what: () => Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      if (this.#isKilled) return;
      this.end();
      throw error;
    }
  }
}

/** A connection of every thread: the server hands each to the thread with the fewest. */
async function ofEveryThread<T>(open: () => Promise<T>): Promise<T[]> {
  const opened: T[] = [];
  for (let i = 0; i < THREADS; i++) opened.push(await open());
  return opened;
}

interface Worker {
  readonly ldap: Client;
  readonly smtp: readonly SmtpProbe[];
  readonly udp: DnsProbe;
  readonly tcp: readonly DnsProbe[];
  readonly things: readonly Thing[];
}

async function openWorker(server: Waypost, things: readonly Thing[]): Promise<Worker> {
  const { smtp, dns } = server.listeners;
  return {
    smtp: await ofEveryThread(() => SmtpProbe.open(smtp)),
    tcp: await ofEveryThread(() => TcpProbe.open(dns)),
    udp: await UdpProbe.open(dns),
    ldap: await administrator(server, PATIENCE_MS),
    things,
  };
}

function closeWorker({ smtp, tcp, udp, ldap }: Worker): void {
  for (const probe of [...smtp, ...tcp, udp]) probe.close();
  // Nobody answers it where the server was killed.
  ldap.unbind().catch(() => {});
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

async function work(worker: Worker, round: Round): Promise<void> {
  for (let i = 1; !round.isOver; i++) {
    const one = pick(worker.things);
    const isMessage = i % 20 === 0 && one.domain === undefined && one.states.at(-1) === 'here';
    await ask(worker, one, 'before');
    if (isMessage) await removeBeforeTheDot(worker, one, round);
    else await change(worker, one, round);
    await ask(worker, one, 'after');
    if (i % 20 !== 0 || one.states.at(-1) !== 'here') continue;
    const smtp = pick(worker.smtp);
    check(`RCPT ${one.address}`, TAKEN, await smtp.rcpt(one.address));
    check(`message to ${one.address}`, '250', await smtp.message());
    counts['messages after an addition']++;
  }
}

async function change({ ldap }: Worker, one: Thing, round: Round, to?: string): Promise<void> {
  const moves = one.moves[one.states.at(-1)!]!;
  const move = pick(to === undefined ? moves : moves.filter((each) => each.to === to));
  one.next = move.to;
  await move.by(ldap);
  one.states.push(move.to);
  one.next = undefined;
  round.countChange();
}

/** On every thread, at once. */
async function ask({ smtp, udp, tcp }: Worker, one: Thing, when: 'before' | 'after'): Promise<void> {
  const { rcpt, mx } = answersOf(one);
  const what = `${when} a change, ${one.states.slice(-2).join(' to ')}`;
  const asked = smtp.map(async (probe) => {
    check(`RCPT ${one.address} ${what}`, rcpt, await probe.rcpt(one.address));
    counts[`RCPT ${when} a change`]++;
  });
  const { domain } = one;
  if (domain !== undefined)
    for (const dns of [udp, ...tcp])
      asked.push(
        dns.mx(domain).then((answer) => {
          check(`MX ${domain} ${what}`, mx!, answer);
          counts[dns === udp ? 'MX over UDP' : 'MX over TCP']++;
        }),
      );
  await Promise.all(asked);
}

async function removeBeforeTheDot(worker: Worker, one: Thing, round: Round): Promise<void> {
  const smtp = pick(worker.smtp);
  check(`RCPT ${one.address}`, TAKEN, await smtp.rcpt(one.address));
  await change(worker, one, round, 'gone');
  check(`message to ${one.address}, removed`, '550 5.1.1', await smtp.message());
  counts['removed before the dot']++;
}

/** Questions at any time, also in the middle of changes. */
async function watch(smtp: SmtpProbe, things: readonly Thing[], round: Round): Promise<void> {
  while (!round.isOver) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const one = pick(things);
    const asked = one.states.length - 1;
    const reply = await smtp.rcpt(one.address);
    counts['RCPT from the side']++;
    const states = new Set([...one.states.slice(asked), ...(one.next === undefined ? [] : [one.next])]);
    if (states.size > 1) counts['of those undecided']++;
    const allowed = [...states].map((state) => one.answers[state]!.rcpt);
    if (!allowed.some((answer) => reply.startsWith(answer)))
      check(`RCPT ${one.address} from the side`, allowed.join(' or '), reply);
  }
}

async function synchronize(round: Round): Promise<void> {
  const admin = new AdminClient(round.server.data);
  while (!round.isOver) {
    const { differences } = await admin.call('sync.full', {});
    counts['full synchronizations']++;
    check('differences of a full synchronization', '0', String(differences));
    await new Promise((resolve) => setTimeout(resolve, SYNC_PAUSE_MS));
  }
}

/** A change without an answer has happened or not; then what all threads say is one of the two, and stays so. */
async function takeUp(worker: Worker): Promise<void> {
  for (const one of worker.things) {
    if (one.next !== undefined) {
      counts['changes cut off by a kill']++;
      const reply = await worker.smtp[0]!.rcpt(one.address);
      if (reply.startsWith(one.answers[one.next]!.rcpt)) {
        one.states.push(one.next);
        counts['of those committed']++;
      }
      one.next = undefined;
    }
    await ask(worker, one, 'after');
  }
}

test(`${CHANGES} changes, ${KILLS} kills: no false refusal, no stale acceptance, on any thread`, async (context) => {
  const server = await startWaypost({ config: `threads = ${THREADS}\nlog = "warn"\n` });
  context.after(() => server.stop());
  const things = Array.from({ length: WORKERS }, (_, n) => thingsOf(n));
  const first = await administrator(server, PATIENCE_MS);
  await first.add(`cn=${PROBES_HOST},ou=Hosts,ou=Waypost,o=internet`, {
    objectClass: 'waypostHost',
    cn: PROBES_HOST,
    waypostHostAddress: '127.0.0.1',
  });
  for (const n of things.keys()) {
    await addDomain(first, `home${n}.example`);
    await addUser(first, `fix@home${n}.example`);
  }
  await first.unbind();

  const began = performance.now();
  for (let number = 1; number <= KILLS + 1 && violations.length === 0; number++) {
    const round = new Round(server, Math.floor((CHANGES * number) / (KILLS + 1)));
    const watchers = await ofEveryThread(() => SmtpProbe.open(server.listeners.smtp));
    const workers: Worker[] = [];
    try {
      for (const of of things) workers.push(await openWorker(server, of));
      await Promise.all(workers.map(takeUp));
      const all = things.flat();
      const ended = await Promise.allSettled([
        ...workers.map((worker) => round.run(() => work(worker, round))),
        ...watchers.map((smtp) => round.run(() => watch(smtp, all, round))),
        round.run(() => synchronize(round)),
      ]);
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
    } finally {
      for (const worker of workers) closeWorker(worker);
      for (const smtp of watchers) smtp.close();
    }
    if (round.killed === undefined) continue;
    await round.killed;
    counts.kills++;
    await server.restart();
  }
  const seconds = (performance.now() - began) / 1000;
  for (const [what, count] of Object.entries(counts)) context.diagnostic(`${count} ${what}`);
  context.diagnostic(`${Math.round(counts.changes / seconds)} changes a second, ${THREADS} protocol threads`);
  assert.deepEqual(violations, []);
  const { differences, rows } = await new AdminClient(server.data).call('sync.verify', {});
  assert.deepEqual(differences, [], `of ${rows} rows`);
  assert.equal(counts.kills, KILLS);
  assert.ok(counts.changes >= CHANGES);
});
