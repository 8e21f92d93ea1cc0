// Calls of a thread to the directory thread: a report to the main thread, an order back (directory-thread.ts).
//
// In      calls
// Out     the answer, or the failure as it was there
// Limits  ANSWER_MS for an answer: a silent server is given up on before

import type { DirectoryResult } from '../base/directory-result.ts';
import { asFailure, Failure, type FailureKind } from '../base/failure.ts';
import type { Reply } from '../base/reply.ts';
import type { ProviderAccess } from '../provisioning/replica/handing-writer.ts';
import type { SourceCall } from './threads/directory-sources.ts';

const ANSWER_MS = 60_000;

/** How sources are reached: by this server's own thread, or, where it follows another one, by that one. */
export function callsOfSources(
  provider: Pick<ProviderAccess, 'askSource'> | undefined,
  own: (call: SourceCall) => Promise<unknown>,
): (call: SourceCall) => Promise<unknown> {
  if (provider === undefined) return own;
  return (call) =>
    call.name === 'forward'
      ? Promise.reject(new Failure('unavailable', 'The server that is followed makes the change there'))
      : provider.askSource(call);
}

/** A failure as it crosses threads. */
export interface SourceFailure {
  readonly kind: FailureKind;
  readonly text: string;
  readonly reply?: Reply;
  readonly ldap?: DirectoryResult;
}

/** To the main thread. */
export interface SourceCallReport {
  readonly kind: 'source-call';
  readonly request: number;
  readonly call: SourceCall;
}

/** From the main thread. */
export type SourceAnswer =
  | { readonly kind: 'source-answer'; readonly request: number; readonly result: unknown }
  | { readonly kind: 'source-refusal'; readonly request: number; readonly failure: SourceFailure };

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: Failure) => void;
  readonly timer: NodeJS.Timeout;
}

export class SourceCalls {
  readonly #report: (report: SourceCallReport) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastRequest = 0;

  constructor(report: (report: SourceCallReport) => void) {
    this.#report = report;
  }

  call(call: SourceCall): Promise<unknown> {
    const request = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.#waiting.delete(request);
        reject(new Failure('unavailable', 'The directory thread does not answer'));
      };
      this.#waiting.set(request, { resolve, reject, timer: setTimeout(late, ANSWER_MS).unref() });
      this.#report({ kind: 'source-call', request, call });
    });
  }

  answered(answer: SourceAnswer): void {
    const waiting = this.#waiting.get(answer.request);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.request);
    clearTimeout(waiting.timer);
    if (answer.kind === 'source-answer') waiting.resolve(answer.result);
    else waiting.reject(failureOf(answer.failure));
  }
}

export function failureOf({ kind, text, ...more }: SourceFailure): Failure {
  return new Failure(kind, text, more);
}

export function failureText(error: unknown): SourceFailure {
  const { kind, message: text, reply, ldap } = asFailure(error);
  return { kind, text, ...(reply === undefined ? {} : { reply }), ...(ldap === undefined ? {} : { ldap }) };
}
