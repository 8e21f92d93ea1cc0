// Breaks one line of the program under test, so that a test can show that it would notice.
//
// In      loaded with NODE_OPTIONS; TEST_MUTATION: JSON of a Mutation
// Out     the file with `from` replaced; one that has no `from` any more cannot be loaded, so a mutation cannot grow old unseen

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
// The hook that is registered last is asked first: this one has to be behind the program's own.
import '../../src/server/load-sources.ts';

export interface Mutation {
  /** The end of its path. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** For the environment of a server. */
export function mutated(mutation: Mutation): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import ${import.meta.filename}`,
    TEST_MUTATION: JSON.stringify(mutation),
  };
}

const text = process.env['TEST_MUTATION'];
if (text !== undefined) {
  const { file, from, to } = JSON.parse(text) as Mutation;
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.endsWith(file)) return nextLoad(url, context);
      const source = readFileSync(fileURLToPath(url), 'utf8');
      if (!source.includes(from)) throw new Error(`${file} has no ${from}`);
      return { format: 'module-typescript', source: source.replace(from, to), shortCircuit: true };
    },
  });
}
