// `npm run mutate`: breaks one line of the sources at random, in a copy, and names what no test notices.
//
//   npm run mutate -- --count 60              so many mutants
//   npm run mutate -- --seed N --count 60     the same ones again; the seed is said at the start
//   --from N            begin at this draw of the seed; with --count 1 one mutant alone
//   --only FOLDER,...   below src/; without it those of above.ts
//   --bar 85            exit code 1 where fewer per cent are killed
//   --json              the report as one JSON object, alone on standard output
//
// How a mutant is made: mutants.ts. Which tests it meets: mutate.ts. A survivor says that a line could be wrong without a red test:
// write the test, unless nothing that anybody can see depends on it.
//
// Exit code 0: the bar is reached, or there is none. 1: it is not. 64: there is no such folder

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ABOVE } from './above.ts';
import { type JudgedMutant, lineOf, type MutationReport, runMutants } from './mutate.ts';

const FOLDERS = Object.keys(ABOVE).filter((folder) => !folder.includes('/'));
const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '60' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', default: FOLDERS.join(',') },
    bar: { type: 'string', default: '0' },
    json: flag,
    help: { ...flag, short: 'h' },
  },
});
if (values.help) {
  console.log(
    'mutate [--count N] [--seed N] [--from N] [--only FOLDER,...] [--bar N] [--json]   (see test/mutate/main.ts)',
  );
  process.exit(0);
}
const folders = values.only.split(',');
const unknown = folders.filter((folder) => !FOLDERS.includes(folder));
if (unknown.length > 0) {
  console.error(`no folder ${unknown.join(', ')}; there are ${FOLDERS.join(', ')}`);
  process.exit(64);
}

// Interrupted, the copy is removed all the same.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const report = await runMutants({
  checkout: join(import.meta.dirname, '../..'),
  folders,
  count: Number(values.count),
  seed: values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed),
  from: Number(values.from),
  above: ABOVE,
  say: (text) => console.error(text),
});
if (values.json) console.log(JSON.stringify(report));
else print(report);
process.exitCode = percentKilled(report.mutants) >= Number(values.bar) ? 0 : 1;

function percentKilled(mutants: readonly JudgedMutant[]): number {
  const killed = mutants.filter(({ verdict }) => verdict === 'killed').length;
  return mutants.length === 0 ? 0 : (100 * killed) / mutants.length;
}

function print({ seed, mutants, refused, red }: MutationReport): void {
  for (const mutant of mutants.filter(({ verdict }) => verdict === 'survived')) console.log(lineOf(mutant));
  for (const tests of red) console.log(`red without a mutant, not asked: ${tests}`);
  const byFolder = Map.groupBy(mutants, ({ file }) => file.split('/')[1]!);
  for (const [folder, all] of [...byFolder].sort()) printCounts(folder, all);
  printCounts('all', mutants);
  console.log(`seed ${seed}; ${refused} more were refused by the types`);
}

function printCounts(name: string, mutants: readonly JudgedMutant[]): void {
  const survived = mutants.filter(({ verdict }) => verdict === 'survived').length;
  const percent = percentKilled(mutants).toFixed(1);
  console.log(`${name.padEnd(14)}${mutants.length} drawn, ${survived} survived, ${percent} % killed`);
}
