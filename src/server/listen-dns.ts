// The DNS port: one number for UDP and TCP, UDP in the DNS thread, TCP like every other door.

import type { Socket } from 'node:net';
import { formatEndpoint, type Listener, listenFailure, listenTcp } from './listen.ts';
import type { ListenerName } from './ports.ts';
import type { ServingThread, Supervisor } from './supervisor.ts';
import type { DnsOrder, DnsReport } from './threads/dns.ts';

/** Free UDP ports whose TCP twin is taken, one after another, before we give up. */
const TRIES = 20;

function ask(supervisor: Supervisor, thread: ServingThread, order: DnsOrder): Promise<DnsReport> {
  return new Promise((resolve) => {
    const end = supervisor.onReport((from, report) => {
      if (from !== thread || report.kind === 'counts') return;
      end();
      resolve(report as DnsReport);
    });
    thread.post(order);
  });
}

/** Port 0 takes a number that is free for both. */
export async function listenDns(
  supervisor: Supervisor,
  thread: ServingThread,
  address: string,
  port: number,
  accepted: (socket: Socket, name: ListenerName) => void,
): Promise<Listener> {
  for (let tries = 1; ; tries++) {
    const bound = await ask(supervisor, thread, { kind: 'bind', address, port });
    if (bound.kind === 'not-bound')
      throw listenFailure(
        Object.assign(new Error(bound.code), { code: bound.code }),
        'dns',
        formatEndpoint(address, port),
      );
    if (bound.kind !== 'bound') throw new Error(`the DNS thread said ${bound.kind}`);
    try {
      return await listenTcp('dns', address, bound.port, accepted);
    } catch (error) {
      await ask(supervisor, thread, { kind: 'unbind' });
      if (port !== 0 || tries >= TRIES) throw error;
    }
  }
}
