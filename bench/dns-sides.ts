// What lines about DNS are measured on: a Waypost with many domains, BIND with the same zones, and dnsperf asking either.
//
// In      how many zones; a file of questions
// Out     processor time an answer, how many were lost
// Limits  ZONES_MANY zones, or WAYPOST_BENCH_ZONES. With `rows` those beyond ZONES are what DNS reads of a zone and nothing else
// BIND has one thread that answers, as we have, its zones in memory, and says no more in an answer than we do (minimal-responses)
// Never   touches services of the machine: private instances in temporary directories, gone at the end

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTestDatabase } from '../src/database/testing.ts';
import { zonesUnit } from '../src/zones/tables.ts';
import { setRows } from '../src/zones/testing.ts';
import { Bind } from '../test/support/bind.ts';
import { addManyDomains } from '../test/support/directory.ts';
import { peersMissing } from '../test/support/peers.ts';
import { startWaypost, type Waypost } from '../test/support/server.ts';
import { until } from '../test/support/until.ts';
import { type Figures, generate, outputOf } from './generate.ts';
import { MAILBOXES } from './lines.ts';
import { DOMAINS, mailUser } from './sides.ts';

export const ZONES = 10_000;
export const ZONES_MANY = Number(process.env['WAYPOST_BENCH_ZONES'] ?? 100_000);
const QUESTIONS = 300_000;
const SLICE = 1000;

export interface Asked {
  readonly name: 'Waypost' | 'BIND';
  readonly pid: number;
  readonly port: number;
  /** The thread that answers, by its name; absent: it has no name of its own. */
  readonly thread?: string;
}

export interface DnsSides {
  readonly server: Waypost;
  /** Arguments of ldap-load. */
  readonly bound: readonly (string | number)[];
  /** Both sides, with so many zones: they only become more. */
  zones(count: number): Promise<{ readonly ours: Asked; readonly bind: Asked }>;
  /** A file of questions about the zones there are. */
  questions(what: 'mx' | 'all'): string;
  stop(): Promise<void>;
}

export const zoneDn = 'dc=d{n},dc=example,o=internet';

/** False, or why DNS cannot be measured. */
export function dnsPeersMissing(): string | false {
  return peersMissing('named', 'dnsperf', 'dig');
}

export async function startDnsSides(say: (text: string) => void, { rows }: { rows: boolean }): Promise<DnsSides> {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
  const server = await startWaypost({ env: { WAYPOST_LOG: 'warn' } });
  const bound = ['--port', server.listeners.ldap.port, '--binddn', 'cn=Directory Manager'];
  bound.push('--bindpw', server.ldap.password);
  let bind: { readonly daemon: Bind; readonly pid: number } | undefined;
  let zones = 0;
  const stop = async (): Promise<void> => {
    await bind?.daemon.stop();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  const addZones = async (from: number, to: number): Promise<void> => {
    const began = performance.now();
    const names = Array.from({ length: to - from }, (_, n) => `d${from + n}.example`);
    const half = Math.ceil(names.length / 2);
    // While the one half's list is carried out the other's is read.
    await Promise.all([names.slice(0, half), names.slice(half)].map((some) => addManyDomains(server, some)));
    say(`${to - from} zones as change lists: ${Math.round(((to - from) / (performance.now() - began)) * 1000)}/s`);
  };
  /** What the entries would give to DNS, by the operation that writes it: seconds instead of minutes. */
  const addRows = async (from: number, to: number): Promise<void> => {
    await server.kill9();
    const { writer, close } = openTestDatabase([zonesUnit], server.data);
    for (let at = from; at < to; at += SLICE)
      await writer.execute(
        setRows,
        Array.from({ length: Math.min(SLICE, to - at) }, (_, n) => ({
          ...{ name: `d${at + n}.example`, row: { domain: 'mail' } as const },
          entry: String(at + n).padStart(32, '0'),
        })),
      );
    close();
    await server.restart();
    say(`${to - from} zones as rows`);
  };
  try {
    await addZones(0, ZONES);
    const users = ['--mode', 'add', '--count', MAILBOXES, '--dn', 'uid=u{n},ou=People,dc=d{d},dc=example,o=internet'];
    users.push('--domains', String(DOMAINS), '--attributes', JSON.stringify(await mailUser()), '--conns', 4);
    generate('ldap-load', [...bound, ...users, '--depth', 64]);
    zones = ZONES;
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    server,
    bound,
    stop,
    async zones(count) {
      if (count > zones) await (rows ? addRows : addZones)(zones, count);
      if (bind === undefined || count !== zones) {
        await bind?.daemon.stop();
        bind = await startBind(count, directory, server);
      }
      zones = count;
      const began = performance.now();
      await until('we have them, too', () => isAnswered(server.listeners.dns.port, count - 1));
      say(`our first answer after ${Math.round(performance.now() - began)} ms`);
      return {
        ours: { name: 'Waypost', pid: server.pid, port: server.listeners.dns.port, thread: 'dns' },
        bind: { name: 'BIND', pid: bind.pid, port: bind.daemon.port },
      };
    },
    questions(what) {
      const file = join(directory, what);
      writeFileSync(file, questions(zones, what === 'mx' ? MX : ALL));
      return file;
    },
  };
}

/** All zones are alike: BIND reads one file for each of them. */
async function startBind(count: number, directory: string, { data }: Waypost) {
  const program = join(import.meta.dirname, '..', 'waypost');
  const text = execFileSync(program, ['dns', 'records', 'd0.example', '--data', data], { encoding: 'utf8' });
  const file = join(directory, 'zone');
  writeFileSync(file, text.replaceAll(/^d0\.example\. /gm, '@ ').replaceAll(/\.d0\.example\. /g, ' '));
  const blocks = Array.from({ length: count }, (_, n) => `zone "d${n}.example" { type primary; file "${file}"; };`);
  const options = 'minimal-responses yes; notify no; allow-transfer { none; };';
  const daemon = await Bind.start({ options, more: blocks.join('\n') });
  await until('BIND has its zones', () => isAnswered(daemon.port, count - 1));
  return { daemon, pid: daemon.pid };
}

async function isAnswered(port: number, zone: number): Promise<boolean> {
  const words = ['@127.0.0.1', '-p', String(port), '+short', '+time=5', `d${zone}.example`, 'SOA'];
  // Where nothing answers dig says so on standard output, behind two semicolons.
  return /^[^;\s]/.test((await outputOf(spawn('dig', words))).stdout);
}

const MX: readonly Question[] = [(n) => `d${n}.example MX`];
const ALL: readonly Question[] = [
  ...MX,
  (n) => `d${n}.example A`,
  (n) => `d${n}.example AAAA`,
  (n) => `d${n}.example TXT`,
  (n) => `d${n}.example SOA`,
  (n) => `d${n}.example NS`,
  (n) => `_dmarc.d${n}.example TXT`,
  (n) => `_imaps._tcp.d${n}.example SRV`,
  (n) => `www.d${n}.example A`,
  (n) => `x${n}._domainkey.d${n}.example TXT`,
];

type Question = (zone: number) => string;

function questions(zones: number, forms: readonly Question[]): string {
  const random = (below: number): number => Math.floor(Math.random() * below);
  return Array.from({ length: QUESTIONS }, () => `${forms[random(forms.length)]!(random(zones))}\n`).join('');
}

/**
 * As often as it is answered, or so often a second. Processor time an answer, in microseconds: of the whole process, and of the
 * thread that answers.
 */
export async function ask(
  { name, pid, port, thread }: Asked,
  file: string,
  end: { seconds: number; rate?: number },
): Promise<Figures> {
  const [before, ofThread] = [processorSeconds(pid), threadSeconds(pid, thread)];
  const rate = end.rate === undefined ? [] : ['-Q', String(end.rate)];
  const load = ['-s', '127.0.0.1', '-p', String(port), '-d', file, '-l', String(end.seconds), '-c', '4', ...rate];
  const { status, stdout, stderr } = await outputOf(spawn('dnsperf', load));
  const [seconds, inThread] = [processorSeconds(pid) - before, threadSeconds(pid, thread) - ofThread];
  const said = (what: string): number => Number(new RegExp(`${what}:\\s+([\\d.]+)`).exec(stdout)?.[1]);
  const answers = said('Queries completed');
  if (status !== 0 || !(answers > 0))
    throw new Error(`dnsperf, asking ${name}: ${stdout.slice(-500)}${stderr.slice(-500)}`);
  const codes = /Response codes:\s+(.*)/.exec(stdout)?.[1] ?? '';
  if (/SERVFAIL|REFUSED|FORMERR/.test(codes)) throw new Error(`dnsperf, asking ${name}: ${codes}`);
  const each = (of: number): number => (of / answers) * 1e6;
  const rateOf = Math.round(said('Queries per second'));
  return { us: each(seconds), us_thread: each(inThread), lost: said('Queries lost'), rate: rateOf, answers };
}

/** Of all its threads, user and system. Linux counts in hundredths of a second. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Of its threads with this name, finer than that; 0 where none is asked for. */
function threadSeconds(pid: number, name: string | undefined): number {
  const tasks = name === undefined ? [] : readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const named = tasks.filter((task) => readFileSync(`${task}/comm`, 'utf8').trim() === name);
  return named.reduce((sum, task) => sum + Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0);
}
