// The DNS thread: the UDP sockets, an event loop of their own, so that a query never waits for anything else.

import type { Socket } from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';
import { createAnswer } from '../../protocols/dns/answer.ts';
import { bindDnsUdp, serveDnsUdp } from '../../protocols/dns/udp.ts';
import { zoneLookUp } from '../../zones/names.ts';
import type { Counts } from '../counters.ts';
import { thisZoneHost } from '../zone-host.ts';
import { type ThreadData, threadParts } from './parts.ts';

/** From the main thread. */
export type DnsOrder =
  | { readonly kind: 'bind'; readonly address: string; readonly port: number }
  /** TCP could not have the number that UDP got: give it back and try another. */
  | { readonly kind: 'unbind' }
  | { readonly kind: 'counts'; readonly request: number }
  | { readonly kind: 'forget-segment'; readonly segment: number }
  | { readonly kind: 'stop' };
/** To the main thread. */
export type DnsReport =
  | { readonly kind: 'started' }
  | { readonly kind: 'bound'; readonly port: number }
  | { readonly kind: 'unbound' }
  | { readonly kind: 'counts'; readonly request: number; readonly counts: Counts }
  | { readonly kind: 'not-bound'; readonly code: string };

const data = workerData as ThreadData;
const parts = threadParts(data);
const report = (message: DnsReport): void => parentPort?.postMessage(message);
const answer = createAnswer({
  lookUp: zoneLookUp(parts.database.reader, thisZoneHost(data)),
  revision: () => parts.shared.revision(),
  log: parts.log,
  onAnswer: (rcode) => parts.counters.add('dns', rcode),
});
const served: { socket: Socket; close(): Promise<void> }[] = [];

async function bind(address: string, port: number): Promise<void> {
  try {
    const socket = await bindDnsUdp(address, port);
    served.push({ socket, ...serveDnsUdp({ socket, answer, log: parts.log }) });
    report({ kind: 'bound', port: socket.address().port });
  } catch (error) {
    report({ kind: 'not-bound', code: error instanceof Error && 'code' in error ? String(error.code) : String(error) });
  }
}

async function closeAll(): Promise<void> {
  await Promise.all(served.splice(0).map((each) => each.close()));
}

parentPort?.on('message', async (order: DnsOrder) => {
  switch (order.kind) {
    case 'bind':
      return bind(order.address, order.port);
    case 'unbind':
      await served.pop()?.close();
      return report({ kind: 'unbound' });
    case 'counts':
      return report({ kind: 'counts', request: order.request, counts: parts.counters.counts() });
    case 'forget-segment':
      return;
    case 'stop':
      await closeAll();
      parts.database.close();
      process.exit();
      return;
    default:
      order satisfies never;
  }
});
report({ kind: 'started' });
