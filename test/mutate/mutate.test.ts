// The tool that breaks lines (`npm run mutate`), on a tree of one file that one test looks at.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type MutationReport, runMutants } from './mutate.ts';

const TREE: Readonly<Record<string, string>> = {
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      ...{ noEmit: true, strict: true, noUnusedLocals: true, types: [], module: 'nodenext' },
      allowImportingTsExtensions: true,
    },
    include: ['src'],
  }),
  'package.json': JSON.stringify({ type: 'module' }),
  'src/routing/size.ts': `import { most } from './most.ts';

let asked = 0;

export function isTooLarge(size: number): boolean {
  asked++;
  return size > most();
}

/** Nobody tests it. */
export function isEmpty(size: number): boolean {
  return size === 0;
}

/** The types refuse what comes without the guard. */
export function lengthOf(text: string | undefined): number {
  if (text === undefined) return 0;
  return text.length;
}
`,
  'src/routing/most.ts': 'export function most(): number {\n  return 10;\n}\n',
  'src/routing/size.test.ts': `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTooLarge } from './size.ts';

test('ten is not too large, eleven is', () => {
  assert.deepEqual([10, 11].map(isTooLarge), [false, true]);
});
`,
  // Red without a mutant.
  'src/routing/wrong.test.ts': `import { test } from 'node:test';
import './size.ts';

test('always red', () => {
  throw new Error();
});
`,
};

let checkout: string;
before(() => {
  checkout = mkdtempSync(join(tmpdir(), 'waypost-mutated-'));
  for (const [file, text] of Object.entries(TREE)) {
    mkdirSync(dirname(join(checkout, file)), { recursive: true });
    writeFileSync(join(checkout, file), text);
  }
});
after(() => rmSync(checkout, { recursive: true, force: true }));

function mutate(options: { seed: number; from?: number; count?: number }): Promise<MutationReport> {
  return runMutants({ checkout, folders: ['routing'], count: 100, from: 0, above: {}, say: () => {}, ...options });
}

function verdictsOf(report: MutationReport): string[] {
  return report.mutants
    .map(({ file, line, kind, before, after, verdict }) => `${file}:${line} ${kind} ${before} -> ${after}: ${verdict}`)
    .sort();
}

test('a mutant that a test notices is killed, another one survives, and what the types refuse is none', async () => {
  const report = await mutate({ seed: 1 });
  assert.deepEqual(verdictsOf(report), [
    'src/routing/size.ts:12 comparison size === 0 -> size !== 0: survived',
    'src/routing/size.ts:6 removed asked++; -> ;: survived',
    'src/routing/size.ts:7 boundary size > most() -> size >= most(): killed',
    'src/routing/size.ts:7 comparison size > most() -> size <= most(): killed',
  ]);
  const killers = new Set(report.mutants.map(({ by }) => by).filter((by) => by !== ''));
  assert.deepEqual([...killers], ['src/routing/size.test.ts: ten is not too large, eleven is']);
  assert.deepEqual(report.red, ['src/routing/wrong.test.ts']);
  assert.equal(report.refused, 2, 'the guard turned round, and the guard taken away');
  for (const [file, text] of Object.entries(TREE)) assert.equal(readFileSync(join(checkout, file), 'utf8'), text);
});

test('the same seed draws the same mutants, and a draw is found again by its number', async () => {
  const [first, again] = [await mutate({ seed: 5, count: 2 }), await mutate({ seed: 5, count: 2 })];
  assert.deepEqual(verdictsOf(again), verdictsOf(first));
  const second = first.mutants[1]!;
  const { mutants } = await mutate({ seed: 5, from: second.draw, count: 1 });
  assert.deepEqual(
    mutants.map(({ draw, line, kind }) => ({ draw, line, kind })),
    [{ draw: second.draw, line: second.line, kind: second.kind }],
  );
});
