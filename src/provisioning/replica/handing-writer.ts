// The writer of a thread on a server that follows another one: what changes the directory is made there.
//
// In      operations as anywhere; what the writer has recorded of them (recorded.ts)
// Out     their results, after the provider's commit and when the change has come back; after BACK_MS all the same
// Order   an operation is tried here first, which changes nothing. What fails is tried once more when all is here that the provider
//         has: a refusal rests on what it says
// Errors  `unavailable` where the provider is not there: nothing has happened; else what it says of the change

import type { MessagePort } from 'node:worker_threads';
import { asFailure, Failure } from '../../base/failure.ts';
import { WriterClient } from '../../database/client.ts';
import type { Operation } from '../../database/operation.ts';
import type { SharedState } from '../../database/shared.ts';
import type { HandedAnswer, HandedQuestion } from '../../directory/source/handed-question.ts';
import type { HandedList, HandedOutcome } from './provider.ts';
import { type HandedResult, isRecorded } from './recorded.ts';

/** The provider, as a thread reaches it. */
export interface ProviderAccess {
  /** Resolves when all is here that the provider had after this call. Throws `unavailable` when that cannot be known in time. */
  upToDate(): Promise<void>;
  /** Resolves when the change is here, or has not come in time. `login`: see FollowedChange. */
  handOn(list: HandedList, login: HandedLogin): Promise<HandedOutcome>;
  /** Has the provider ask a source. Resolves when what was found is here: see HandedAnswer. Throws `unavailable` for a silence. */
  askSource(question: HandedQuestion): Promise<HandedAnswer['result']>;
}

export interface HandedLogin {
  readonly session?: string | undefined;
  readonly samePassword?: boolean;
}

export class HandingWriter extends WriterClient {
  readonly #provider: ProviderAccess;

  constructor(port: MessagePort, shared: SharedState, provider: ProviderAccess) {
    super(port, shared);
    this.#provider = provider;
  }

  override async execute<A, R>(operation: Operation<A, R>, args: A, bytes?: number): Promise<R> {
    const outcome = await this.#tried<A, R>(operation, args, bytes);
    if (!isRecorded(outcome)) return outcome;
    let last: HandedOutcome | undefined;
    for (const list of outcome.lists) last = await this.#provider.handOn(list, loginOf(operation.name, args));
    return last === undefined ? outcome.result : asDone(outcome.result, last);
  }

  async #tried<A, R>(operation: Operation<A, R>, args: A, bytes?: number): Promise<R | HandedResult<R>> {
    const run = (): Promise<R | HandedResult<R>> => super.execute(operation, args, bytes);
    try {
      return await run();
    } catch (error) {
      if (!operation.name.startsWith(OF_DIRECTORY) || isTemporary(error)) throw error;
      await this.#provider.upToDate();
      return run();
    }
  }
}

const OF_DIRECTORY = 'provisioning.';

function isTemporary(error: unknown): boolean {
  const { kind } = asFailure(error);
  return kind === 'unavailable' || kind === 'full';
}

/** What the result says of revisions and entries is what the provider has done. */
function asDone<R>(result: R, { revision, entries }: HandedOutcome): R {
  if (typeof result !== 'object' || result === null || !('revision' in result)) return result;
  const made = 'entries' in result ? { entries: entries.map((each) => ({ ...each, uuid: '', revision })) } : {};
  return { ...result, ...made, revision };
}

function loginOf(name: string, args: unknown): HandedLogin {
  const { session } = args as { readonly session?: string | undefined };
  return { session, samePassword: name === 'provisioning.learn-password' };
}

// Over a port, from the threads to the one that is connected.

type Asked =
  | { readonly kind: 'up-to-date' }
  | { readonly kind: 'hand-on'; readonly list: HandedList; readonly login: HandedLogin }
  | { readonly kind: 'ask-source'; readonly question: HandedQuestion };
type Ask = Asked & { readonly request: number };

type Answer = { readonly request: number } & (
  | { readonly outcome?: unknown }
  | { readonly failure: Pick<Failure, 'kind' | 'message' | 'ldap' | 'reply'> }
);

/** For a thread. */
export class ProviderClient implements ProviderAccess {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, { resolve(outcome: never): void; reject(failure: Failure): void }>();
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.request);
      this.#waiting.delete(answer.request);
      if ('failure' in answer) {
        const { kind, message, ldap, reply } = answer.failure;
        const said = { ...(ldap === undefined ? {} : { ldap }), ...(reply === undefined ? {} : { reply }) };
        waiting?.reject(new Failure(kind, message, said));
      } else waiting?.resolve(answer.outcome as never);
    });
    port.unref();
  }

  upToDate(): Promise<void> {
    return this.#ask({ kind: 'up-to-date' });
  }

  handOn(list: HandedList, login: HandedLogin): Promise<HandedOutcome> {
    return this.#ask({ kind: 'hand-on', list, login });
  }

  askSource(question: HandedQuestion): Promise<HandedAnswer['result']> {
    return this.#ask({ kind: 'ask-source', question });
  }

  #ask<T>(asked: Asked): Promise<T> {
    const request = ++this.#last;
    this.#port.postMessage({ ...asked, request } satisfies Ask);
    return new Promise((resolve, reject) => this.#waiting.set(request, { resolve, reject }));
  }
}

/** For the thread that is connected. */
export function serveProvider(port: MessagePort, provider: ProviderAccess): void {
  port.on('message', (ask: Ask) => {
    asked(provider, ask).then(
      (outcome) =>
        port.postMessage({ request: ask.request, ...(outcome === undefined ? {} : { outcome }) } satisfies Answer),
      (error: unknown) => {
        const { kind, message, ldap, reply } = asFailure(error);
        port.postMessage({ request: ask.request, failure: { kind, message, ldap, reply } } satisfies Answer);
      },
    );
  });
  port.unref();
}

function asked(provider: ProviderAccess, ask: Asked): Promise<unknown> {
  switch (ask.kind) {
    case 'up-to-date':
      return provider.upToDate();
    case 'hand-on':
      return provider.handOn(ask.list, ask.login);
    case 'ask-source':
      return provider.askSource(ask.question);
    default:
      return ask satisfies never;
  }
}
