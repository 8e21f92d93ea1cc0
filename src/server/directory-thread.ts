// The directory thread as the main thread has it: started with the first source of entries, asked by its requests.
//
// In      the entries below ou=Sources; calls
// Out     the answer of each call; `unavailable` where the thread has died meanwhile, is just being replaced, or is silent
// Limits  ANSWER_MS for an answer
// A server without such a source has no such thread.

import { Failure } from '../base/failure.ts';
import type { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import type { LdapSource } from '../provisioning/ldap-source.ts';
import { ldapSources } from '../provisioning/mirror/mirrors.ts';
import type { SourceProbe } from '../provisioning/mirror/probe.ts';
import type { MirrorStatus } from '../provisioning/mirror/source-mirror.ts';
import { failureOf, failureText, type SourceCallReport } from './source-calls.ts';
import type { ServingThread, Supervisor } from './supervisor.ts';
import type { DirectoryCall, DirectoryReport, SourceCall } from './threads/directory-sources.ts';

const ANSWER_MS = 60_000;

interface Parts {
  readonly reader: Reader;
  readonly writer: Pick<WriterClient, 'onNotification'>;
  readonly supervisor: Pick<Supervisor, 'onReport' | 'onExit' | 'startThread'>;
  /** Another server of this directory reads its sources. */
  readonly isElsewhere: boolean;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(failure: Failure): void;
}

export class DirectoryThread {
  readonly #parts: Parts;
  readonly #waiting = new Map<number, Waiting>();
  #thread: Promise<ServingThread> | undefined;
  #isOver = false;
  #lastRequest = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { writer, supervisor } = parts;
    writer.onNotification((notification) => {
      if (notification.kind === 'zone-sources') this.read();
    });
    supervisor.onReport((thread, report) => {
      if (report.kind === 'answer' || report.kind === 'refusal') this.#answered(report as DirectoryReport);
      if (report.kind === 'source-call') void this.#passOn(thread, report as SourceCallReport);
    });
    supervisor.onExit((thread) => {
      if (thread.name !== NAME) return;
      for (const { reject } of this.#waiting.values())
        reject(new Failure('unavailable', 'The directory thread has ended'));
      this.#waiting.clear();
    });
  }

  /** Starts the thread where a source is there. */
  read(): void {
    const { isElsewhere } = this.#parts;
    if (isElsewhere || this.#isOver || this.#thread !== undefined || ldapSources(this.#parts.reader).length === 0)
      return;
    void this.#begin().catch(() => {});
  }

  /** Nothing is started from now on. */
  end(): void {
    this.#isOver = true;
  }

  async status(): Promise<readonly MirrorStatus[]> {
    if (this.#thread === undefined) return [];
    return (await this.#call({ name: 'status' })) as readonly MirrorStatus[];
  }

  async acceptRemovals(source: string): Promise<void> {
    await this.#call({ name: 'accept-removals', source });
  }

  /** Nothing of it is kept. */
  async probe(source: LdapSource): Promise<SourceProbe> {
    return (await this.#call({ name: 'probe', source })) as SourceProbe;
  }

  /** For what this thread serves itself. */
  ask(call: SourceCall): Promise<unknown> {
    return this.#call(call);
  }

  /** Of another thread. */
  async #passOn(thread: ServingThread, { request, call }: SourceCallReport): Promise<void> {
    try {
      thread.post({ kind: 'source-answer', request, result: await this.#call(call) });
    } catch (error) {
      thread.post({ kind: 'source-refusal', request, failure: failureText(error) });
    }
  }

  #begin(): Promise<ServingThread> {
    this.#thread ??= this.#parts.supervisor.startThread({
      name: NAME,
      module: new URL('./threads/directory-sources.ts', import.meta.url),
      isBusy: false,
    });
    return this.#thread;
  }

  async #call(call: DirectoryCall): Promise<unknown> {
    if (this.#isOver) throw new Failure('unavailable', 'The server is stopping');
    if (this.#parts.isElsewhere)
      throw new Failure('unsupported', 'The server that is followed reads the sources: ask there');
    const thread = await this.#begin();
    // What is posted to nobody is answered by nobody: a client would wait for ANSWER_MS.
    if (!thread.running) throw new Failure('unavailable', 'The directory thread is being replaced');
    const request = ++this.#lastRequest;
    const answer = Promise.withResolvers<unknown>();
    const timer = setTimeout(
      () => answer.reject(new Failure('unavailable', 'The directory thread does not answer')),
      ANSWER_MS,
    ).unref();
    this.#waiting.set(request, answer);
    thread.post({ kind: 'call', request, call });
    try {
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(request);
    }
  }

  #answered(report: DirectoryReport): void {
    if (report.kind === 'answer') this.#waiting.get(report.request)?.resolve(report.result);
    if (report.kind === 'refusal') this.#waiting.get(report.request)?.reject(failureOf(report.failure));
  }
}

const NAME = 'directory';
