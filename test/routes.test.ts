// Directory in, addresses in, steps out: test/routes/NAME.ldif + NAME.ask + NAME.steps.
//
// The LDIF goes through provisioning, record by record, as over LDAP. `UPDATE_ROUTES=1` writes the .steps; read the diff.

import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseLdif } from '../src/directory/ldif.ts';
import { formatAddress } from '../src/message/address.ts';
import { openTestDirectory, testSite } from '../src/provisioning/testing.ts';
import { explain } from '../src/routing/explain.ts';

const root = join(import.meta.dirname, 'routes');
const isUpdating = process.env['UPDATE_ROUTES'] === '1';

for (const file of globSync('*.ldif', { cwd: root }).sort()) {
  const name = file.slice(0, -'.ldif'.length);
  const ldif = readFileSync(join(root, file), 'utf8');
  // The first comment is the test's name: a sentence about behaviour.
  const sentence = /^# (.*)/.exec(ldif)?.[1] ?? '';
  test(`${name}: ${sentence}`, async () => {
    const directory = await openTestDirectory();
    try {
      for (const change of parseLdif(ldif, 1000)) await directory.apply(change);
      const asked = readFileSync(join(root, `${name}.ask`), 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      const answers = asked.map((address) => {
        const resolution = directory.resolve(address, { explain: true });
        const { steps, targets, failures = [] } = explain(resolution, testSite);
        const width = Math.max(...steps.map(({ step }) => step.length));
        return [
          formatAddress(resolution.address),
          ...steps.map(({ step, detail, depth = 0 }) => `${step.padEnd(width)}  ${'  '.repeat(depth)}${detail}`),
          ...targets.map(({ channel, nexthop, recipient }) => `=> ${channel} ${nexthop} ${recipient}`),
          ...failures.map(({ recipient, reply }) => `!! ${recipient}: ${reply}`),
        ].join('\n');
      });
      const steps = `${answers.join('\n\n')}\n`;
      const path = join(root, `${name}.steps`);
      if (isUpdating) writeFileSync(path, steps);
      assert.equal(steps, readFileSync(path, 'utf8'));
    } finally {
      directory.close();
    }
  });
}
