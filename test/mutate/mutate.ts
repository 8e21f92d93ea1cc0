// Breaks one line after the other in a copy of the checkout, and asks the tests whether they notice.
//
// In      folders below src/, a number, a seed
// Out     each mutant with its verdict
// Draws   all mutants of the folders are in an order that the seed makes: the same files and the same seed give the same mutants.
//         A number in that order names each; those that do not compile are passed over
// Tests   beside: those below src/ that reach the file by imports, the nearest first, BESIDE_MAX files at most; then those above,
//         that above.ts names for the folder. The first failure ends it: the mutant is killed
// A file of tests that fails is run once without the mutant: where it is not green there either, it says nothing, and is left out. One
// above that fails is run a second time: a test that failed by chance kills nothing. No end within a bound of time that is far beyond
// what the file takes without a mutant counts as a failure.

import { globSync } from 'node:fs';
import { Random } from '../hostile/random.ts';
import { ImportGraph } from './import-graph.ts';
import { type Mutant, Sources } from './mutants.ts';
import { runTests, type TestFile, type TestRun } from './test-process.ts';
import { Tree } from './tree.ts';

export interface MutationOptions {
  readonly checkout: string;
  /** Below src/. */
  readonly folders: readonly string[];
  readonly count: number;
  readonly seed: number;
  /** The number of the first draw. */
  readonly from: number;
  /** By the folder below src/, or one below that. */
  readonly above: Readonly<Record<string, readonly TestFile[]>>;
  readonly say: (text: string) => void;
}

export interface JudgedMutant extends Mutant {
  readonly draw: number;
  readonly verdict: 'killed' | 'survived';
  /** The file, and the test that failed first in it; empty where none did. */
  readonly by: string;
  readonly ms: number;
}

export interface MutationReport {
  readonly seed: number;
  readonly mutants: readonly JudgedMutant[];
  /** Drawn, but refused by the types. */
  readonly refused: number;
  /** Files of tests that were not green without a mutant. */
  readonly red: readonly string[];
}

const BESIDE_MAX = 8;
/** What a file of tests may take with a mutant: this, and so many times what it took without. */
const AT_LEAST_MS = 120_000;
const TIMES_MAX = 10;
const WITHOUT_MUTANT_MS = 600_000;

export async function runMutants(options: MutationOptions): Promise<MutationReport> {
  const tree = new Tree(options.checkout);
  const end = (): void => tree.remove();
  process.on('exit', end);
  const sources = new Sources(tree.root);
  try {
    return await judgeAll(options, tree, sources);
  } finally {
    sources.close();
    tree.remove();
    process.off('exit', end);
  }
}

async function judgeAll(options: MutationOptions, tree: Tree, sources: Sources): Promise<MutationReport> {
  const { seed, say } = options;
  const drawn = shuffled(
    filesOf(tree.root, options.folders).flatMap((file) => sources.mutantsOf(file)),
    new Random(seed),
  );
  say(`seed ${seed}, ${drawn.length} places`);
  const judge = new Judge(tree, options.above, new ImportGraph(tree.root));
  const mutants: JudgedMutant[] = [];
  let refused = 0;
  for (let draw = options.from; draw < drawn.length && mutants.length < options.count; draw++) {
    const mutant = drawn[draw]!;
    if (!compiles(mutant, tree, sources)) {
      refused++;
      continue;
    }
    const began = performance.now();
    const by = await judge.killerOf(mutant);
    const ms = Math.round(performance.now() - began);
    const judged: JudgedMutant = { ...mutant, draw, verdict: by === '' ? 'survived' : 'killed', by, ms };
    mutants.push(judged);
    say(`${mutants.length}/${options.count}  ${lineOf(judged)}  (${Math.round(ms / 1000)} s)`);
  }
  return { seed, mutants, refused, red: judge.red };
}

/** For readers. */
export function lineOf(mutant: JudgedMutant): string {
  const { draw, file, line, kind, before, after, by } = mutant;
  return `draw ${draw}  ${file}:${line}  ${kind}  ${before}  ->  ${after}  ${by === '' ? 'SURVIVED' : `killed by ${by}`}`;
}

function filesOf(root: string, folders: readonly string[]): string[] {
  return (
    folders
      .flatMap((folder) => globSync(`src/${folder}/**/*.ts`, { cwd: root }).sort())
      // What tests alone use is no more of the program than they are.
      .filter((file) => !file.endsWith('.test.ts') && !file.endsWith('/testing.ts'))
  );
}

function shuffled(mutants: Mutant[], random: Random): Mutant[] {
  for (let last = mutants.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [mutants[last], mutants[other]] = [mutants[other]!, mutants[last]!];
  }
  return mutants;
}

function compiles(mutant: Mutant, tree: Tree, sources: Sources): boolean {
  const whole = tree.break(mutant);
  try {
    return sources.compiles(mutant.file);
  } finally {
    tree.restore(mutant.file, whole);
    sources.changed(mutant.file);
  }
}

class Judge {
  readonly #tree: Tree;
  readonly #above: MutationOptions['above'];
  readonly #imports: ImportGraph;
  /** As they are without a mutant. */
  readonly #whole = new Map<string, TestRun>();
  readonly red: string[] = [];

  constructor(tree: Tree, above: MutationOptions['above'], imports: ImportGraph) {
    this.#tree = tree;
    this.#above = above;
    this.#imports = imports;
  }

  /** Empty: none did. */
  async killerOf(mutant: Mutant): Promise<string> {
    for (const file of this.#imports.testsOf(mutant.file).slice(0, BESIDE_MAX)) {
      const killer = await this.#killed(mutant, { file });
      if (killer !== '') return killer;
    }
    for (const tests of this.#testsAbove(mutant.file)) {
      const killer = await this.#killed(mutant, tests);
      if (killer !== '' && (await this.#killed(mutant, tests)) !== '') return killer;
    }
    return '';
  }

  #testsAbove(file: string): readonly TestFile[] {
    const [, folder, below] = file.split('/');
    return this.#above[`${folder}/${below}`] ?? this.#above[folder!] ?? [];
  }

  /** By which test; empty: by none in there. */
  async #killed(mutant: Mutant, tests: TestFile): Promise<string> {
    const whole = this.#whole.get(nameOf(tests));
    if (whole !== undefined && whole.result !== 'green') return '';
    const boundMs = AT_LEAST_MS + TIMES_MAX * (whole?.ms ?? 0);
    const run = await this.#withMutant(mutant, tests, boundMs);
    if (run.result === 'green') return '';
    const { result, ms } = whole ?? (await this.#withoutMutant(tests));
    if (result !== 'green') return '';
    // The bound was too low for it.
    if (run.result === 'hung' && TIMES_MAX * ms > boundMs) return this.#killed(mutant, tests);
    return `${tests.file}: ${run.result === 'hung' ? 'no end' : run.failed || 'not loaded'}`;
  }

  async #withMutant(mutant: Mutant, tests: TestFile, boundMs: number): Promise<TestRun> {
    const text = this.#tree.break(mutant);
    try {
      return await runTests(this.#tree, tests, boundMs);
    } finally {
      this.#tree.restore(mutant.file, text);
    }
  }

  async #withoutMutant(tests: TestFile): Promise<TestRun> {
    const run = await runTests(this.#tree, tests, WITHOUT_MUTANT_MS);
    if (run.result !== 'green') this.red.push(nameOf(tests));
    this.#whole.set(nameOf(tests), run);
    return run;
  }
}

function nameOf({ file, pattern }: TestFile): string {
  return pattern === undefined ? file : `${file} ${pattern}`;
}
