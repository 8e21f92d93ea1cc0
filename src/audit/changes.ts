// Changes of the directory in the audit: written from the change log, so that a crash loses none and writes none twice.
//
// In      the change log (directory/change-log.ts), the files as they are
// Out     a line a change, in the order of revisions
// States  the last change that stands in the files is where it goes on: no other note of it is kept
// Limits  PAGE changes at a time; those that are older than lines are kept are left out
// Errors  what cannot be written is tried again, until it can

import type { Clock } from '../base/clock.ts';
import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { changesAfter } from '../directory/change-log.ts';
import type { AuditFiles } from './audit-files.ts';
import type { AuditLine } from './line.ts';
import { lastAuditedRevision } from './read.ts';

const PAGE = 500;
const TRY_AGAIN_MS = 10_000;

export interface AuditChangesParts {
  readonly directory: string;
  readonly files: AuditFiles;
  readonly keepMs: number;
  readonly reader: Reader;
  readonly clock: Clock;
  /** Resolves when the directory may have changed since this was called. */
  readonly changed: () => Promise<void>;
  /** Resolves when it shall end, whether or not all is written. */
  readonly stopped: Promise<void>;
}

/** Goes on until `isStopped`, asked after each wait. Rejects when the files cannot be read. */
export async function auditChanges(parts: AuditChangesParts, isStopped: () => boolean): Promise<void> {
  const { directory, files, keepMs, reader, clock, changed, stopped } = parts;
  // A store that was put back from a copy is older than its audit: its next changes have numbers that stand there already.
  let last = Math.min(await lastAuditedRevision(directory), reader.revision());
  while (!isStopped()) {
    const change = changed();
    const page = changesAfter(reader, last as Revision, PAGE);
    const oldest = clock.now() - keepMs;
    const kept = page.filter(({ at }) => at >= oldest);
    const written = await files.write(
      kept.map(
        ({ revision, at, dn, author }): AuditLine => ({
          at: new Date(at).toISOString(),
          event: 'change',
          caller: author === '' ? undefined : author,
          target: dn,
          revision,
          result: 'ok',
        }),
      ),
    );
    if (written < kept.length) {
      last = kept[written - 1]?.revision ?? last;
      const later = new Promise<void>((resolve) => setTimeout(resolve, TRY_AGAIN_MS).unref());
      await Promise.race([later, stopped]);
      continue;
    }
    last = page.at(-1)?.revision ?? last;
    if (page.length < PAGE) await change;
  }
}
