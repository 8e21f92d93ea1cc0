// The verb `serve`: starts the server, says that it is ready, stops it at a signal.
//
// Out  standard output: one line of JSON. Standard error: logs; on a terminal a panel for people
// SIGINT and SIGTERM stop it cleanly, exit code 0; a second one ends it at once. SIGHUP: files of certificates are looked at

import { writeSync } from 'node:fs';
import { EXIT } from '../base/exit.ts';
import { Failure } from '../base/failure.ts';
import { FatalStoreError } from '../database/batch.ts';
import type { Configuration } from './configuration.ts';
import { panel } from './panel.ts';
import { start } from './start.ts';
import { durable } from './switches.ts';

/** Gives the exit code. */
export async function serve(configuration: Configuration, switches = durable): Promise<number> {
  const fatal = (text: string): never => {
    writeSync(2, `waypost: ${text}\n`);
    process.exit(EXIT.ioError);
  };
  // The store holds keys that a password can be guessed from; the data directory may be one that others may enter.
  process.umask(0o077);
  // Before anything is started: a signal that comes early waits until there is something to stop.
  const stopped = stopSignal();
  let reload = (): void => {};
  process.on('SIGHUP', () => reload());
  const server = await start(configuration, fatal, switches).catch((error: unknown) => {
    if (error instanceof FatalStoreError) fatal(error.message);
    if (!(error instanceof Failure) || error.kind !== 'full') throw error;
    throw new Failure('full', `no space left on ${configuration.data}: make some, then start again`, { cause: error });
  });
  reload = () => server.reload();
  writeSync(1, `${JSON.stringify({ event: 'ready', hostname: server.hostname, listeners: server.listeners })}\n`);
  if (process.stderr.isTTY) writeSync(2, panel(configuration, server));
  await stopped;
  await server.stop();
  return EXIT.done;
}

function stopSignal(): Promise<void> {
  let isStopping = false;
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (isStopping) process.exit(EXIT.done);
        isStopping = true;
        resolve();
      });
  });
}
