// The administrator's operations over HTTP: POST /admin/NAME with JSON in and out. Spoken over the Unix socket only, whose
// file permissions say who may.

import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type AdminOperation, runAdminOperation } from '../../admin/operation.ts';
import { asFailure, type FailureKind } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import { ADMINISTRATOR_CALLER } from '../../directory/caller.ts';

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
  unavailable: 503,
} as const satisfies Record<FailureKind, number>;

/** A list of 100,000 members, and no more. */
const BODY_BYTES = 16 * 1024 * 1024;

// biome-ignore lint/suspicious/noExplicitAny: input and output differ from operation to operation
export type AnyAdminOperation = AdminOperation<any, any>;

export interface FailureBody {
  readonly failure: { readonly kind: FailureKind; readonly text: string };
}

export function adminApp(operations: readonly AnyAdminOperation[], log: Log): Hono {
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const app = new Hono();
  app.post('/admin/:name', bodyLimit({ maxSize: BODY_BYTES }), async (context) => {
    try {
      const operation = byName.get(context.req.param('name'));
      if (operation === undefined) return context.json(failureBody('unsupported', 'no such operation'), 501);
      const input: unknown = await context.req.json().catch(() => undefined);
      const result = await runAdminOperation(operation, input, ADMINISTRATOR_CALLER, '');
      return context.json({ result: result ?? null });
    } catch (error) {
      const failure = asFailure(error);
      if (failure.detail !== undefined)
        log.warn('admin.fail', { operation: context.req.param('name'), kind: failure.kind, detail: failure.detail });
      return context.json(failureBody(failure.kind, failure.message), HTTP_FAILURE[failure.kind]);
    }
  });
  return app;
}

function failureBody(kind: FailureKind, text: string): FailureBody {
  return { failure: { kind, text } };
}
