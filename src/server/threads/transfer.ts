// The transfer thread: what is queued goes out from here, and reports to senders are made here.

import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import type { MessageId, PublishedRevision } from '../../base/ids.ts';
import { DnsClient } from '../../net/dns-client.ts';
import { DomainQuotas } from '../../provisioning/domain-quotas.ts';
import { providerAuthority } from '../../provisioning/replica/authority.ts';
import { RoutingCache } from '../../routing/cache.ts';
import { channelNamed, pausedChannels } from '../../routing/channels.ts';
import type { RoutingSettings } from '../../routing/settings.ts';
import { Blobs } from '../../store/blobs.ts';
import { createIntakes } from '../../store/intake.ts';
import { startReparse } from '../../store/reparse.ts';
import { acceptOnceOperation } from '../../transfer/accept-once.ts';
import { OutgoingTls } from '../../transfer/channels/outgoing-tls.ts';
import { policyOf } from '../../transfer/clock.ts';
import { CustodyWatch } from '../../transfer/custody-watch.ts';
import { Future } from '../../transfer/future.ts';
import { startHousekeeping } from '../../transfer/housekeeping.ts';
import { recordAll } from '../../transfer/operations.ts';
import { placeParts } from '../../transfer/place-parts.ts';
import { QuotaWarnings, quotaWarningOperation } from '../../transfer/quota-warning.ts';
import { Release } from '../../transfer/release.ts';
import { dropDelays } from '../../transfer/reports/drop.ts';
import { reportOperation, reportRows } from '../../transfer/reports/send.ts';
import { UntriedDelays } from '../../transfer/reports/untried.ts';
import { Schedule } from '../../transfer/schedule.ts';
import { SubmitFolder } from '../../transfer/submit-folder.ts';
import { Suspension } from '../../transfer/suspension.ts';
import { createChannels } from '../../transfer/ways-out.ts';
import { filesPath, segmentsPath, submitPath } from '../paths.ts';
import { createSigner } from '../signer.ts';
import { siteOf } from '../site.ts';
import { SourceAuthority } from '../source-authority.ts';
import { callsOfSources, type SourceAnswer, type SourceCallReport, SourceCalls } from '../source-calls.ts';
import { zoneSite } from '../zone-site.ts';
import { type CommonReport, type ThreadData, takeOrders, threadParts, threadSegments } from './parts.ts';

/** From the main thread. */
export type TransferOrder =
  /** Standing: all that may fail at a start has gone well. */
  { readonly kind: 'begin' } | SourceAnswer;
/** To the main thread. */
export type TransferReport = CommonReport | SourceCallReport | { readonly kind: 'fatal'; readonly text: string };

const data = workerData as ThreadData;
const parts = threadParts(data);
const { configuration, counters, log, writer } = parts;
const { reader } = parts.database;
const report = (message: TransferReport): void => parentPort?.postMessage(message);
const { host, segments } = threadSegments(parts, data.thread, (error) =>
  report({ kind: 'fatal', text: error.message }),
);
const intakes = createIntakes(host, segments);
const blobs = new Blobs(segmentsPath(configuration.data), reader);
const resolver = new DnsClient({ servers: configuration.resolver });
const site = siteOf(data.hostnames, configuration, reader);
const revision = (): PublishedRevision => parts.shared.routingRevision();
const sourceCalls = new SourceCalls(report);
const askSource = callsOfSources(parts.provider, (call) => sourceCalls.call(call));
const sources = new SourceAuthority({ reader, writer, call: askSource });
const routing = new RoutingCache({
  reader,
  revision,
  site,
  count: (what, count) => counters.add(`routing-${what}`, '', count),
  authority: parts.provider === undefined ? sources : providerAuthority(parts.provider, sources),
});
const signer = createSigner({ reader, site: zoneSite(data), routing, log });
const writerParts = placeParts(site);
const common = {
  reader,
  writer,
  log,
  clock: systemClock,
  nextId: () => parts.ids.next<MessageId>(),
  routing,
  revision,
};
const reportParts = {
  ...common,
  intakes,
  signer,
  blobs,
  site,
  operation: reportOperation(writerParts),
  expireMsOf: (channel: string): number =>
    policyOf(channelNamed(routing.settings(), channel), configuration.queue).expireMs,
};

/** Several servers may share a folder of files, and a machine: whose lock and whose program is whose. */
const serverWord = createHash('sha256').update(`${data.hostnames[0]} ${configuration.data}`).digest('hex').slice(0, 16);

const suspension = new Suspension({ ...common, site });
const schedule = new Schedule({
  ...common,
  free: (rows) => suspension.free(rows),
  policy: configuration.queue,
  deliveriesMax: configuration.limits.deliveriesMax,
  channels: createChannels({
    ...common,
    blobs,
    site,
    signer,
    made: { intakes, signer, nextId: common.nextId, clock: systemClock },
    resolver,
    settings: () => routing.settings(),
    server: serverWord,
    files: {
      folder: filesPath(configuration.data, configuration.file.folder),
      maxBytes: configuration.file.maxBytes,
      server: serverWord,
      run: String(common.nextId()),
    },
    hostnames: data.hostnames,
    random: Math.random,
    tls: new OutgoingTls(configuration.outgoingTls, configuration.outgoingCa),
  }),
  record: recordAll(writerParts),
  report: (rows) => reportRows(reportParts, rows),
  dropDelays: (rows) => dropDelays(reportParts, rows),
  count: (channel, result, count) => counters.add('delivery', `${channel} ${result}`, count),
});
const submitFolder = new SubmitFolder({
  ...common,
  folder: submitPath(configuration.data, configuration.submit.folder),
  hostname: data.hostnames[0]!,
  limits: configuration.limits,
  intakes,
  signer,
  accept: acceptOnceOperation(writerParts),
});
const untried = new UntriedDelays({ ...common, settings: () => routing.settings(), policy: configuration.queue });
const future = new Future({ ...common, expireMs: configuration.queue.expireMs });
const custody = new CustodyWatch(common);
const release = new Release({ reader, writer, log, paused: () => pausedChannels(routing.settings()) });
const quotaWarnings = new QuotaWarnings({ ...common, intakes, site, operation: quotaWarningOperation(writerParts) });
const domainQuotas = new DomainQuotas({ reader, writer, log });
const endHousekeeping = startHousekeeping(common);
const stopReparse = startReparse({ reader, writer, blobs, log });
writer.onNotification((notification) => {
  if (notification.kind === 'queue') {
    schedule.wake();
    quotaWarnings.wake();
    future.wake();
  }
  if (notification.kind === 'routing') tablesMoved();
  if (notification.kind === 'tombstone') custody.wake();
  if (notification.kind === 'login' && notification.submits !== undefined) suspension.changed(notification.uuid);
});

let knownSettings: RoutingSettings | undefined;

function tablesMoved(): void {
  release.wake();
  domainQuotas.wake();
  const settings = routing.settings();
  // What channels say decides what is due.
  if (settings !== knownSettings) schedule.wake();
  knownSettings = settings;
}

/** The writer takes nothing now. */
const BEGIN_AGAIN_MS = 10_000;

function begin(): void {
  schedule.start().then(
    () => {
      suspension.start();
      release.start();
      future.start();
      custody.start();
      untried.start();
      submitFolder.start();
      domainQuotas.start();
      quotaWarnings.start();
    },
    (error: Error) => {
      log.error('transfer.begin', { detail: error.message });
      setTimeout(begin, BEGIN_AGAIN_MS);
    },
  );
}

/** Deliveries under way come to an end or are cut; every outcome that is known is recorded. */
async function stop(): Promise<void> {
  endHousekeeping();
  await submitFolder.stop();
  await stopReparse();
  await suspension.stop();
  await release.stop();
  await future.stop();
  await custody.stop();
  await untried.stop();
  await domainQuotas.stop();
  await quotaWarnings.stop();
  await schedule.stop();
  resolver.close();
  await segments.close();
  await writer.settled();
  blobs.close();
  parts.database.close();
  process.exit();
}

takeOrders({ counters, blobs, stop }, (order: TransferOrder) => {
  switch (order.kind) {
    case 'begin':
      begin();
      return;
    case 'source-answer':
    case 'source-refusal':
      sourceCalls.answered(order);
      return;
    default:
      order satisfies never;
  }
});
