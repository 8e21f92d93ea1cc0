// The files of the audit: one a day of UTC, `2026-11-26.jsonl`, below `audit/` in the data directory.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const SUFFIX = '.jsonl';

/** `2026-11-26` of a line's time. */
export function dayOf(at: string): string {
  return at.slice(0, 10);
}

export function dayPath(directory: string, day: string): string {
  return join(directory, day + SUFFIX);
}

/** Days that have a file, the oldest first. None where there is no directory yet. */
export async function auditDays(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const days = names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
  return days.filter((day) => day.length === 10 && !Number.isNaN(Date.parse(day))).sort();
}
