// What every thread but the writer is given when it starts, and what it makes of it.

import { type MessagePort, parentPort } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { Ids, type SegmentId } from '../../base/ids.ts';
import { createLog, type Log } from '../../base/log.ts';
import { WriterClient } from '../../database/client.ts';
import { type OpenReader, openReader } from '../../database/connection.ts';
import { SharedState } from '../../database/shared.ts';
import { followPublished } from '../../directory/once-a-revision.ts';
import { useSiteSchema } from '../../directory/site-schema.ts';
import { useSuffix } from '../../directory/suffix.ts';
import { HandingWriter, type ProviderAccess, ProviderClient } from '../../provisioning/replica/handing-writer.ts';
import type { Blobs } from '../../store/blobs.ts';
import { closeSegment, openSegment } from '../../store/collect.ts';
import { type SegmentHost, SegmentWriter } from '../../store/segment.ts';
import type { Configuration } from '../configuration.ts';
import { Counters, type Counts } from '../counters.ts';
import { databasePath, segmentsPath } from '../paths.ts';

/** From the main thread, to each of them. */
export type CommonOrder =
  | { readonly kind: 'counts'; readonly request: number }
  /** Its file is to be unlinked. */
  | { readonly kind: 'forget-segment'; readonly segment: SegmentId }
  | { readonly kind: 'stop' };

/** To the main thread, from each of them. */
export type CommonReport =
  | { readonly kind: 'started' }
  | { readonly kind: 'counts'; readonly request: number; readonly counts: Counts };

/** Survives a structured clone. */
export interface ThreadData {
  readonly configuration: Configuration;
  /** Number of the thread in shared memory; 0 is the main thread. */
  readonly thread: number;
  readonly name: string;
  readonly shared: SharedArrayBuffer;
  readonly writerPort: MessagePort;
  /** To the server that this one follows; absent: it has a directory of its own. */
  readonly providerPort?: MessagePort;
  /** This host's name and its former ones. */
  readonly hostnames: readonly string[];
}

export interface ThreadParts {
  readonly configuration: Configuration;
  readonly log: Log;
  readonly shared: SharedState;
  readonly ids: Ids;
  readonly database: OpenReader;
  readonly writer: WriterClient;
  readonly counters: Counters;
  /** The server that this one follows; undefined: it has a directory of its own. */
  readonly provider: ProviderAccess | undefined;
}

export function threadParts(data: ThreadData): ThreadParts {
  const { configuration } = data;
  const shared = new SharedState(data.shared, data.thread);
  const provider = data.providerPort && new ProviderClient(data.providerPort);
  const database = openReader(databasePath(configuration.data));
  useSuffix(configuration.suffixes[0]!);
  useSiteSchema(database.reader, () => shared.revision());
  followPublished(database.reader, () => shared.revision());
  return {
    configuration,
    log: createLog(configuration.log, data.name),
    shared,
    ids: new Ids(shared.ids, 0, systemClock.now),
    database,
    writer:
      provider === undefined
        ? new WriterClient(data.writerPort, shared)
        : new HandingWriter(data.writerPort, shared, provider),
    counters: new Counters(),
    provider,
  };
}

/** What a thread does by orders that all of them get: it has blobs, or no open file of a segment; it ends by itself. */
interface OrderParts {
  readonly counters: Counters;
  readonly blobs?: Blobs;
  readonly stop: () => Promise<void>;
}

/** Serves from now on; `take` gets the orders that are this thread's own. */
export function takeOrders<Own extends { readonly kind: string }>(
  { counters, blobs, stop }: OrderParts,
  take: (order: Own) => void,
): void {
  const report = (message: CommonReport): void => parentPort?.postMessage(message);
  parentPort?.on('message', (order: CommonOrder | Own) => {
    if (isCommon(order)) {
      if (order.kind === 'stop') void stop();
      else if (order.kind === 'forget-segment') blobs?.forget(order.segment);
      else report({ kind: 'counts', request: order.request, counts: counters.counts() });
    } else take(order);
  });
  report({ kind: 'started' });
}

const COMMON: readonly string[] = ['counts', 'forget-segment', 'stop'] satisfies CommonOrder['kind'][];

function isCommon(order: { readonly kind: string }): order is CommonOrder {
  return COMMON.includes(order.kind);
}

/**
 * A commit, of which nearly all is its sync. Below it the writer syncs segments too: a turn less through the thread pool, larger
 * groups, fewer syncs. Above it waiting for one disk twice is what costs.
 */
const SLOW_COMMIT_MICROS = 1500;

/** A thread's segment, which it also closes when it is asked to. */
export function threadSegments(
  parts: Pick<ThreadParts, 'configuration' | 'ids' | 'writer' | 'shared'>,
  thread: number,
  fatal: (error: Error) => void,
): { readonly host: SegmentHost; readonly segments: SegmentWriter } {
  const host = segmentHost(parts, thread, fatal);
  const segments = new SegmentWriter(host);
  endWhenAsked(segments, parts.writer);
  return { host, segments };
}

export function endWhenAsked(segments: SegmentWriter, writer: Pick<WriterClient, 'onNotification'>): void {
  writer.onNotification((notification) => {
    if (notification.kind === 'segment-end') segments.end(notification.segment);
  });
}

/** How a thread opens and closes its segments. `fatal` reports to the main thread, which ends the process. */
export function segmentHost(
  parts: Pick<ThreadParts, 'configuration' | 'ids' | 'writer' | 'shared'>,
  thread: number,
  fatal: (error: Error) => void,
): SegmentHost {
  return {
    directory: segmentsPath(parts.configuration.data),
    nextId: () => parts.ids.next(),
    opened: (segment) => parts.writer.execute(openSegment, { segment, thread, at: systemClock.now() }),
    closed: (segment, bytes) => parts.writer.execute(closeSegment, { segment, bytes, at: systemClock.now() }),
    isSyncSlow: () => parts.shared.commitMicros() > SLOW_COMMIT_MICROS,
    written: () => parts.writer.post(),
    fatal,
  };
}
