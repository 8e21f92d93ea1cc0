// Every test/sessions/**/*.session against a started Waypost. The format stands at the head of sessions/runner/script.ts.

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { waypostTarget } from './sessions/fixtures.ts';
import { runSession, type Target } from './sessions/runner/run.ts';
import { parseScript, WAYS } from './sessions/runner/script.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const root = join(import.meta.dirname, 'sessions');
const files = globSync('**/*.session', { cwd: root }).sort();

/** Accounts have nothing but INBOX, as on the servers that the same files are run against. */
const config = 'threads = 2\nlog = "warn"\n[queue]\nretry = ["1s"]\n[store]\nfirst-folders = []\n';

let server: Waypost;
let target: Target;
before(async () => {
  server = await startWaypost({ config });
  target = waypostTarget(server);
});
after(() => server?.stop());

for (const folder of new Set(files.map((file) => dirname(file)))) {
  describe(folder, () => {
    for (const file of files.filter((name) => dirname(name) === folder)) {
      const path = join(root, file);
      const text = readFileSync(path, 'utf8');
      // The first comment is the test's name: a sentence about behaviour.
      const sentence = /^# (.*)/.exec(text)?.[1] ?? '';
      // Those that need no other door are sent in the other ways beside their own, without the rest of the server.
      const doors = { imap: 'imap', pop3: 'imap|pop3' }[folder];
      const isAlone = doors !== undefined && !new RegExp(`^connect\\s+\\w+\\s+(?!(${doors})\\b)`, 'm').test(text);
      for (const way of isAlone ? (['as-written'] as const) : WAYS.filter((way) => way !== 'exchanged'))
        test(`${relative(folder, file)}, ${way}: ${sentence}`, async (t) => {
          const result = await runSession(parseScript(text), target, `test/sessions/${file}`, way);
          if (result === 'skipped') t.skip('for another server, or not in this way');
        });
    }
  });
}
