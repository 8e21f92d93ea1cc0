// The store in today's format, and what is derived in it as today's code derives it; people read what takes time.

import { writeSync } from 'node:fs';
import type { Log } from '../base/log.ts';
import { rebuildDerived } from '../database/derived.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { grouped } from '../database/progress.ts';
import { upgradeStore } from '../database/upgrade.ts';
import { countMessages } from '../store/tables.ts';
import { databasePath } from './paths.ts';
import { derived, units } from './units.ts';

interface BringOptions {
  readonly log: Log;
  readonly synchronous: 'FULL' | 'OFF';
  /** Throws where no store may be made. */
  readonly mayBegin?: () => void;
}

/** Before any thread opens the database; makes it where there is none. */
export function bringToFormat(data: string, { log, synchronous, mayBegin = () => {} }: BringOptions): void {
  upgradeStore({
    path: databasePath(data),
    units,
    derived,
    log,
    say,
    size: (connection) => `${grouped(countMessages(connection))} messages`,
    synchronous,
    mayBegin,
  });
}

/** Before any door opens, so that no request is answered from rows that other code has made. */
export function compileAnew(reader: Reader, writer: Writer): Promise<void> {
  return rebuildDerived({ reader, writer, derived, say });
}

function say(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // A closed standard error ends no migration.
  }
}
