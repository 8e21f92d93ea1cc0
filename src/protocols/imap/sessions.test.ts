// The transcripts of test/sessions/imap against this door alone: no other part of the server is needed.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { otherTarget } from '../../../test/sessions/fixtures.ts';
import { runSession, type Target } from '../../../test/sessions/runner/run.ts';
import { parseScript, WAYS } from '../../../test/sessions/runner/script.ts';
import { openTestImap, type TestImap } from './testing.ts';

const root = join(import.meta.dirname, '../../../test/sessions/imap');
const users = {
  alice: { login: 'alice@acme.example', password: 'secret' },
  bob: { login: 'bob@acme.example', password: 'secret' },
};

let imap: TestImap;
let target: Target;
before(async () => {
  imap = await openTestImap();
  const doors = { imap: { host: imap.host, port: imap.port } };
  const filled = otherTarget('waypost', 'mail.example', doors, users);
  target = {
    ...filled,
    ca: imap.ca,
    exchange: imap.exchange,
    async fixture(name) {
      // New accounts, so that UIDs begin at 1.
      for (const { login, password } of Object.values(users)) await imap.addAccount(login, password);
      return filled.fixture(name);
    },
  };
});
after(() => imap?.close());

for (const file of globSync('*.session', { cwd: root }).sort()) {
  const text = readFileSync(join(root, file), 'utf8');
  const usesOtherDoors = /^connect\s+\w+\s+(?!imap\b)/m.test(text);
  const sentence = /^# (.*)/.exec(text)?.[1] ?? '';
  for (const way of WAYS)
    test(`${file}, ${way}: ${sentence}`, { skip: usesOtherDoors && 'needs other doors' }, async (context) => {
      const result = await runSession(parseScript(text), target, `test/sessions/imap/${file}`, way);
      if (result === 'skipped') context.skip('not in this way');
    });
}
