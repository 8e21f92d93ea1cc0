// What has to hold when the load is over: the mail is where the ledger says, both servers and all who follow them have the same, the
// program's own checks find nothing, and its logs say nothing that was not meant to happen.
//
// In      the world, at rest
// Out     problems of the world
// Limits  QUIET_MS until the queues are empty and all have the same

import { AdminClient } from '../../src/cli/client.ts';
import { readMailbox } from '../crash/read-back.ts';
import type { Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';
import { asked, dnsOf } from './loads/zones.ts';
import { served } from './pace.ts';
import { DOMAIN, PUBLISHED_ZONE, type World } from './world.ts';

const QUIET_MS = 180_000;
/** Of what a kill in a test says; the lines that follow from it. */
const ENDED = /"event":"server\.(?:restart-)?thread"/;

/** What the other host has taken since the last look goes into the ledger. */
export function collectArrivals({ sink, ledger }: World): void {
  for (const { recipients, data } of sink.messages.splice(0)) ledger.abroad(recipients, data);
  // Nobody looks at these here, and they grow.
  sink.commands.length = 0;
  sink.peers.length = 0;
}

export async function checkInvariants(world: World, say: (text: string) => void): Promise<void> {
  const checks = [
    ['queues', emptyQueues],
    ['ledger', checkMail],
    ['second server', checkSecond],
    ['secondary', checkSecondary],
    ['primary', checkPrimary],
    ['source', checkSource],
    ['own checks', checkItself],
  ] as const;
  for (const [name, check] of checks)
    try {
      say(`it is judged: ${name}`);
      await check(world);
    } catch (error) {
      world.problem(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  checkLogs(world);
}

async function emptyQueues(world: World): Promise<void> {
  world.sink.script = {};
  for (const server of Object.values(world.servers))
    await until(`the queue of ${server.hostname}`, async () => (await queueOf(server)).length === 0, QUIET_MS);
}

async function queueOf({ data }: Waypost): Promise<readonly string[]> {
  const rows = await new AdminClient(data).call('queue.list', { limit: 10_000 });
  return rows.map(({ recipient }) => recipient);
}

async function checkMail(world: World): Promise<void> {
  const { people, mx1, mx2, ledger } = world;
  collectArrivals(world);
  const mailboxes = new Map<string, ReadonlySet<number>>();
  const at = [...people.popReaders, ...people.imapReaders, ...people.submitters].map(
    (person) => [mx1, person] as const,
  );
  for (const [server, person] of [...at, ...people.ofSecond.map((person) => [mx2, person] as const)]) {
    const found = await served(person.login, () => readMailbox(server, person, 1));
    for (const copy of found) ledger.seen(person.login, copy);
    mailboxes.set(person.login, new Set(found.map(({ uid }) => uid)));
  }
  ledger.check(mailboxes, new Set([...(await queueOf(mx1)), ...(await queueOf(mx2))]));
}

async function checkSecond({ mx1, mx2 }: World): Promise<void> {
  const digest = async ({ data }: Waypost): Promise<string> =>
    JSON.stringify(await new AdminClient(data).call('sync.digest', {}));
  await until('the same directory at both', async () => (await digest(mx1)) === (await digest(mx2)), QUIET_MS);
}

/** All servers tell the same state of the zone, and the same records at its top. */
async function checkSecondary(world: World): Promise<void> {
  const { mx1, mx2, bind } = world;
  const ask = (at: { readonly address: string; readonly port: number }, type: 'SOA' | 'MX' | 'TXT') =>
    served(type, () => asked(world, { at, name: DOMAIN, type }));
  const serial = async (at: Parameters<typeof ask>[0]) => (await ask(at, 'SOA'))[0]?.split(' ')[2];
  const all = [dnsOf(mx1), dnsOf(mx2), bind];
  await until(
    'the same serial at both and their secondary',
    async () => new Set(await Promise.all(all.map(serial))).size === 1,
    QUIET_MS,
  );
  for (const type of ['MX', 'TXT'] as const) {
    const [here, , there] = await Promise.all(all.map((at) => ask(at, type)));
    if (JSON.stringify(here) !== JSON.stringify(there))
      throw new Error(`${DOMAIN} ${type} is ${here}; at its secondary ${there}`);
  }
}

/** One domain that stays is written there; nothing waits, and nothing is in conflict. */
async function checkPrimary({ mx1 }: World): Promise<void> {
  const admin = new AdminClient(mx1.data);
  const publishing = async () => (await admin.call('status', {})).publishing;
  await until(`the records below ${PUBLISHED_ZONE}`, async () => (await publishing()).waiting === 0, QUIET_MS);
  const { conflicts } = await publishing();
  if (conflicts > 0) throw new Error(`${conflicts} domains below ${PUBLISHED_ZONE} are in conflict`);
}

async function checkSource({ mx1, corp }: World): Promise<void> {
  const entries = corp.backup().match(/^dn: /gm)?.length ?? 0;
  const status = async () => (await new AdminClient(mx1.data).call('sync.status', {})).sources[0];
  let last: Awaited<ReturnType<typeof status>>;
  await until(
    'the entries of the source',
    async () => {
      last = await status();
      return last?.state === 'current' && 'entries' in last && last.entries === entries;
    },
    QUIET_MS,
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${entries} there, here ${JSON.stringify(last)}`);
  });
}

async function checkItself({ servers }: World): Promise<void> {
  for (const { hostname, data } of Object.values(servers)) {
    const admin = new AdminClient(data);
    const { differing, differences } = await admin.call('sync.verify', {});
    if (differing > 0) throw new Error(`sync verify at ${hostname}: ${differing}, ${JSON.stringify(differences[0])}`);
    const problems = await admin.call('mailbox.check', { bytes: true });
    if (problems.length > 0)
      throw new Error(`mailbox check at ${hostname}: ${problems.length}, ${JSON.stringify(problems[0])}`);
  }
}

/** Errors are ends of threads that we made, and nothing else; a warning is told in the report. */
function checkLogs(world: World): void {
  for (const { hostname, stderr } of Object.values(world.servers))
    for (const line of stderr().split('\n')) {
      const isError = /"level":"error"|Warning:|^\s+at .*\(.*:\d+\)/.test(line);
      const isMeant = ENDED.test(line) && (line.includes('ended by a test') || line.includes('restart-thread'));
      if (isError && !isMeant) world.problem(`the log of ${hostname}: ${line.slice(0, 600)}`);
    }
}

/** `mx1 transfer.defer` -> how often. */
export function warnings({ servers }: World): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [name, { stderr }] of Object.entries(servers))
    for (const [, event] of stderr().matchAll(/"level":"warn".*?"event":"([^"]+)"/g))
      counts[`${name} ${event}`] = (counts[`${name} ${event}`] ?? 0) + 1;
  return counts;
}
