// The ports of the configuration: each door on each of its addresses, and who gets what is accepted there.
//
// In      the main thread's parts
// Out     their endpoints; the operations over HTTPS, health and metrics served here, every other connection handed to a protocol thread
// Errors  the Failure of the first port that cannot be bound; what was bound before is closed

import type { Socket } from 'node:net';
import { audiences } from '../admin/audience.ts';
import { probe } from '../database/operation.ts';
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
import { DnsSockets } from './dns-sockets.ts';
import { handTo } from './hand-over.ts';
import { serveHttp } from './http-connections.ts';
import { httpSubmission } from './http-submission.ts';
import { InterfaceSockets } from './interface-sockets.ts';
import { type ListenerName, tcpListeners } from './listeners.ts';
import type { MainParts } from './main-parts.ts';
import type { Metrics } from './metrics.ts';
import { mtaStsPolicies } from './mta-sts.ts';
import { portOf } from './ports.ts';
import { zoneSite } from './zone-site.ts';

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
  const { configuration, supervisor, threads, shared, log } = parts;
  const dnsSockets = new DnsSockets(supervisor, threads.dns, log);
  const udp = new InterfaceSockets(dnsSockets, log);
  const apps = httpApps({
    health: health(parts, dnsSockets),
    api: {
      operations,
      authorize: (client, token) => parts.logins.bearer(client, token),
      ...audiences(parts.reader, parts.routing),
      log,
    },
    submission: httpSubmission(parts),
    mtaStsPolicy: mtaStsPolicies(parts.reader, zoneSite(parts)),
  });
  const http = serveHttp(parts, apps);
  const hand = handTo(threads.protocol, shared);
  const accepted = (socket: Socket, name: ListenerName): void => {
    if (name === 'http' || name === 'https') http.accept(socket, name);
    else hand(socket, name);
  };
  const failed = (error: Error): void => log.error('server.accept', { error: error.message });
  const open: Listener[] = [];
  const close = (): void => {
    for (const listener of open) listener.close();
    http.close();
  };
  let ownDns = '';
  try {
    for (const name of tcpListeners.filter((each) => !configuration.without.includes(each))) {
      const bind = (address: string, port: number, ipv6Only: boolean): Promise<Listener> => {
        const options: ListenOptions<ListenerName> = { name, address, port, ipv6Only, accepted, failed };
        return name === 'dns' ? listenDns(udp, options) : listenTcp(options);
      };
      const bound = await listenOnAll(addressesOf(configuration.listen, name), portOf(configuration, name), bind);
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

/** Who delivers by LMTP is trusted to be this machine's mail system: no other reaches that door. */
function addressesOf(listen: readonly string[], name: ListenerName): readonly string[] {
  if (name !== 'lmtp') return listen;
  const loopback = listen.flatMap((address) => {
    if (address === '::1' || address.startsWith('127.')) return [address];
    return address.includes(':') ? ['127.0.0.1', '::1'] : ['127.0.0.1'];
  });
  return [...new Set(loopback)];
}

function health(parts: MainParts, dnsSockets: DnsSockets): HealthParts {
  // Loaded when somebody asks: its library is a hundred files.
  let metrics: Promise<Metrics> | undefined;
  return {
    async ready() {
      const missing = dnsSockets.missing();
      if (missing.length > 0) throw new Error(`dns has no UDP socket on ${missing.join(', ')}`);
      await parts.routing.resolve({ localPart: 'postmaster', domain: '' }, INTERNAL_REQUEST);
      await parts.writer.execute(probe, {});
    },
    async metrics() {
      metrics ??= import('./metrics.ts').then(({ Metrics }) => new Metrics(parts));
      return (await metrics).text();
    },
  };
}
