// The administrator's operations over HTTP: POST /admin/NAME with JSON in and out. Spoken over the Unix socket only, whose
// file permissions say who may.

import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type AdminOperation, runAdminOperation } from '../../admin/operation.ts';
import type { Log } from '../../base/log.ts';
import { ADMINISTRATOR_CALLER } from '../../directory/caller.ts';
import { failureResponse, refusal } from './errors.ts';
import { exactJsonOf } from './json.ts';

/** A list of 100,000 members, and no more. */
const BODY_BYTES = 16 * 1024 * 1024;

// biome-ignore lint/suspicious/noExplicitAny: input and output differ from operation to operation
export type AnyAdminOperation = AdminOperation<any, any>;

export function adminApp(operations: readonly AnyAdminOperation[], log: Log): Hono {
  const byName = new Map(operations.map((operation) => [operation.name, operation]));
  const app = new Hono();
  app.post('/admin/:name', bodyLimit({ maxSize: BODY_BYTES }), async (context) => {
    try {
      const operation = byName.get(context.req.param('name'));
      if (operation === undefined) return refusal(context, 'unsupported', 'no such operation');
      const input = exactJsonOf(new Uint8Array(await context.req.arrayBuffer()))?.value;
      const result = await runAdminOperation(operation, input, { caller: ADMINISTRATOR_CALLER, peer: '' });
      return context.json({ result: result ?? null });
    } catch (error) {
      return failureResponse(context, error, log, context.req.param('name'));
    }
  });
  return app;
}
