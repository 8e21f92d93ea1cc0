// What a running server has written into its audit, as a user asks for it.

import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { AuditLine } from '../../src/audit/line.ts';
import type { ServerAccess } from '../../src/estate/server-child.ts';
import { until } from './until.ts';

const waypost = resolve(import.meta.dirname, '../../waypost');
const LIST_BYTES = 64 * 1024 * 1024;

type Audited = Pick<ServerAccess, 'data'>;

/** `options`: of `waypost audit list`. */
export async function audit({ data }: Audited, ...options: readonly string[]): Promise<AuditLine[]> {
  const words = ['audit', 'list', '--json', '--data', data, ...options];
  const { stdout } = await promisify(execFile)(waypost, words, { maxBuffer: LIST_BYTES });
  return JSON.parse(stdout);
}

/** Lines are written soon, not at once: the replies that they tell of come first. */
export async function auditUntil(
  server: Audited,
  isThere: (lines: readonly AuditLine[]) => boolean,
  ...options: readonly string[]
): Promise<AuditLine[]> {
  let lines: AuditLine[] = [];
  await until('the audit', async () => isThere((lines = await audit(server, ...options)))).catch((error: Error) => {
    throw new Error(`${error.message}; it has ${JSON.stringify(lines.slice(-20), null, 1)}`);
  });
  return lines;
}
