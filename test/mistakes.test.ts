// Mistakes that would hurt and not be seen soon: with each of them in the program a test fails, by its assertion, that passes without.
//
// In      a line of the program in another form; a file of tests, the beginning of a test's name
// Of the outbox, of prerequisites and of what a second server may refuse: test/crash/publishing.test.ts, test/second-server.test.ts

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { type Mutation, mutated } from './support/mutate.ts';

const root = resolve(import.meta.dirname, '..');

const MISTAKES: readonly (Mutation & { readonly what: string; readonly tests: string; readonly name: string })[] = [
  {
    what: 'any MX of the set as evidence',
    file: 'src/provisioning/arrival/evidence.ts',
    from: 'preference === best && ours.has(exchange)',
    to: 'preference >= best && ours.has(exchange)',
    tests: 'src/provisioning/arrival/arrivals.test.ts',
    name: 'a host that is only the backup MX',
  },
  {
    what: 'a signature before the key was observed',
    file: 'src/zones/keys.ts',
    from: '(isOurs || parts.observed(key, domain))',
    to: 'true',
    tests: 'src/zones/keys.test.ts',
    name: 'elsewhere no key signs before its record was seen',
  },
  {
    what: 'answers of DNS that are kept over a change',
    file: 'src/protocols/dns/memory.ts',
    from: 'if (moved === undefined || moved.all) this.#answers.clear();\n    else this.#note(moved.paths);',
    to: '',
    tests: 'src/protocols/dns/memory.test.ts',
    name: 'a change forgets the answers of its zones',
  },
];

for (const { what, tests, name, ...mutation } of MISTAKES)
  test(`noticed: ${what}`, () => {
    // A run of tests below a run of tests would be passed over.
    const { NODE_TEST_CONTEXT: _, ...own } = process.env;
    const run = spawnSync(process.execPath, [`--test-name-pattern=^${name}`, tests], {
      cwd: root,
      env: { ...own, ...mutated(mutation) },
      encoding: 'utf8',
    });
    assert.equal(run.status, 1);
    assert.match(run.stdout, new RegExp(`✖ ${name}[^]*ERR_ASSERTION`), run.stdout.slice(-3000));
  });
