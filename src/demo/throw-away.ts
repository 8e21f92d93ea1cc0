// A folder for a server on data that are thrown away: it goes however the command ends.
//
// In      the beginning of its name; what is done with it
// Out     what that gives
// Signals the first one aborts, so that the server is stopped in order; the second ends the process at once, the folder too

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '../base/exit.ts';

export interface ThrowAway {
  readonly directory: string;
  readonly signal: AbortSignal;
  /** For an end that comes by no way back. */
  remove(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function inThrowAway<T>(prefix: string, work: (own: ThrowAway) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const stopped = new AbortController();
  const stop = (): void => {
    if (stopped.signal.aborted) {
      remove();
      process.exit(EXIT.done);
    }
    stopped.abort();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work({ directory, signal: stopped.signal, remove });
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    remove();
  }
}
