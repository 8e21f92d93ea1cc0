// Promise 1, no false bounce: from the moment LDAP says success, RCPT on any thread and DNS over UDP and TCP answer from
// that change or a later one. Additions are never refused, not even for a while; what was removed is never accepted.
//
// In      10,000 changes (users, aliases, lists, domains), several LDAP connections at once, on the started program
// Probes  after each success, at once, on a connection of every protocol thread; and all the time, from the side, on
//         addresses that others are changing: an answer counts when nothing was under way from its question to it
// Some additions get a whole message, some removals come between RCPT and the dot: 250 there, 550 5.1.1 here

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attribute, Change, type Client } from 'ldapts';
import { type DnsProbe, SmtpProbe, TcpProbe, UdpProbe } from './false-bounce/probes.ts';
import { addDomain, addUser, administrator, domainDn, userAttributes, userDn } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const CHANGES = Number(process.env['FALSE_BOUNCE_CHANGES'] ?? 10_000);
/** More protocol threads than cores, so that they are interrupted at any point. */
const THREADS = 3;
const WORKERS = 10;
/** Between two questions from the side: they are not what the machine is for. */
const PAUSE_MS = 3;
/** So few that the same addresses come and go, and negative answers are remembered and have to be forgotten. */
const NAMES = 25;
const MX = 'MX mail.waypost.example';

const counts = {
  additions: 0,
  removals: 0,
  'RCPT after an addition': 0,
  'RCPT after a removal': 0,
  'messages after an addition': 0,
  'removed before the dot': 0,
  'RCPT from the side': 0,
  'of those undecided': 0,
  'MX over UDP': 0,
  'MX over TCP': 0,
};
const violations: string[] = [];

function check(what: string, expected: string, reply: string): void {
  if (!reply.startsWith(expected) && violations.length < 20) violations.push(`${what}: ${reply}, not ${expected}`);
}

/** One thing that comes and goes. */
interface Toggle {
  readonly address: string;
  /** Of a domain that comes and goes: its name. */
  readonly domain?: string;
  /** RCPT and MX when it is not there. */
  readonly refusal: string;
  readonly rcode?: string;
  readonly add: (client: Client) => Promise<unknown>;
  readonly remove: (client: Client) => Promise<unknown>;
  isThere: boolean;
  /** A change is under way. */
  changing: boolean;
  changes: number;
}

function toggle(parts: Pick<Toggle, 'address' | 'refusal' | 'add' | 'remove'> & Partial<Toggle>): Toggle {
  return { isThere: false, changing: false, changes: 0, ...parts };
}

function modify(dn: string, operation: 'add' | 'delete', type: string, value: string) {
  const change = new Change({ operation, modification: new Attribute({ type, values: [value] }) });
  return (client: Client) => client.modify(dn, change);
}

/** Everything that worker `n` changes, in a domain of its own; `fix` is the user in it who stays. */
function togglesOf(n: number): Toggle[] {
  const home = `home${n}.example`;
  const noSuchUser = '550 5.1.1';
  const all: Toggle[] = [];
  for (let i = 0; i < NAMES; i++) {
    const address = `user${i}@${home}`;
    // Hashed already, or without a password: the hash would be most of the time.
    const { userPassword, ...withoutPassword } = userAttributes(address);
    const attributes = i % 2 === 0 ? { ...withoutPassword, userPassword: userPassword! } : withoutPassword;
    all.push(
      toggle({
        address,
        refusal: noSuchUser,
        add: (client) => client.add(userDn(address), attributes),
        remove: (client) => client.del(userDn(address)),
      }),
    );
  }
  for (let i = 0; i < 3; i++) {
    const alias = `alias${i}@${home}`;
    const [add, remove] = (['add', 'delete'] as const).map((operation) =>
      modify(userDn(`fix@${home}`), operation, 'mailAlternateAddress', alias),
    );
    all.push(toggle({ address: alias, refusal: noSuchUser, add: add!, remove: remove! }));
    const list = `cn=list${i},ou=Groups,${domainDn(home)}`;
    all.push(
      toggle({
        address: `list${i}@${home}`,
        refusal: noSuchUser,
        add: (client) =>
          client.add(list, {
            objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
            cn: `list${i}`,
            mail: `list${i}@${home}`,
            uniqueMember: userDn(`fix@${home}`),
          }),
        remove: (client) => client.del(list),
      }),
    );
    // One in the zone of the worker's domain, one that is a zone of its own.
    for (const domain of [`sub${i}.${home}`, `zone${n}x${i}.example`])
      all.push(
        toggle({
          address: `anybody@${domain}`,
          domain,
          refusal: '550 5.7.1',
          rcode: domain.endsWith(home) ? 'NXDOMAIN' : 'REFUSED',
          add: (client) => addDomain(client, domain, { mailDomainCatchallAddress: `fix@${home}` }),
          remove: (client) => client.del(domainDn(domain)),
        }),
      );
  }
  return all;
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
  readonly toggles: readonly Toggle[];
}

async function openWorker(server: Waypost, n: number): Promise<Worker> {
  const { smtp, dns } = server.listeners;
  return {
    smtp: await ofEveryThread(() => SmtpProbe.open(smtp)),
    tcp: await ofEveryThread(() => TcpProbe.open(dns)),
    udp: await UdpProbe.open(dns),
    ldap: await administrator(server),
    toggles: togglesOf(n),
  };
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

async function work(worker: Worker, changes: number): Promise<void> {
  for (let i = 0; i < changes && violations.length === 0; i++) {
    const one = pick(worker.toggles);
    if (one.isThere && i % 40 === 0 && one.domain === undefined) await removeBeforeTheDot(worker, one);
    else await change(worker, one);
    await ask(worker, one);
    if (one.isThere && i % 40 === 0) {
      const smtp = pick(worker.smtp);
      check(`RCPT ${one.address}`, '250', await smtp.rcpt(one.address));
      check(`message to ${one.address}`, '250', await smtp.message());
      counts['messages after an addition']++;
    }
  }
}

async function change(worker: Worker, one: Toggle): Promise<void> {
  one.changing = true;
  await (one.isThere ? one.remove(worker.ldap) : one.add(worker.ldap));
  one.isThere = !one.isThere;
  one.changes++;
  one.changing = false;
  counts[one.isThere ? 'additions' : 'removals']++;
}

/** At once after the success, on every thread. */
async function ask(worker: Worker, one: Toggle): Promise<void> {
  const word = one.isThere ? 'addition' : 'removal';
  const asked = worker.smtp.map(async (smtp) => {
    check(
      `RCPT ${one.address} after its ${word}`,
      one.isThere ? '250 2.1.5' : one.refusal,
      await smtp.rcpt(one.address),
    );
    counts[`RCPT after ${one.isThere ? 'an addition' : 'a removal'}`]++;
  });
  const { domain } = one;
  if (domain !== undefined)
    for (const dns of [worker.udp, ...worker.tcp])
      asked.push(
        dns.mx(domain).then((answer) => {
          check(`MX ${domain} after its ${word}`, one.isThere ? MX : one.rcode!, answer);
          counts[dns === worker.udp ? 'MX over UDP' : 'MX over TCP']++;
        }),
      );
  await Promise.all(asked);
}

async function removeBeforeTheDot(worker: Worker, one: Toggle): Promise<void> {
  const smtp = pick(worker.smtp);
  check(`RCPT ${one.address}`, '250', await smtp.rcpt(one.address));
  await change(worker, one);
  check(`message to ${one.address}, removed`, '550 5.1.1', await smtp.message());
  counts['removed before the dot']++;
}

/** Questions at any time, also in the middle of changes: those are never wrong for good, the others never at all. */
async function watch(smtp: SmtpProbe, toggles: readonly Toggle[], ended: () => boolean): Promise<void> {
  while (!ended() && violations.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const one = pick(toggles);
    const { changing, changes, isThere } = one;
    const reply = await smtp.rcpt(one.address);
    counts['RCPT from the side']++;
    if (changing || one.changing || one.changes !== changes) {
      counts['of those undecided']++;
      if (!reply.startsWith('250')) check(`RCPT ${one.address} in a change`, one.refusal, reply);
    } else check(`RCPT ${one.address} from the side`, isThere ? '250 2.1.5' : one.refusal, reply);
  }
}

test(`${CHANGES} additions and removals: no false refusal, no stale acceptance, on any thread`, async (context) => {
  const server = await startWaypost({ config: `threads = ${THREADS}\nlog = "warn"\n` });
  context.after(() => server.stop());
  const watchers = await ofEveryThread(() => SmtpProbe.open(server.listeners.smtp));
  const workers: Worker[] = [];
  for (let n = 0; n < WORKERS; n++) workers.push(await openWorker(server, n));
  for (const [n, { ldap }] of workers.entries()) {
    await addDomain(ldap, `home${n}.example`);
    await addUser(ldap, `fix@home${n}.example`);
  }

  let ended = false;
  const all = workers.flatMap(({ toggles }) => toggles);
  const watching = watchers.map((smtp) => watch(smtp, all, () => ended));
  const began = performance.now();
  try {
    await Promise.all(workers.map((worker, n) => work(worker, Math.ceil((CHANGES - n) / WORKERS))));
  } finally {
    ended = true;
    await Promise.all(watching);
  }
  const seconds = (performance.now() - began) / 1000;
  for (const [what, count] of Object.entries(counts)) context.diagnostic(`${count} ${what}`);
  context.diagnostic(`${Math.round(CHANGES / seconds)} changes a second, ${THREADS} protocol threads`);

  for (const { ldap, smtp, tcp, udp } of workers) {
    for (const probe of [...smtp, ...tcp, udp]) probe.close();
    await ldap.unbind();
  }
  for (const smtp of watchers) smtp.close();
  assert.deepEqual(violations, []);
  assert.equal(counts.additions + counts.removals, CHANGES);
});
