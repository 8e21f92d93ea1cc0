// fast-check as test/support/worlds.ts gives it to the tests.

import { configureGlobal } from 'fast-check';

/** How many, or how long: who sets one looks for what has not been seen. */
const LONG = [
  'ARRIVALS',
  'CONSUMER_ROUNDS',
  'CUSTODY',
  'FEED_ROUNDS',
  'FEED_RUNS',
  'FUZZ_CASES',
  'LDAP_FUZZ',
  'LDAP_LONG',
  'MODEL_RUNS',
  'PLAN_RUNS',
  'READERS_RUNS',
  'RULES_RUNS',
  'SPACE_RUNS',
  'WAYPOST_FUZZ_RUNS',
  'ZONE_RUNS',
];
const USUAL = 20_261_127;

const { SEED = LONG.some((name) => process.env[name] !== undefined) ? 'new' : USUAL } = process.env;
if (SEED !== 'new') configureGlobal({ seed: Number(SEED) });

export * from 'fast-check';
export { default } from 'fast-check';
