// The DNS thread: the UDP sockets, an event loop of their own, so that a query never waits for anything else.

import { parentPort, workerData } from 'node:worker_threads';
import { errorCode } from '../../net/listen.ts';
import { bindDnsUdp, type DnsUdpService, serveDnsUdp } from '../../protocols/dns/udp.ts';
import { createDnsAnswer } from '../dns-answer.ts';
import { type NotifiedReport, zoneNotified } from '../zone-notified.ts';
import { zoneSite } from '../zone-site.ts';
import { type CommonReport, type ThreadData, takeOrders, threadParts } from './parts.ts';

/** From the main thread. */
export type DnsOrder =
  /** Standing, with the number that the socket got. Does nothing for an address that is bound. */
  | { readonly kind: 'bind'; readonly address: string; readonly port: number; readonly ipv6Only: boolean }
  /** TCP could not have the number that UDP got. */
  | { readonly kind: 'unbind'; readonly address: string };
/** To the main thread. */
export type DnsReport =
  | CommonReport
  | { readonly kind: 'bound'; readonly address: string; readonly port: number }
  /** It could not be bound, or it has failed since and is closed. */
  | { readonly kind: 'not-bound'; readonly address: string; readonly code: string }
  | NotifiedReport;

const data = workerData as ThreadData;
const parts = threadParts(data);
const report = (message: DnsReport): void => parentPort?.postMessage(message);
const answer = createDnsAnswer(parts, zoneSite(data), zoneNotified(parts.database.reader, report));
/** By address; undefined while it is being bound. */
const sockets = new Map<string, DnsUdpService | undefined>();

async function bind({ address, port, ipv6Only }: Extract<DnsOrder, { kind: 'bind' }>): Promise<void> {
  if (sockets.has(address)) return;
  sockets.set(address, undefined);
  try {
    const socket = await bindDnsUdp(address, port, { ipv6Only });
    const failed = (error: Error): void => {
      unbind(address);
      report({ kind: 'not-bound', address, code: errorCode(error) });
    };
    sockets.set(address, serveDnsUdp({ socket, answer, log: parts.log, failed }));
    report({ kind: 'bound', address, port: socket.address().port });
  } catch (error) {
    sockets.delete(address);
    report({ kind: 'not-bound', address, code: errorCode(error) });
  }
}

function unbind(address: string): void {
  void sockets.get(address)?.close();
  sockets.delete(address);
}

async function stop(): Promise<void> {
  await Promise.all([...sockets.values()].map((socket) => socket?.close()));
  parts.database.close();
  process.exit();
}

takeOrders({ counters: parts.counters, stop }, (order: DnsOrder) => {
  if (order.kind === 'bind') void bind(order);
  else unbind(order.address);
});
