// The threads that serve, beside the writer: which there are, and what follows from the end of one.

import { systemClock } from '../base/clock.ts';
import type { WriterClient } from '../database/client.ts';
import { closeSegmentsOf } from '../store/collect.ts';
import type { ServingThread, Supervisor } from './supervisor.ts';

export interface ServingThreads {
  readonly dns: ServingThread;
  readonly publisher: ServingThread;
  readonly transfer: ServingThread;
  readonly protocol: readonly ServingThread[];
}

/** A dead thread's last calls have their outcome by then. */
const DRAINED_MS = 1000;

/** Resolves when all of them serve. */
export async function startThreads(
  supervisor: Supervisor,
  writer: WriterClient,
  protocolThreads: number,
): Promise<ServingThreads> {
  supervisor.onExit((thread) => {
    const at = systemClock.now();
    // What it had posted is executed first: the writer has its port drained well before.
    setTimeout(
      () => writer.execute(closeSegmentsOf, { thread: thread.number, at }).catch(() => {}),
      DRAINED_MS,
    ).unref();
  });
  // The busy ones first: the others wait until they have begun.
  const busy = Array.from({ length: protocolThreads }, (_, i) =>
    supervisor.startThread({
      name: `protocol-${i + 1}`,
      module: new URL('./threads/protocol.ts', import.meta.url),
      isBusy: true,
    }),
  );
  const start = (name: string, module: URL) => supervisor.startThread({ name, module, isBusy: false });
  const [dns, transfer, publisher, ...protocol] = await Promise.all([
    start('dns', new URL('./threads/dns.ts', import.meta.url)),
    start('transfer', new URL('./threads/transfer.ts', import.meta.url)),
    start('publisher', new URL('./threads/publisher.ts', import.meta.url)),
    ...busy,
  ]);
  return { dns, transfer, publisher, protocol };
}
