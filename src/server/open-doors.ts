// The ports of the configuration: each door on each of its addresses, and who gets what is accepted there.
//
// In      the main thread's parts
// Out     their endpoints; the operations over HTTPS, health and metrics served here, every other connection handed to a protocol thread
// Errors  the Failure of the first port that cannot be bound; what was bound before is closed

import type { Socket } from 'node:net';
import { probe } from '../database/operation.ts';
import { type ConnectionRecord, recordOver } from '../net/connection.ts';
import {
  formatEndpoint,
  type Listener,
  type ListenOptions,
  listenOnAll,
  listenTcp,
  reachableAddress,
} from '../net/listen.ts';
import { listenDns } from '../net/listen-dns.ts';
import type { AnyAdminOperation } from '../protocols/http/admin.ts';
import { httpApps } from '../protocols/http/apps.ts';
import type { HealthParts } from '../protocols/http/health.ts';
import { INTERNAL_REQUEST } from '../routing/route-request.ts';
import { admitConnections } from './client-connections.ts';
import { DnsSockets } from './dns-sockets.ts';
import { handTo } from './hand-over.ts';
import { createHttpDoor, type HttpDoor } from './http.ts';
import { createIdentifyClient } from './identify-client.ts';
import { type ListenerName, tcpListeners } from './listeners.ts';
import type { MainParts } from './main-parts.ts';
import { Metrics } from './metrics.ts';
import { portOf } from './ports.ts';

export interface Doors {
  /** Where our own DNS is asked from this machine. */
  readonly ownDns: string;
  /** Accepts no more connections. Those of protocol threads are ended there. */
  close(): void;
}

/** `endpoints` gets `smtp` -> `127.0.0.1:1025`, a key for each door: on the first address. */
export async function openDoors(
  parts: MainParts,
  operations: readonly AnyAdminOperation[],
  endpoints: Record<string, string>,
): Promise<Doors> {
  const { configuration, supervisor, threads, shared, log, certificates, counters } = parts;
  const dnsSockets = new DnsSockets(supervisor, threads.dns, log);
  const { plain, secure } = httpApps(health(parts, dnsSockets), { operations, authorize: parts.logins.bearer, log });
  const http = createHttpDoor(plain);
  const https = createHttpDoor(secure);
  const hand = handTo(threads.protocol, shared);
  const identify = createIdentifyClient({ proxy: configuration.proxy, shared, log });
  const acceptSecure: HttpDoor['accept'] = (socket, record) => {
    // One that fails is closed.
    certificates.tls.upgrade(socket, { listener: record.listener, isImplicit: true }).then(
      (transport) => https.accept(transport, recordOver(transport, record)),
      () => counters.add('handshake', record.listener),
    );
  };
  const admit = admitConnections({
    buckets: shared.useBuckets,
    limits: configuration.limits,
    generation: () => shared.lostThreads(),
  });
  const admitted = (socket: Socket, record: ConnectionRecord, serve: HttpDoor['accept']): void => {
    counters.add('connection', record.listener);
    const closed = admit(record);
    if (closed === undefined) {
      counters.add('refused', record.listener);
      socket.destroy();
      return;
    }
    socket.once('close', closed);
    serve(socket, record);
  };
  const accepted = (socket: Socket, name: ListenerName): void => {
    if (name === 'http') identify(socket, name, (record) => admitted(socket, record, http.accept));
    else if (name === 'https') identify(socket, name, (record) => admitted(socket, record, acceptSecure));
    else hand(socket, name);
  };
  const failed = (error: Error): void => log.error('server.accept', { error: error.message });
  const open: Listener[] = [];
  const close = (): void => {
    for (const listener of open) listener.close();
    http.close();
    https.close();
  };
  let ownDns = '';
  try {
    for (const name of tcpListeners.filter((each) => !configuration.without.includes(each))) {
      const bind = (address: string, port: number, ipv6Only: boolean): Promise<Listener> => {
        const options: ListenOptions<ListenerName> = { name, address, port, ipv6Only, accepted, failed };
        return name === 'dns' ? listenDns(dnsSockets, options) : listenTcp(options);
      };
      const bound = await listenOnAll(configuration.listen, portOf(configuration, name), bind);
      open.push(...bound);
      const { address, port } = bound[0]!;
      endpoints[name] = formatEndpoint(address, port);
      if (name === 'dns') ownDns = formatEndpoint(reachableAddress(address), port);
    }
  } catch (error) {
    close();
    throw error;
  }
  return { ownDns, close };
}

function health(parts: MainParts, dnsSockets: DnsSockets): HealthParts {
  const metrics = new Metrics(parts);
  return {
    async ready() {
      const missing = dnsSockets.missing();
      if (missing.length > 0) throw new Error(`dns has no UDP socket on ${missing.join(', ')}`);
      await parts.routing.resolve({ localPart: 'postmaster', domain: '' }, INTERNAL_REQUEST);
      await parts.writer.execute(probe, {});
    },
    metrics: () => metrics.text(),
  };
}
