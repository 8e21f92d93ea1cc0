// The metrics of the whole process in Prometheus' text format: what threads count, and gauges read at each request.
//
// Labels are bounded: listeners, reply codes, results. Never an address.

import { Counter, Gauge, Registry } from '@prometheus-io/client';
import { walBytes } from '../database/writer-thread.ts';
import { readState } from '../routing/generation.ts';
import { readCheck } from '../routing/table-checks.ts';
import { indexFigures } from '../store/search-index/searched.ts';
import { queueFigures } from '../transfer/queue.ts';
import { waitingCounts } from '../zones/outbox.ts';
import { type Counts, LOOP_DELAY } from './counters.ts';
import type { MainParts } from './main-parts.ts';
import { databasePath } from './paths.ts';
import { VERSION } from './version.ts';

export type MetricsParts = Pick<
  MainParts,
  'configuration' | 'reader' | 'shared' | 'supervisor' | 'counters' | 'directory' | 'otherServers'
>;

/** A counter of threads -> the metric it becomes, and the names of its label's words. */
const threadCounters: Readonly<Record<string, readonly [name: string, help: string, ...labels: string[]]>> = {
  smtp: ['waypost_smtp_replies_total', 'SMTP replies by door and code', 'listener', 'code'],
  imap: ['waypost_imap_replies_total', 'Tagged IMAP replies', 'listener', 'status'],
  pop3: ['waypost_pop3_replies_total', 'POP3 replies', 'listener', 'status'],
  ldap: ['waypost_ldap_results_total', 'LDAP results', 'operation', 'result'],
  dns: ['waypost_dns_responses_total', 'DNS responses by rcode', 'rcode'],
  login: ['waypost_logins_total', 'Logins by door and outcome', 'door', 'outcome'],
  connection: ['waypost_connections_total', 'Accepted connections', 'listener'],
  refused: ['waypost_connections_refused_total', 'Connections over a limit', 'listener'],
  handshake: ['waypost_tls_handshakes_failed_total', 'TLS handshakes that failed', 'listener'],
  'routing-row-read': ['waypost_routing_rows_read_total', 'Rows that caches have read from the routing tables'],
  'routing-forgotten-all': [
    'waypost_routing_forgotten_all_total',
    'Times that a cache has forgotten everything, since too much had changed',
  ],
  source: ['waypost_source_questions_total', 'Searches at sources for who was asked for', 'source'],
  'segment-copied': ['waypost_segment_copied_bytes_total', 'Octets of messages that were moved to another segment'],
  'segment-freed': ['waypost_segment_freed_bytes_total', 'Octets of segment files that were removed'],
  index: [
    'waypost_index_changes_total',
    'Messages put into indexes of texts and taken out, and indexes made anew',
    'what',
  ],
  delivery: ['waypost_delivery_attempts_total', 'Delivery attempts by channel and result', 'channel', 'result'],
};

/** A thread that does not answer in this time is left out. */
const COUNTS_MS = 1000;

export class Metrics {
  readonly #parts: MetricsParts;
  #lastRequest = 0;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
  }

  async text(): Promise<{ type: string; text: string }> {
    const registry = new Registry();
    const { counts, delays } = await this.#threadCounts();
    for (const [key, [name, help, ...labelNames]] of Object.entries(threadCounters)) {
      const counter = new Counter({ name, help, labelNames, registers: [registry] });
      for (const [what, count] of counts)
        if (what.startsWith(`${key} `)) {
          const words = what.slice(key.length + 1).split(' ');
          counter.inc(Object.fromEntries(labelNames.map((label, i) => [label, words[i] ?? ''])), count);
        }
    }
    this.#gauges(registry);
    this.#segments(registry, counts);
    this.#otherServers(registry);
    await this.#sources(registry);
    const delay = new Gauge({
      name: 'waypost_event_loop_delay_p99_seconds',
      help: 'Event-loop delay by thread since the last look',
      labelNames: ['thread'],
      registers: [registry],
    });
    for (const [thread, seconds] of delays) delay.set({ thread }, seconds);
    return { type: registry.contentType, text: await registry.metrics() };
  }

  #gauges(registry: Registry): void {
    const { reader, shared, supervisor } = this.#parts;
    const gauge = (name: string, help: string, value: number): void =>
      new Gauge({ name, help, registers: [registry] }).set(value);
    const queue = queueFigures(reader);
    const oldest = queue.oldestAt === undefined ? 0 : Math.max(0, Date.now() - queue.oldestAt) / 1000;
    const state = readState(reader);
    gauge('waypost_queue_messages', 'Queue rows', queue.rows);
    gauge('waypost_queue_oldest_seconds', 'Age of the oldest queue row, 0 for an empty queue', oldest);
    const publishing = waitingCounts(reader, Date.now());
    gauge(
      'waypost_dns_publish_waiting',
      "Domains whose records are not yet at somebody else's primary",
      publishing.waiting,
    );
    gauge(
      'waypost_dns_publish_oldest_seconds',
      'For how long the oldest of them waits, 0: none does',
      publishing.oldest,
    );
    gauge('waypost_dns_conflicts', 'Domains in whose place somebody else has written records', publishing.conflicts);
    const index = indexFigures(reader, Date.now());
    gauge('waypost_index_accounts', 'Accounts that search their mail, and have an index of it', index.accounts);
    gauge('waypost_index_behind_messages', 'Messages of these that are not in the index yet', index.messagesBehind);
    gauge('waypost_index_oldest_seconds', 'For how long the oldest of them waits, 0: none does', index.oldestMs / 1000);
    gauge('waypost_directory_revision', 'Committed directory revision', reader.revision());
    gauge('waypost_routing_revision', 'Last directory revision that moved a row of the routing tables', state.revision);
    gauge('waypost_routing_generation', 'Generation of the routing tables', state.generation);
    const { differences = 0 } = (readCheck(reader, 'verify')?.result as { differences?: number }) ?? {};
    gauge('waypost_sync_differences', 'Rows that the last proof of the routing tables found wrong', differences);
    gauge('waypost_writer_waiting_bytes', 'Bytes that wait for the writer', shared.waitingBytes());
    gauge('waypost_wal_bytes', 'Size of the write-ahead log', walBytes(databasePath(this.#parts.configuration.data)));
    gauge('waypost_resident_memory_bytes', 'Resident memory of the process', process.memoryUsage.rss());
    const open = new Gauge({
      name: 'waypost_connections',
      help: 'Open connections by thread',
      labelNames: ['thread'],
      registers: [registry],
    });
    for (const thread of supervisor.threads) open.set({ thread: thread.name }, shared.connections(thread.number));
    const build = new Gauge({
      name: 'waypost_build_info',
      help: 'Version of the program and of Node.js',
      labelNames: ['version', 'node'],
      registers: [registry],
    });
    build.set({ version: VERSION, node: process.version }, 1);
  }

  /** What the upkeep thread has found when it looked last. */
  #segments(registry: Registry, counts: ReadonlyMap<string, number>): void {
    const bytes = new Gauge({
      name: 'waypost_segment_bytes',
      help: 'Octets of closed segments, of messages and of none',
      labelNames: ['state'],
      registers: [registry],
    });
    for (const state of ['live', 'dead']) bytes.set({ state }, counts.get(`segment-bytes ${state}`) ?? 0);
  }

  /** Of the server that this one follows; none where the directory is its own. */
  #otherServers(registry: Registry): void {
    const { provider, followers } = this.#parts.otherServers;
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ['provider'], registers: [registry] });
    const current = gauge('waypost_provider_current', '1 while the server that is followed tells what changes, else 0');
    const lag = gauge('waypost_provider_lag_seconds', 'How old a change there may be that is not here');
    gauge('waypost_followers', 'Servers of this directory that follow this one now').set({}, followers.length);
    if (provider === undefined) return;
    current.set({ provider: provider.hostname }, provider.state === 'current' ? 1 : 0);
    if (provider.lagMs !== null) lag.set({ provider: provider.hostname }, provider.lagMs / 1000);
  }

  /** Of each source of entries; none where their thread does not answer. */
  async #sources(registry: Registry): Promise<void> {
    const late = new Promise<readonly []>((resolve) => setTimeout(() => resolve([]), COUNTS_MS).unref());
    const sources = await Promise.race([this.#parts.directory.status().catch(() => []), late]);
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ['source'], registers: [registry] });
    const entries = gauge('waypost_source_entries', 'Entries that are here of another directory');
    const searches = gauge('waypost_source_searches', 'Searches there since the start');
    const current = gauge('waypost_source_current', '1 while it is followed, 0 while it does not answer or is held');
    const lag = gauge('waypost_source_lag_seconds', 'How old a change there may be that is not here');
    for (const { name: source, ...status } of sources) {
      entries.set({ source }, status.entries);
      searches.set({ source }, status.searches);
      current.set({ source }, status.state === 'current' ? 1 : 0);
      if (status.lagMs !== null) lag.set({ source }, status.lagMs / 1000);
    }
  }

  /** The sums over all threads. */
  #threadCounts(): Promise<{ counts: Map<string, number>; delays: Map<string, number> }> {
    const { supervisor, counters } = this.#parts;
    const { threads } = supervisor;
    const request = ++this.#lastRequest;
    const { [LOOP_DELAY]: ownDelay = 0, ...own } = counters.counts();
    const counts = new Map<string, number>(Object.entries(own));
    const delays = new Map<string, number>([['main', ownDelay]]);
    return new Promise((resolve) => {
      let waiting = threads.filter((thread) => thread.running).length;
      const done = (): void => {
        end();
        clearTimeout(timer);
        resolve({ counts, delays });
      };
      const timer = setTimeout(done, COUNTS_MS);
      const end = supervisor.onReport((thread, report) => {
        const answer = report as { kind: string; request?: number; counts?: Counts };
        if (answer.kind !== 'counts' || answer.request !== request) return;
        for (const [name, count] of Object.entries(answer.counts ?? {})) {
          if (name === LOOP_DELAY) delays.set(thread.name, count);
          else counts.set(name, (counts.get(name) ?? 0) + count);
        }
        if (--waiting === 0) done();
      });
      supervisor.post({ kind: 'counts', request });
    });
  }
}
