// The socket of local LDAP: what a server does that stops before it has made it.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Log, silentLog } from '../base/log.ts';
import { listenLocalLdap } from './local-ldap.ts';

test('a socket that was taken away before it could be made private is a line of the log', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-ldapi-'));
  context.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'run'));
  const path = join(folder, 'run', 'ldapi');
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (event, fields) => lines.push(`${event} ${String(fields?.['path'])}`) };
  listenLocalLdap(path, log, () => assert.fail('nobody connects'));
  // The address is bound already; what is called back comes at the next turn.
  rmSync(path);
  await new Promise((next) => setTimeout(next, 20));
  assert.deepEqual(lines, [`ldap.local ${path}`]);
});
