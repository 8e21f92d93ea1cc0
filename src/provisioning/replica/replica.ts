// A server without a directory of its own: it follows another one, asks it, and hands changes on.
//
// In      questions and changes of all threads
// Out     answers that rest on the provider; what changes there, here
// Limits  ASK_MS for the provider's word and what it has meanwhile; BACK_MS until a change is here
// Errors  `unavailable`, with SMTP's reply, where the provider does not answer in time

import type { Clock } from '../../base/clock.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import type { LdapServers } from '../../directory/source/connection.ts';
import type { HandedAnswer, HandedQuestion } from '../../directory/source/handed-question.ts';
import { type FeedState, ProviderFeed } from './feed.ts';
import type { HandedLogin, ProviderAccess } from './handing-writer.ts';
import type { HandedList, HandedOutcome, Provider } from './provider.ts';

export interface ReplicaParts {
  readonly reader: Reader;
  /** Of this server's own tables. */
  readonly writer: Writer;
  readonly log: Log;
  readonly clock: Clock;
  readonly provider: Provider;
  readonly servers: LdapServers;
  /** The provider's. */
  readonly hostname: string;
}

/** The provider, as an operator is told of it. */
export interface ProviderStatus extends Omit<FeedState, 'since'> {
  readonly url: string;
  /** Its name. */
  readonly hostname: string;
  /** Since when it is connected, or is not. ISO 8601 */
  readonly since: string;
}

const ASK_MS = 2000;
const BACK_MS = 5000;

export class Replica implements ProviderAccess {
  readonly #url: string;
  readonly #hostname: string;
  readonly #provider: Provider;
  readonly #feed: ProviderFeed;
  /** Changes of entries that are on their way, by the name of the entry. */
  readonly #handed = new Map<string, HandedLogin>();

  constructor(parts: ReplicaParts) {
    this.#url = parts.servers.urls[0]!;
    this.#hostname = parts.hostname;
    this.#provider = parts.provider;
    this.#feed = new ProviderFeed({ ...parts, askedHere: (dn) => this.#handed.get(dn) });
  }

  get status(): ProviderStatus {
    const { since, ...state } = this.#feed.state;
    return { url: this.#url, hostname: this.#hostname, since: new Date(since).toISOString(), ...state };
  }

  /** Resolves when the provider's directory is here. */
  first(): Promise<void> {
    return this.#feed.first();
  }

  start(): void {
    this.#feed.start();
  }

  async stop(): Promise<void> {
    this.#provider.close();
    await this.#feed.stop();
  }

  async upToDate(): Promise<void> {
    const until = performance.now() + ASK_MS;
    this.#feed.hurry();
    const revision = await within(this.#provider.revision(), ASK_MS);
    if (await this.#feed.has(revision, until - performance.now())) return;
    void this.#feed.prove();
    throw silent();
  }

  async askSource(question: HandedQuestion): Promise<HandedAnswer['result']> {
    this.#feed.hurry();
    const { revision, result } = await this.#provider.askSource(question);
    if (!(await this.#feed.has(revision, ASK_MS))) throw silent();
    return result;
  }

  async handOn(list: HandedList, login: HandedLogin): Promise<HandedOutcome> {
    const names = list.changes.map(({ dn }) => dn.toLowerCase());
    for (const name of names) this.#handed.set(name, login);
    this.#feed.hurry();
    try {
      const outcome = await this.#provider.handOn(list);
      await this.#feed.has(outcome.revision, BACK_MS);
      return outcome;
    } finally {
      for (const name of names) if (this.#handed.get(name) === login) this.#handed.delete(name);
    }
  }
}

function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(silent()), ms);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(silent(error));
      },
    );
  });
}

function silent(cause?: unknown): Failure {
  const detail = cause === undefined ? undefined : asFailure(cause).message;
  return new Failure('unavailable', 'The directory cannot be asked now, try again later', {
    reply: { code: 451, enhanced: '4.3.0', text: 'The directory cannot be asked now, try again later' },
    ...(detail === undefined ? {} : { detail }),
  });
}
