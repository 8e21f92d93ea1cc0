// A transfer unit for tests: real directory, store, writer and segments in a temporary directory, its schedule in this thread.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { Ids, idOf, type MessageId, type SegmentId } from '../base/ids.ts';
import { type Log, silentLog } from '../base/log.ts';
import type { Writer } from '../database/operation.ts';
import { ANONYMOUS, type Caller } from '../directory/caller.ts';
import { type Address, parseAddress } from '../message/address.ts';
import { formatSender, type NotifyWord } from '../message/envelope.ts';
import { returnPathField } from '../message/trace.ts';
import { openTestDirectory, type TestDirectory, testSite } from '../provisioning/testing.ts';
import { pausedChannels } from '../routing/channels.ts';
import { formatHops, parseHop } from '../routing/destination.ts';
import type { Site } from '../routing/resolve.ts';
import { nextHopRule } from '../routing/rewrite/rule-set.ts';
import { usualDoor } from '../routing/route-request.ts';
import { INBOX } from '../store/accounts.ts';
import { Blobs } from '../store/blobs.ts';
import { closeAllSegments, closeSegment, highestId, openSegment } from '../store/collect.ts';
import { createIntakes, Intake, type Intakes, type TakenMessage } from '../store/intake.ts';
import { ownMailbox } from '../store/mailbox-key.ts';
import { messagesBetween } from '../store/messages.ts';
import { SegmentWriter } from '../store/segment.ts';
import { acceptBy, acceptOperation } from './accept-operation.ts';
import type { AutoreplyParts } from './channels/autoreply.ts';
import type { Channel } from './channels/channel.ts';
import type { ListChannelParts } from './channels/list.ts';
import { OutgoingTls } from './channels/outgoing-tls.ts';
import type { ReprocessParts } from './channels/reprocess.ts';
import type { SmtpChannelParts } from './channels/smtp.ts';
import { checkMail } from './check.ts';
import type { RetryPolicy } from './clock.ts';
import { traceMessage } from './journey.ts';
import { removeRows } from './manage.ts';
import { recordAll } from './operations.ts';
import type { PlaceParts } from './place.ts';
import { placeParts } from './place-parts.ts';
import { listQueue, type QueueEntry } from './queue.ts';
import { Release } from './release.ts';
import { dropDelays } from './reports/drop.ts';
import { reportOperation, reportRows } from './reports/send.ts';
import { Schedule } from './schedule.ts';
import { Signer } from './sign/signer.ts';
import { type PrepareParts, type Submission, type Submitted, submit } from './submit.ts';
import { Suspension } from './suspension.ts';
import { transferUnit } from './tables.ts';
import { checkedChannels, createChannels } from './ways-out.ts';

/** Generous: a test is not a stopwatch. */
const WAIT_MS = 240_000;

export interface TestTransferOptions {
  /** Domain -> hop, as `[next-hop]` has them. */
  readonly nextHop?: Readonly<Record<string, string>>;
  readonly resolver?: SmtpChannelParts['resolver'];
  readonly timeouts?: SmtpChannelParts['timeouts'];
  readonly tls?: OutgoingTls;
  readonly policy?: RetryPolicy;
  readonly deliveriesMax?: number;
  /** The largest file that mail is written to. */
  readonly fileBytes?: number;
  readonly clock?: Clock;
  /** Of what works on the queue. */
  readonly log?: Log;
  /** Beside `store` and `smtp`; one of the same name takes its place. */
  readonly channels?: readonly Channel[];
  /** A directory that stays, and may hold what a process that was killed has left. */
  readonly at?: string;
}

export interface Sent {
  /** `''` for the null reverse-path. */
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly eightBit?: boolean;
  /** Unless it says otherwise, it may. */
  readonly mayRelay?: boolean;
  /** The address that it comes from. */
  readonly client?: string;
  /** Domains that are not ours yet, and whose mail is kept. */
  readonly custody?: readonly string[];
  readonly caller?: Caller;
  readonly notify?: readonly NotifyWord[];
}

export class TestTransfer {
  readonly directory: TestDirectory;
  readonly #options: TestTransferOptions;
  readonly #ids: Ids;
  readonly #segments: SegmentWriter;
  readonly intakes: Intakes;
  readonly #blobs: Blobs;
  #schedule: Schedule | undefined;
  #release: Release | undefined;
  #suspension: Suspension | undefined;
  /** Operations, by name, that the writer refuses for want of space. */
  readonly refused = new Set<string>();
  /** `channel result` -> recipients. */
  readonly counts = new Map<string, number>();

  static async open(options: TestTransferOptions = {}): Promise<TestTransfer> {
    const directory = await openTestDirectory([transferUnit], options.at, siteOf(options));
    await directory.writer.execute(closeAllSegments, { at: systemClock.now() });
    return new TestTransfer(directory, options);
  }

  private constructor(directory: TestDirectory, options: TestTransferOptions) {
    this.directory = directory;
    this.#options = options;
    const { shared, writer } = directory;
    this.#ids = new Ids(shared.ids, 0, systemClock.now);
    this.#ids.startAbove(highestId(directory.reader));
    const segments = join(directory.directory, 'segments');
    mkdirSync(segments, { recursive: true });
    const host = {
      directory: segments,
      nextId: () => this.#ids.next<SegmentId>(),
      opened: (segment: SegmentId) => writer.execute(openSegment, { segment, thread: 1, at: systemClock.now() }),
      closed: (segment: SegmentId, bytes: number) =>
        writer.execute(closeSegment, { segment, bytes, at: systemClock.now() }),
      isSyncSlow: () => false,
      written: () => {},
      fatal: (error: Error) => {
        throw error;
      },
    };
    this.#segments = new SegmentWriter(host);
    this.intakes = createIntakes(host, this.#segments);
    this.#blobs = new Blobs(segments, directory.reader);
    directory.onNotification((notification) => {
      if (notification.kind === 'queue' || notification.kind === 'routing') this.#schedule?.wake();
      if (notification.kind === 'routing') this.#release?.wake();
      if (notification.kind === 'login' && notification.submits !== undefined)
        this.#suspension?.changed(notification.uuid);
    });
  }

  get #prepareParts(): PrepareParts {
    const { cache, shared } = this.directory;
    return { routing: cache, revision: () => shared.routingRevision(), clock: systemClock };
  }

  get #writerParts(): PlaceParts {
    return placeParts(this.directory.cache.site);
  }

  get segmentsPath(): string {
    return join(this.directory.directory, 'segments');
  }

  get filesPath(): string {
    return join(this.directory.directory, 'files');
  }

  /** Begins a run of the transfer unit; a second one stands for a restart, the first one is over. */
  async start(changed: TestTransferOptions = {}): Promise<Schedule> {
    await this.#suspension?.stop();
    await this.#release?.stop();
    await this.#schedule?.stop(0);
    const options = { ...this.#options, ...changed };
    const { reader } = this.directory;
    const writer: Writer = {
      execute: (operation, args, bytes) =>
        this.refused.has(operation.name)
          ? Promise.reject(new Failure('full', 'no space'))
          : this.directory.writer.execute(operation, args, bytes),
    };
    const clock = options.clock ?? systemClock;
    const common = {
      ...this.#prepareParts,
      reader,
      writer,
      log: options.log ?? silentLog,
      clock,
      nextId: () => this.nextId(),
    };
    const reportParts = {
      ...common,
      intakes: this.intakes,
      signer: this.signer,
      blobs: this.#blobs,
      site: this.directory.cache.site,
      operation: reportOperation(this.#writerParts),
      expireMsOf: () => options.policy?.expireMs ?? 60_000,
    };
    const smtp = {
      blobs: this.#blobs,
      reader,
      resolver: options.resolver ?? noResolver,
      settings: () => this.directory.cache.settings(),
      hostnames: testSite.hostnames,
      random: Math.random,
      signer: this.signer,
      tls: options.tls ?? new OutgoingTls(new Map(), undefined),
      log: options.log ?? silentLog,
      ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
    };
    const registered = createChannels({
      ...common,
      ...this.autoreplyParts,
      ...smtp,
      files: {
        folder: this.filesPath,
        maxBytes: options.fileBytes ?? 1024 ** 3,
        server: 'test',
        run: String(common.nextId()),
      },
      server: this.filesPath,
    });
    const all: readonly Channel[] = [...registered.values(), ...(options.channels ?? [])];
    const channels = new Map(all.map((channel) => [channel.name, channel]));
    const suspension = new Suspension({ ...common, site: this.directory.cache.site });
    this.#suspension = suspension;
    this.#schedule = new Schedule({
      ...common,
      free: (rows) => suspension.free(rows),
      policy: options.policy ?? { retryMs: [20], expireMs: 60_000 },
      deliveriesMax: options.deliveriesMax ?? 50,
      channels,
      record: recordAll(this.#writerParts),
      report: (rows) => reportRows(reportParts, rows),
      dropDelays: (rows) => dropDelays(reportParts, rows),
      count: (channel, result, count) => {
        const key = `${channel} ${result}`;
        this.counts.set(key, (this.counts.get(key) ?? 0) + count);
      },
    });
    await this.#schedule.start();
    suspension.start();
    const paused = (): string[] => pausedChannels(this.directory.cache.settings());
    this.#release = new Release({ reader, writer, log: silentLog, paused });
    this.#release.start();
    return this.#schedule;
  }

  /** A start has found whose mail is held for no suspension, and what is to be held for one. */
  lookedThrough(): Promise<void> {
    return this.until('the queue is looked through', () => this.#suspension?.isThrough === true);
  }

  /** Nobody has a key. */
  get signer(): Signer {
    const keys = { hostname: testSite.hostnames[0]!, isOurs: () => true, keysFor: () => [], isKey: () => false };
    return new Signer({ keys, routing: this.directory.cache, log: silentLog, clock: systemClock });
  }

  get autoreplyParts(): AutoreplyParts & ListChannelParts & ReprocessParts {
    const { reader, cache } = this.directory;
    const made = {
      intakes: this.intakes,
      nextId: () => this.nextId(),
      clock: this.#options.clock ?? systemClock,
      signer: this.signer,
    };
    return { reader, blobs: this.#blobs, site: cache.site, log: silentLog, made, routing: cache };
  }

  /** What a door needs. */
  get doorParts() {
    return {
      nextId: () => this.nextId(),
      routing: this.directory.cache,
      intakes: this.intakes,
      signer: this.signer,
      submit: (submission: Submission) => this.submit(submission),
    };
  }

  /** A message on its way in: its bytes are synced. */
  async take(from: Address | undefined, text: string): Promise<TakenMessage> {
    const preamble = { returnPath: returnPathField(formatSender(from)), fields: 'Received: from test\r\n' };
    const intake = new Intake(this.intakes, this.#ids.next(), () => preamble);
    await intake.write(Buffer.from(text, 'latin1'));
    return intake.finish(systemClock.now());
  }

  /** As a door does it, which settles the message. */
  submit(submission: Submission): Promise<Submitted> {
    const commit = acceptBy(this.directory.writer, acceptOperation(this.#writerParts));
    return submit({ ...this.#prepareParts, clock: systemClock, commit }, submission);
  }

  /** Gives the message's id. */
  async accept(sent: Sent): Promise<MessageId> {
    const { from, to, text, eightBit = false, mayRelay = true, client, custody, notify, caller = ANONYMOUS } = sent;
    const sender = from === '' ? undefined : parseAddress(from);
    const message = await this.take(sender, text);
    const submission: Submission = {
      envelope: {
        sender,
        recipients: to.map((original) => ({
          address: addressOf(original),
          original,
          ...(notify === undefined ? {} : { notify }),
        })),
        body: eightBit ? '8BITMIME' : '7BIT',
      },
      message,
      caller,
      mayRelay,
      door: usualDoor(mayRelay),
      peer: client,
      ...(custody === undefined ? {} : { custody }),
      refused: 'report',
    };
    await this.submit(submission).finally(() => message.pending.settle());
    return message.row.id;
  }

  nextId(): MessageId {
    return this.#ids.next();
  }

  get blobs(): Blobs {
    return this.#blobs;
  }

  /** As an administrator does it. */
  async removeAll(): Promise<void> {
    const rows = this.queue().map(({ id }) => id);
    await this.directory.writer.execute(removeRows, { rows, at: systemClock.now() });
  }

  queue(): QueueEntry[] {
    return listQueue(this.directory.reader);
  }

  /** What happened to a message: `event recipient`, in order. */
  events(message: MessageId): string[] {
    return traceMessage(this.directory.reader, message).map(({ event, recipient }) => `${event} ${recipient}`);
  }

  /** The bytes of the messages in the INBOX of an address, in order of UID, without their Return-Path line. */
  async inbox(address: string): Promise<string[]> {
    const accounts = this.directory.resolve(address).targets.map(({ options }) => options['account']);
    const account = accounts.find((each) => each !== undefined);
    if (account === undefined) throw new Error(`${address} has no INBOX`);
    const { reader } = this.directory;
    const messages = messagesBetween(
      reader,
      ownMailbox(idOf(account), INBOX),
      [idOf(1), idOf(Number.MAX_SAFE_INTEGER)],
      1000,
    );
    const texts: string[] = [];
    for (const { blob, traceBytes } of messages)
      texts.push((await this.#blobs.read(blob, traceBytes)).toString('latin1'));
    return texts;
  }

  /** Looks again and again until it holds; fails after minutes with what it last was. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    for (const began = performance.now(); performance.now() - began < WAIT_MS; ) {
      if (await holds()) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error(`never came true: ${what}; queue: ${JSON.stringify(this.queue(), undefined, 1)}`);
  }

  /** Nothing is in the queue any more. */
  async drained(): Promise<void> {
    await this.until('an empty queue', () => this.queue().length === 0);
  }

  /** What the checkers say of store and queue, every record read. */
  async problems(): Promise<string[]> {
    const { reader } = this.directory;
    const found: string[] = [];
    for await (const { problem, where, detail } of checkMail({
      reader,
      segments: this.segmentsPath,
      channels: checkedChannels,
      bytes: true,
    }))
      found.push(`${problem}: ${where}: ${detail}`);
    return found;
  }

  /** Leaves nothing behind; whatever the test did, no row may be in a state that is not legal. */
  async close({ isSpoiled = false } = {}): Promise<void> {
    await this.#suspension?.stop();
    await this.#release?.stop();
    await this.#schedule?.stop(100);
    const problems = isSpoiled ? [] : await this.problems();
    await this.#segments.close();
    this.#blobs.close();
    // When this is done, the writer has carried out what the segments have posted to it.
    await this.directory.writer.execute(closeSegment, { segment: idOf<SegmentId>(0), bytes: 0, at: 0 });
    this.directory.close();
    if (problems.length > 0) throw new Error(`illegal states:\n${problems.join('\n')}`);
  }
}

/** `postmaster` may stand alone. */
export function addressOf(text: string): Address {
  return text.includes('@') ? parseAddress(text) : { localPart: text, domain: '' };
}

/** For tests that name every host by [next-hop]. */
const noResolver: SmtpChannelParts['resolver'] = {
  mx: () => Promise.resolve({ result: 'unavailable', reason: 'no resolver in this test' }),
  addresses: (host) => Promise.resolve({ result: 'found', addresses: [host] }),
};

function siteOf({ nextHop = {} }: TestTransferOptions): Site {
  const hops = Object.entries(nextHop).map(([domain, hop]) => nextHopRule(domain, formatHops([parseHop(hop)!])));
  return { ...testSite, fileRules: hops };
}
