// `npm run crash`: the crash test alone, as long as wanted.
//
//   npm run crash -- --cycles 200            kill -9 only
//   npm run crash -- --power --cycles 20     each kill also drops what was never synced
//   --seed N            the same sizes, pauses and moments (not the same interleaving)
//   --local             mailboxes alone, without all ways out
//   --early             the server acknowledges before it commits: must fail
//   --unsynced          the server runs with synchronous=OFF: with --power it must fail
//   --json              the verdict as one JSON object, alone on standard output
//
// Exit code 0: nothing acknowledged was lost or doubled. 1: something was; the sentences say what.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Switches } from '../../src/server/switches.ts';
import { peer } from '../support/peers.ts';
import { FIRST_ANSWER_MS, runCrashTest, type Verdict } from './harness.ts';
import { preparePowerLoss } from './power-loss/image.ts';

const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '20' },
    seed: { type: 'string' },
    power: flag,
    local: flag,
    early: flag,
    unsynced: flag,
    json: flag,
    help: { ...flag, short: 'h' },
  },
});
if (values.help) {
  console.log(
    'crash [--cycles N] [--seed N] [--power] [--local] [--early] [--unsynced] [--json]   (see test/crash/main.ts)',
  );
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'waypost-crash-'));
const data = join(folder, 'data');
const switches: Partial<Switches> = {
  ...(values.early ? { acknowledgeEarly: true } : {}),
  ...(values.unsynced ? { synchronous: 'OFF' } : {}),
};
const compiler = values.power ? peer('gcc') : undefined;
if (compiler !== undefined && compiler.skip !== false) throw new Error(compiler.skip);

try {
  const verdict = await runCrashTest({
    data,
    cycles: Number(values.cycles),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed),
    ...(values.early || values.unsynced ? { switches } : {}),
    local: values.local,
    ...(compiler === undefined ? {} : { power: preparePowerLoss(compiler.path, folder, data) }),
    say: (text) => console.error(text),
  });
  if (values.json) console.log(JSON.stringify(verdict));
  else print(verdict);
  process.exitCode = verdict.ok ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function print(verdict: Verdict): void {
  const { acknowledged, problems, ends, repeated, running, firstAnswerMs } = verdict;
  console.log(`cycles             ${verdict.cycles} (seed ${verdict.seed})`);
  console.log(
    `acknowledged       ${acknowledged.messages} messages, ${acknowledged.deliveries} deliveries, ${acknowledged.entries} entries`,
  );
  for (const [kind, count] of Object.entries(problems)) console.log(`${kind.padEnd(18)} ${count}`);
  console.log(`unanswered, kept   ${verdict.phantoms} (legal)`);
  const ended = Object.entries(ends).map(([end, count]) => `${end} ${count}`);
  console.log(`ends               ${ended.join(', ')}`);
  console.log(`repeated           remote ${repeated.remote} (at most one a connection)`);
  console.log(`repeated           program ${repeated.program} (at most ${running} may have run at the kills)`);
  console.log(
    `first answer       ${firstAnswerMs.median} ms median, ${firstAnswerMs.max} ms at most (bar ${FIRST_ANSWER_MS} ms)`,
  );
  for (const [text, count] of Object.entries(verdict.refusals)) console.log(`refused ${count} times  ${text}`);
  for (const sentence of verdict.sentences) console.log(`  ${sentence}`);
  console.log(verdict.ok ? 'PASSED' : 'FAILED');
}
