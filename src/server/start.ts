// The whole server, put together: directories, lock, format, writer, threads, listeners, ready. Read from top to bottom.

import { mkdirSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { Ids } from '../base/ids.ts';
import { createLog } from '../base/log.ts';
import { WriterClient } from '../database/client.ts';
import { openForWriting, openReader } from '../database/connection.ts';
import { migrate } from '../database/format.ts';
import { lockDirectory } from '../database/lock.ts';
import { SharedState } from '../database/shared.ts';
import { closeAllSegments, highestId, unlinkUnknownSegments } from '../store/collect.ts';
import type { Configuration } from './configuration.ts';
import { formatEndpoint, handTo, type Listener, listenTcp, portOf } from './listen.ts';
import { databasePath, runPath, segmentsPath } from './paths.ts';
import { tcpListeners } from './ports.ts';
import { Supervisor } from './supervisor.ts';
import { units } from './units.ts';

export interface RunningServer {
  /** `smtp` -> `127.0.0.1:1025`, a key for each listener. */
  readonly listeners: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** `fatal` prints one line and ends the process at once: nobody can say what is on disk. */
export async function start(configuration: Configuration, fatal: (text: string) => void): Promise<RunningServer> {
  const { data } = configuration;
  for (const directory of [data, segmentsPath(data), runPath(data)])
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(data);
  const log = createLog(configuration.log, 'main');

  const synchronous = process.env['WAYPOST_TEST_SYNCHRONOUS'] === 'off' ? 'OFF' : 'FULL';
  const founding = openForWriting(databasePath(data), synchronous);
  migrate(founding, units);
  founding.close();

  const shared = new SharedState();
  const { reader, close } = openReader(databasePath(data));
  const ids = new Ids(shared.ids, 0, systemClock.now);
  ids.startAbove(highestId(reader));
  shared.publishRevision(Number(reader.get('SELECT value FROM revision')?.['value'] ?? 0));
  await unlinkUnknownSegments(reader, segmentsPath(data));

  const hostnames = [configuration.hostname];
  const supervisor = new Supervisor({ configuration, hostnames, shared, log, fatal });
  await supervisor.startWriter({
    acknowledgeEarly: process.env['WAYPOST_TEST_ACKNOWLEDGE_EARLY'] === '1',
    synchronous,
  });
  const writer = new WriterClient(supervisor.writerPort(0), shared);
  await writer.execute(closeAllSegments, { at: systemClock.now() });

  const protocol = new URL('./threads/protocol.ts', import.meta.url);
  const protocolThreads = await Promise.all(
    Array.from({ length: configuration.threads }, (_, i) =>
      supervisor.startThread({ name: `protocol-${i + 1}`, module: protocol }),
    ),
  );

  const listeners: Listener[] = [];
  for (const address of configuration.listen)
    for (const name of tcpListeners)
      listeners.push(
        await listenTcp(name, address, portOf(configuration, name), (socket, listener) =>
          handTo(protocolThreads, shared, socket, listener),
        ),
      );

  return {
    listeners: Object.fromEntries(
      listeners.map((listener) => [listener.name, formatEndpoint(listener.address, listener.port)]),
    ),
    async stop() {
      for (const listener of listeners) listener.server.close();
      await writer.settled();
      await supervisor.stop();
      close();
      lock.release();
    },
  };
}
