// A protocol thread: an event loop that serves every door, with a reader, a routing cache and a segment of its own.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { parentPort, workerData } from 'node:worker_threads';
import { HashGate } from '../../auth/hash-gate.ts';
import { systemClock } from '../../base/clock.ts';
import { type ConnectionRecord, describeConnection, recordOver } from '../../net/connection.ts';
import { type TlsMaterial, TlsServer } from '../../net/tls.ts';
import { serveDnsTcp } from '../../protocols/dns/tcp-session.ts';
import { serveImap } from '../../protocols/imap/server.ts';
import { serveLdap } from '../../protocols/ldap/server.ts';
import { servePop3 } from '../../protocols/pop3/server.ts';
import { serveSmtp } from '../../protocols/smtp/server.ts';
import type { ArrivalStep } from '../../provisioning/arrival/arrivals.ts';
import { providerAuthority } from '../../provisioning/replica/authority.ts';
import { RoutingCache } from '../../routing/cache.ts';
import { Blobs } from '../../store/blobs.ts';
import { createIntakes } from '../../store/intake.ts';
import { type MaildropAnswer, MaildropClient, type MaildropRequest } from '../../store/maildrop-locks.ts';
import { SearchIndex } from '../../store/search-index/search-index.ts';
import { createWatchers } from '../../store/watchers.ts';
import { type AuditReport, LoginLines } from '../audit.ts';
import { admitConnections } from '../client-connections.ts';
import { createDnsAnswer } from '../dns-answer.ts';
import { createArrive } from '../doors/arrivals.ts';
import { imapDoor } from '../doors/imap.ts';
import { ldapDoor } from '../doors/ldap.ts';
import { pop3Door } from '../doors/pop3.ts';
import { smtpDoor } from '../doors/smtp.ts';
import { createIdentifyClient } from '../identify-client.ts';
import { isImplicitTls, type ListenerName } from '../listeners.ts';
import { listenLocalLdap } from '../local-ldap.ts';
import { threadLogins } from '../logins.ts';
import type { FollowerReport } from '../other-servers.ts';
import { searchIndexPath, segmentsPath } from '../paths.ts';
import { createServerNames } from '../server-names.ts';
import { createSigner } from '../signer.ts';
import { siteOf } from '../site.ts';
import { SourceAuthority } from '../source-authority.ts';
import { callsOfSources, type SourceAnswer, type SourceCallReport, SourceCalls } from '../source-calls.ts';
import { TOO_MANY } from '../too-many.ts';
import { type NotifiedReport, zoneNotified } from '../zone-notified.ts';
import { zoneSite } from '../zone-site.ts';
import { type CommonReport, type ThreadData, takeOrders, threadParts, threadSegments } from './parts.ts';

/** From the main thread. */
export type ProtocolOrder =
  | { readonly kind: 'connection'; readonly socket: Socket; readonly listener: ListenerName }
  /** Standing: where our own DNS listener is. */
  | { readonly kind: 'own-dns'; readonly endpoint: string }
  /** Standing: this thread accepts the connections of `run/ldapi`. */
  | { readonly kind: 'local-ldap'; readonly path: string }
  /** Standing: what TLS serves. The first comes before any connection. */
  | { readonly kind: 'tls'; readonly material: TlsMaterial }
  /** The local certificate has been looked at for this request; a new one came before in `tls`. */
  | { readonly kind: 'renewed'; readonly request: number }
  | MaildropAnswer
  | SourceAnswer;
/** To the main thread. */
export type ThreadReport =
  | CommonReport
  | MaildropRequest
  | AuditReport
  | NotifiedReport
  | SourceCallReport
  | FollowerReport
  /** A virtual server's name is missing in the local certificate; answered with `renewed`. */
  | { readonly kind: 'renew-local'; readonly request: number }
  /** A message has brought its domain, or tried to. */
  | { readonly kind: 'arrived'; readonly steps: readonly ArrivalStep[] }
  | { readonly kind: 'fatal'; readonly text: string };

const data = workerData as ThreadData;
const parts = threadParts(data);
const { log, shared, counters, configuration } = parts;
const { reader } = parts.database;
const report = (message: ThreadReport): void => parentPort?.postMessage(message);
const { host, segments } = threadSegments(parts, data.thread, (error) =>
  report({ kind: 'fatal', text: error.message }),
);
const intakes = createIntakes(host, segments);
const blobs = new Blobs(segmentsPath(configuration.data), reader);
const searchIndex = new SearchIndex({
  ...parts,
  reader,
  clock: systemClock,
  directory: searchIndexPath(configuration.data),
});
const sourceCalls = new SourceCalls(report);
const askSource = callsOfSources(parts.provider, (call) => sourceCalls.call(call));
const sources = new SourceAuthority({ reader, writer: parts.writer, call: askSource });
const authority = parts.provider === undefined ? sources : providerAuthority(parts.provider, sources);
const routing = new RoutingCache({
  reader,
  revision: () => shared.routingRevision(),
  site: siteOf(data.hostnames, configuration, reader),
  count: (what, count) => counters.add(`routing-${what}`, '', count),
  authority,
});
/** Where our own DNS listener is: a standing order says it. */
let ownDns = '';
const gate = new HashGate({ cells: shared.hashCells, thread: data.thread });
const loginLines = new LoginLines(shared.loginBuckets, (lines) => report({ kind: 'audit', lines }));
const serverName = createServerNames(reader, () => shared.revision());
const logins = threadLogins({
  ...parts,
  reader,
  routing,
  authority,
  gate,
  lines: loginLines,
  domainOfServer: serverName,
});
const watch = createWatchers(parts.writer, shared, data.thread);
/** Handshakes that wait for the local certificate, by the number of their request. */
const renewing = new Map<number, () => void>();
let lastRenewal = 0;
const tls = new TlsServer({
  hostname: data.hostnames[0]!,
  isServerName: (name) => serverName(name) !== undefined,
  renewLocal: () =>
    new Promise((resolve) => {
      // Each asks for itself: what an earlier one waits for may have been begun before this one's name was written.
      const request = ++lastRenewal;
      renewing.set(request, resolve);
      report({ kind: 'renew-local', request });
    }),
  failed: (listener) => counters.add('handshake', listener),
});
const maildrops = new MaildropClient(report);
const admit = admitConnections({
  buckets: shared.useBuckets,
  limits: configuration.limits,
  generation: () => shared.lostThreads(),
});
const doors = {
  smtp: smtpDoor({
    ...parts,
    tls,
    routing,
    intakes,
    signer: createSigner({ reader, site: zoneSite(data), routing, log }),
    logins,
    admit,
    arrive: createArrive(parts, {
      routing,
      site: zoneSite(data),
      ownDns: () => ownDns,
      arrived: (steps) => report({ kind: 'arrived', steps }),
    }),
  }),
  imap: imapDoor({ ...parts, tls, intakes, blobs, searchIndex, logins, watch }),
  pop3: pop3Door({ ...parts, tls, blobs, logins, maildrops }),
  ldap: ldapDoor({
    ...parts,
    ...{ hostname: data.hostnames[0]!, tls, logins, gate, authority },
    askSource,
    followed: (name, isFollowing) => report({ kind: 'follower', name, isFollowing }),
  }),
  dns: {
    answer: createDnsAnswer(parts, zoneSite(data), zoneNotified(reader, report)),
    log,
  },
};

/** Each open connection, and how its session is ended in its protocol's words. */
const sessions = new Map<Socket, () => void>();
const identify = createIdentifyClient({ ...parts, proxy: configuration.proxy });

function open(socket: Socket, listener: ListenerName): void {
  sessions.set(socket, () => socket.destroy());
  counters.add('connection', listener);
  socket.once('close', () => {
    sessions.delete(socket);
    shared.addConnections(data.thread, -1);
  });
  identify(socket, listener, (connection) => begin(socket, listener, connection));
}

/** From this machine, by who may do all: no bound of strangers holds. */
function openLocal(socket: Socket): void {
  shared.addConnections(data.thread, 1);
  counters.add('connection', 'ldapi');
  socket.once('close', () => {
    sessions.delete(socket);
    shared.addConnections(data.thread, -1);
  });
  const session = serveLdap(doors.ldap, socket, describeConnection(socket, 'ldapi'));
  sessions.set(socket, () => session.shutDown());
}

function isForOthers(connection: ConnectionRecord): boolean {
  return SMTP_DOORS.has(connection.listener) && doors.smtp.speaksForOthers(connection);
}

const SMTP_DOORS: ReadonlySet<string> = new Set(['smtp', 'submission', 'submissions']);

/** The client is known now. */
function begin(socket: Socket, listener: ListenerName, connection: ConnectionRecord): void {
  // One that speaks for others counts as who it speaks for.
  const closed = isForOthers(connection) ? () => {} : admit(connection);
  if (sessions.size > configuration.limits.connectionsMax || closed === undefined) {
    closed?.();
    refuse(socket, listener);
    return;
  }
  socket.once('close', closed);
  sessions.set(socket, () => socket.end());
  socket.setNoDelay(true);
  if (listener === 'dns') {
    serveDnsTcp(doors.dns, socket, connection);
    return;
  }
  if (!isImplicitTls(listener)) {
    sessions.set(socket, serve(socket, connection));
    return;
  }
  sessions.set(socket, () => socket.destroy());
  tls.upgrade(socket, { listener, isImplicit: true }).then(
    (secure) => {
      // One that has been closed meanwhile is gone from the map, and must not come back.
      if (!socket.destroyed) sessions.set(socket, serve(secure, recordOver(secure, connection)));
    },
    // It is closed, and counted.
    () => {},
  );
}

/** Gives the way to end the session in its protocol's words. */
function serve(transport: Duplex, record: ConnectionRecord): () => void {
  switch (record.listener as ListenerName) {
    case 'smtp':
    case 'lmtp':
    case 'submission':
    case 'submissions': {
      const session = serveSmtp(doors.smtp, transport, record);
      return () => session.shutDown();
    }
    case 'imap':
    case 'imaps': {
      const session = serveImap(doors.imap, transport, record);
      return () => session.close('The server is shutting down');
    }
    case 'pop3':
    case 'pop3s': {
      const session = servePop3(doors.pop3, transport, record);
      return () => session.shutDown();
    }
    case 'ldap':
    case 'ldaps': {
      const session = serveLdap(doors.ldap, transport, record);
      return () => session.shutDown();
    }
    default:
      transport.destroy();
      return () => {};
  }
}

function refuse(socket: Socket, listener: ListenerName): void {
  counters.add('refused', listener);
  socket.on('error', () => {});
  socket.end(TOO_MANY[listener] ?? '');
  // Input is read and dropped, so that the end of the connection is seen at once.
  socket.resume();
  setTimeout(() => socket.destroy(), 1000).unref();
}

/** A peer that does not take the last output in this time is cut off. */
const FAREWELL_MS = 1000;

/** What is under way gets its outcome and its answer, each session its last reply; then segments, calls, files. */
async function stop(): Promise<void> {
  await parts.writer.settled();
  for (const end of sessions.values()) end();
  const until = performance.now() + FAREWELL_MS;
  while (sessions.size > 0 && performance.now() < until) await new Promise((turn) => setTimeout(turn, 10));
  for (const socket of sessions.keys()) socket.destroy();
  loginLines.flush();
  await segments.close();
  await parts.writer.settled();
  blobs.close();
  searchIndex.close();
  parts.database.close();
  process.exit();
}

takeOrders({ counters, blobs, stop }, (order: ProtocolOrder) => {
  switch (order.kind) {
    case 'connection':
      open(order.socket, order.listener);
      return;
    case 'own-dns':
      ownDns = order.endpoint;
      return;
    case 'local-ldap':
      listenLocalLdap(order.path, log, openLocal);
      return;
    case 'tls':
      tls.serve(order.material);
      return;
    case 'renewed':
      renewing.get(order.request)?.();
      renewing.delete(order.request);
      return;
    case 'maildrop':
      maildrops.answered(order);
      return;
    case 'source-answer':
    case 'source-refusal':
      sourceCalls.answered(order);
      return;
    default:
      order satisfies never;
  }
});
