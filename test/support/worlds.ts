// Random tests draw the same worlds each time, so that no change is refused for what another one has done. The long form of one
// looks for new ones. Named with `--import`, it holds for every file that imports fast-check.
//
// In      SEED: that of a failure, as fast-check says it, or `new`; a variable that makes one of the tests long is a `new`, too
// Out     fast-check with that seed, where a test has none of its own

import { registerHooks } from 'node:module';

const SEEDED = new URL('seeded-fast-check.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'fast-check' || context.parentURL === SEEDED) return next(specifier, context);
    return { url: SEEDED, format: 'module-typescript', shortCircuit: true };
  },
});
