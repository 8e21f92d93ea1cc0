// A protocol thread: an event loop that serves every door, with a reader, a routing cache and a segment of its own.

import type { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { describeConnection } from '../../net/connection.ts';
import { SmtpSession } from '../../protocols/smtp/session.ts';
import { RoutingCache } from '../../routing/cache.ts';
import { createIntakes } from '../../store/intake.ts';
import { SegmentWriter } from '../../store/segment.ts';
import { smtpDoor } from '../doors/smtp.ts';
import type { ListenerName } from '../ports.ts';
import { segmentHost, type ThreadData, threadParts } from './parts.ts';

/** From the main thread. */
export type ProtocolOrder =
  | { readonly kind: 'connection'; readonly socket: Socket; readonly listener: ListenerName }
  | { readonly kind: 'stop' };
/** To the main thread. */
export type ThreadReport = { readonly kind: 'started' } | { readonly kind: 'fatal'; readonly text: string };

const data = workerData as ThreadData;
const parts = threadParts(data);
const report = (message: ThreadReport): void => parentPort?.postMessage(message);
const host = segmentHost(parts, (error) => report({ kind: 'fatal', text: error.message }));
const segments = new SegmentWriter(host);
const intakes = createIntakes(host, segments);
const routing = new RoutingCache({
  reader: parts.database.reader,
  revision: () => parts.shared.revision(),
  site: { hostnames: data.hostnames },
});
const sockets = new Set<Socket>();
const doors = {
  smtp: smtpDoor({ ...parts, routing, intakes, clock: systemClock, hostnames: data.hostnames }),
};

function open(socket: Socket, listener: ListenerName): void {
  const connection = describeConnection(socket, listener);
  sockets.add(socket);
  socket.once('close', () => {
    sockets.delete(socket);
    parts.shared.addConnections(data.thread, -1);
  });
  socket.setNoDelay(true);
  switch (listener) {
    case 'smtp':
    case 'submission':
      new SmtpSession(doors.smtp, socket, connection);
      return;
    default:
      socket.destroy();
  }
}

parentPort?.on('message', (order: ProtocolOrder) => {
  if (order.kind === 'connection') open(order.socket, order.listener);
  else void stop();
});

async function stop(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await segments.close();
  await parts.writer.settled();
  parts.database.close();
  process.exit();
}

report({ kind: 'started' });
