// Session files against any server: what does not depend on our own texts keeps us honest about the standards.
//
//   node test/sessions/runner/main.ts --smtp 127.0.0.1:2525 --imap 127.0.0.1:2143 \
//     --user alice=u1@d1.example:secret --user bob=u2@d2.example:secret FILE...
//
// Out  a line a file; exit 1 if one failed. The users must exist; their INBOX is emptied for each file.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { otherTarget } from '../fixtures.ts';
import { runSession, SessionFailure, type User } from './run.ts';
import { parseScript } from './script.ts';

const text = { type: 'string' } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smtp: text,
    submission: text,
    imap: text,
    pop3: text,
    server: { type: 'string', default: 'other' },
    hostname: { type: 'string', default: 'peer.example' },
    user: { type: 'string', multiple: true, default: [] },
  },
});

const doors: Record<string, { host: string; port: number }> = {};
for (const door of ['smtp', 'submission', 'imap', 'pop3'] as const) {
  const [host, port] = values[door]?.split(':') ?? [];
  if (host !== undefined) doors[door] = { host, port: Number(port) };
}
const users: Record<string, User> = {};
for (const user of values.user) {
  const [, name, login, password] = /^([^=]+)=(.+):([^:]*)$/.exec(user) ?? [];
  if (name === undefined) throw new Error(`--user ${user}: NAME=LOGIN:PASSWORD is meant`);
  users[name] = { login: login!, password: password! };
}

const target = otherTarget(values.server, values.hostname, doors, users);
let failed = 0;
for (const file of positionals) {
  try {
    const result = await runSession(parseScript(readFileSync(file, 'utf8')), target, file);
    console.log(`${result === 'done' ? 'ok     ' : 'skipped'} ${file}`);
  } catch (error) {
    if (!(error instanceof SessionFailure)) throw error;
    failed++;
    console.log(`FAILED  ${error.message}`);
  }
}
process.exit(failed === 0 ? 0 : 1);
