// `npm run soak`: mixed load at every door for as long as wanted, with ends of threads; what grows meanwhile is a leak.
//
//   npm run soak -- --minutes 20    so many measured minutes, behind a warm-up
//   --warm-up M         minutes before them: caches fill, the database's log reaches its size (3)
//   --rate X            a factor of all rates: 1 is some 15 attempts a second, about a fifth of a core for the servers
//   --seed N            the same messages, sizes and choices (not the same interleaving)
//   --mutate JSON       a line of the program that is broken, as test/support/mutate.ts has it: must be seen
//   --json              the report as one JSON object, alone on standard output, with all samples
//
// Two servers with one directory, BIND, slapd, another host: world.ts. What is done: loads/. Which threads end: kills.ts. What is
// sampled, and how much of it may grow: samples.ts. What must hold at the end: ledger.ts, invariants.ts.
// Limits: 6 attempts of a load at once; one is given a minute. Some 100 MB of messages in five minutes, which are read and removed
//
// Exit code 0: nothing grows, and all holds. 1: something does not; the sentences say what. 64: the words are wrong

import { parseArgs } from 'node:util';
import { type Mutation, mutated } from '../support/mutate.ts';
import { peersMissing } from '../support/peers.ts';
import type { Figure } from './flat.ts';
import { runSoak, type SoakReport } from './soak.ts';

const USAGE =
  'soak [--minutes N] [--warm-up M] [--rate X] [--seed N] [--mutate JSON] [--json]   (see test/soak/main.ts)';
const flag = { type: 'boolean', default: false } as const;

function words() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '20' },
      'warm-up': { type: 'string', default: '3' },
      rate: { type: 'string', default: '1' },
      seed: { type: 'string' },
      mutate: { type: 'string' },
      json: flag,
      help: { ...flag, short: 'h' },
    },
  });
  const number = (name: 'minutes' | 'warm-up' | 'rate' | 'seed', text: string): number => {
    const value = Number(text);
    if (!(value > 0) && !(value === 0 && name !== 'minutes' && name !== 'rate'))
      throw new Error(`--${name} ${text} is no number that can be meant`);
    return value;
  };
  return {
    minutes: number('minutes', values.minutes),
    warmUp: number('warm-up', values['warm-up']),
    rate: number('rate', values.rate),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : number('seed', values.seed),
    env: values.mutate === undefined ? {} : mutated(JSON.parse(values.mutate) as Mutation),
    json: values.json,
    help: values.help,
  };
}

let wanted: ReturnType<typeof words>;
try {
  wanted = words();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exit(64);
}
if (wanted.help) {
  console.log(USAGE);
  process.exit(0);
}
const missing = peersMissing('named', 'slapd', 'ldapmodify', 'dig');
if (missing !== false) throw new Error(missing);

const report = await runSoak({
  warmUpMs: wanted.warmUp * 60_000,
  measuredMs: wanted.minutes * 60_000,
  seed: wanted.seed,
  rate: wanted.rate,
  env: wanted.env,
  say: (text) => console.error(text),
});
if (wanted.json) console.log(JSON.stringify(report));
else print(report);
process.exit(report.ok ? 0 : 1);

function print(report: SoakReport): void {
  const { messages, repeated } = report;
  console.log(`${report.minutes} minutes behind ${report.warmUpMinutes} of warm-up, seed ${report.seed}`);
  console.log('\nfigure                            first       last  a minute    largest  verdict');
  for (const figure of report.figures) console.log(lineOf(figure));
  console.log('\nload                                  attempts     done  interrupted  left out');
  for (const [name, { attempts, done, interrupted, late }] of Object.entries(report.loads))
    console.log(
      `${name.padEnd(36)}${`${attempts}`.padStart(10)}${`${done}`.padStart(9)}${`${interrupted}`.padStart(13)}${`${late}`.padStart(10)}`,
    );
  for (const [name, { reasons }] of Object.entries(report.loads))
    for (const [reason, count] of Object.entries(reasons)) console.log(`  ${name}, ${count} times: ${reason}`);
  console.log(
    `\nmessages     ${messages.acknowledged} acknowledged, ${messages.refused} refused, ${messages.open} open`,
  );
  console.log(`repeated     ${repeated.times}; ${repeated.unsaid} were taken without an answer`);
  console.log(`ended        ${counted(report.kills)}`);
  console.log(`warnings     ${counted(report.warnings)}`);
  for (const [server, kinds] of Object.entries(report.descriptors))
    console.log(`descriptors  ${server}: ${kinds.map(counted).join(' -> ')}`);
  for (const sentence of report.problems) console.log(`  ${sentence}`);
  if (report.problemsCount > report.problems.length)
    console.log(`  and ${report.problemsCount - report.problems.length} more`);
  console.log(report.ok ? 'PASSED' : 'FAILED');
}

function lineOf({ name, unit, samples, first, last, perMinute, max, verdict }: Figure): string {
  if (samples === 0) return `${name.padEnd(28)}  no sample: it was ended too late to be judged`;
  const number = (value: number, digits: number): string => value.toFixed(unit === '' ? 0 : digits).padStart(11);
  const slope = perMinute.toFixed(2).padStart(10);
  if (samples === 0) return `${name.padEnd(28)}  no sample: it was ended too late to be judged`;
  return `${name.padEnd(28)}${number(first, 1)}${number(last, 1)}${slope}${number(max, 1)}  ${verdict}`;
}

function counted(counts: Readonly<Record<string, number>>): string {
  const all = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
  return all.length === 0 ? 'none' : all.join(', ');
}
