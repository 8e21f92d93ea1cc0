// What a failure is over HTTP: its status by kind, and a body that names it.

import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { asFailure, type FailureKind } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';

/** The status of every kind of failure. RFC 9110 §15 */
const HTTP_FAILURE = {
  syntax: 400,
  invalid: 422,
  'not-found': 404,
  exists: 409,
  'not-empty': 409,
  denied: 403,
  unauthenticated: 401,
  'not-private': 403,
  throttled: 429,
  'read-only': 403,
  'too-large': 413,
  'too-many': 429,
  'over-quota': 507,
  conflict: 409,
  unsupported: 501,
  full: 507,
  damaged: 500,
  unavailable: 503,
} as const satisfies Record<FailureKind, number>;

/** After so long a client has some more tries. */
const RETRY_AFTER_S = 60;

interface FailureBody {
  readonly failure: { readonly kind: FailureKind; readonly text: string };
}

function failureBody(kind: FailureKind, text: string): FailureBody {
  return { failure: { kind, text } };
}

/** What an operation has thrown, or what kept it from being asked. A fault of this server's goes to the log. */
export function failureResponse(context: Context, error: unknown, log: Log, operation: string): Response {
  const failure = asFailure(error);
  const { kind, detail } = failure;
  if (detail !== undefined) log.warn('admin.fail', { operation, kind, detail });
  if (kind === 'throttled') context.header('Retry-After', String(RETRY_AFTER_S));
  return refusal(context, kind, failure.message);
}

/** `status` where it says more than that of the kind. */
export function refusal(
  context: Context,
  kind: FailureKind,
  text: string,
  status: ContentfulStatusCode = HTTP_FAILURE[kind],
): Response {
  return context.json(failureBody(kind, text), status);
}
