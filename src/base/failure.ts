// What can go wrong, by kind. A unit says the kind; each protocol has exactly one table from kind to its code.
//
// A failure may also say what one protocol answers precisely: an SMTP reply (`reply`), a result of LDAP (`ldap`). Both are
// kept when it crosses threads. Every other protocol looks at the kind alone.
// A bug is a plain Error (answered as "internal, temporary"); an outcome of a delivery is a value, never thrown.

import type { DirectoryResult } from './directory-result.ts';
import type { Reply } from './reply.ts';

/**
 * `not-found` and `unavailable` are never mixed: the first is an answer, the second means that there is none.
 * `unavailable` is temporary everywhere; `full` is a store or disk without space, temporary too.
 */
export type FailureKind =
  | 'syntax' // the peer's words do not parse
  | 'invalid' // they parse, but the value is not allowed (schema, naming, a bad address)
  | 'not-found'
  | 'exists'
  | 'not-empty'
  | 'denied'
  | 'unauthenticated'
  | 'not-private' // a secret would be sent where a third party can listen
  | 'throttled' // too many wrong guesses: nothing was looked at
  | 'read-only'
  | 'too-large'
  | 'too-many'
  | 'over-quota'
  | 'conflict' // another client changed it, or holds it
  | 'unsupported'
  | 'full'
  | 'damaged' // what is kept are not the bytes that were written
  | 'unavailable';

export const failureKinds = [
  'syntax',
  'invalid',
  'not-found',
  'exists',
  'not-empty',
  'denied',
  'unauthenticated',
  'not-private',
  'throttled',
  'read-only',
  'too-large',
  'too-many',
  'over-quota',
  'conflict',
  'unsupported',
  'full',
  'damaged',
  'unavailable',
] as const satisfies readonly FailureKind[];

export interface FailureOptions {
  readonly detail?: string;
  readonly reply?: Reply;
  readonly ldap?: DirectoryResult;
  readonly cause?: unknown;
}

export class Failure extends Error {
  readonly kind: FailureKind;
  /** For the log only, where the fault is this server's and not the client's: may name tables, paths, hosts. */
  readonly detail: string | undefined;
  /** What SMTP says instead of its table's code. */
  readonly reply: Reply | undefined;
  /** What LDAP says instead of its table's result. */
  readonly ldap: DirectoryResult | undefined;

  /** `publicText` may be read by the peer: one sentence, no secrets, no line break. */
  constructor(kind: FailureKind, publicText: string, options: FailureOptions = {}) {
    super(publicText, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.kind = kind;
    this.detail = options.detail;
    this.reply = options.reply;
    this.ldap = options.ldap;
  }
}

/** Any thrown value as a Failure: what is none is a bug, and a bug is answered as temporary. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Failure('unavailable', 'Internal error, try again later', { detail, cause: error });
}
