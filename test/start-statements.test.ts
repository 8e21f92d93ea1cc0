// A start executes as many statements with many domains as with ten: nothing is read domain by domain before mail is served.
//
// The publisher's look at the domains of other name servers is no part of it: it begins when mail is served, in slices.
// DOMAINS=100000 tries it with that many.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { addManyDomains } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const MANY = Number(process.env['DOMAINS'] ?? 200);
/** What some seconds of idling may add, and doors that have other ports than before. */
const NOISE = 40;
const QUIET_LOOKS = 4;

test(`as many statements with ${MANY} domains as with ten`, { timeout: 3_600_000 }, async (context) => {
  const counts = mkdtempSync(join(tmpdir(), 'waypost-statements-'));
  context.after(() => rmSync(counts, { recursive: true }));
  const preload = join(import.meta.dirname, 'support/count-statements.ts');
  await using server = await startWaypost({
    config: 'threads = 2\n',
    env: { NODE_OPTIONS: `--import ${preload}`, STATEMENTS: join(counts, 'of') },
  });
  await addManyDomains(server, domains(0, 10));
  const few = await ofStart(server, counts);
  await addManyDomains(server, domains(10, MANY));
  const many = await ofStart(server, counts);
  context.diagnostic(`${few} with ten, ${many} with ${MANY}`);
  assert.ok(few > 100 && Math.abs(many - few) <= NOISE, `${few} with ten, ${many} with ${MANY}`);
});

function domains(from: number, to: number): readonly string[] {
  return Array.from({ length: to - from }, (_, n) => `d${from + n}.example`);
}

/** Of all threads, once it is quiet. */
async function ofStart(server: Waypost, counts: string): Promise<number> {
  await server.restart();
  await new AdminClient(server.data).call('status', {});
  const threads = ['main', 'writer', 'dns', 'transfer', 'protocol-1', 'protocol-2'];
  const files = () => readdirSync(counts).filter((file) => threads.some((name) => file === `of.${server.pid}.${name}`));
  const sum = () => files().reduce((all, file) => all + Number(readFileSync(join(counts, file), 'utf8')), 0);
  await until('each thread has said it', () => files().length === threads.length);
  let last = -1;
  let quiet = 0;
  // A thread may stand still for a second where a machine has other work, and go on.
  await until('the start is over', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = sum();
    quiet = now - last < 10 ? quiet + 1 : 0;
    last = now;
    return quiet === QUIET_LOOKS;
  });
  return last;
}
