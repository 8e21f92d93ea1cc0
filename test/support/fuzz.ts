// fast-check as test/support/watched-fast-check.ts gives it to the tests that `npm run fuzz` runs.

import { registerHooks } from 'node:module';

const WATCHED = new URL('watched-fast-check.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'fast-check' || context.parentURL === WATCHED) return next(specifier, context);
    return { url: WATCHED, format: 'module-typescript', shortCircuit: true };
  },
});
