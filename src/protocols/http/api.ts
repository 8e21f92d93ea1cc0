// The administrators' operations for programs elsewhere: `POST /v1/NOUN/VERB` over HTTPS, with a token of scope `api`.
//
// In      the operation's input as JSON. An operation's name is its path: `user.list` is /v1/user/list
// Out     what the command prints with --json, octet for octet
// Order   the token -> the path -> the method -> the size -> JSON -> the operation, so that a stranger learns nothing of the rest
// Errors  status and body as at the admin socket; 401, 403 and 429 of bearer.ts; 404, 405, 413, 415, 400
// Callers any account; which operation is for whom: admin/audience.ts
// Limits  BODY_BYTES a request

import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { runAdminOperation } from '../../admin/operation.ts';
import type { AnyAdminOperation } from './admin.ts';
import { type BearerParts, bearer, type HttpEnv } from './bearer.ts';
import { uncoded } from './content-coding.ts';
import { failureResponse, refusal } from './errors.ts';
import { exactJsonOf } from './json.ts';

export interface ApiParts extends BearerParts {
  readonly operations: readonly AnyAdminOperation[];
}

export const API_PATHS = '/v1/*';
const BODY_BYTES = 1024 * 1024;

export function apiApp(parts: ApiParts): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(API_PATHS, bearer(parts), uncoded);
  for (const operation of parts.operations) {
    const path = `/v1/${operation.name.replaceAll('.', '/')}`;
    app.post(
      path,
      bodyLimit({
        maxSize: BODY_BYTES,
        onError: (context) => refusal(context, 'too-large', `more than ${BODY_BYTES} bytes`),
      }),
      async (context) => {
        try {
          const input = exactJsonOf(new Uint8Array(await context.req.arrayBuffer()));
          if (input === undefined) return refusal(context, 'syntax', 'the body is not JSON in UTF-8');
          context.env.takesLong();
          const { client } = context.env;
          const { caller } = context.var;
          const peer = client.record.peerAddress;
          const result: unknown = await runAdminOperation(operation, input.value, { caller, peer, admit: parts.admit });
          return context.body(`${JSON.stringify(result ?? null, null, 2)}\n`, 200, {
            'Content-Type': 'application/json',
          });
        } catch (error) {
          return failureResponse(context, error, parts.log, operation.name);
        }
      },
    );
    app.all(path, (context) => {
      context.header('Allow', 'POST');
      return refusal(context, 'unsupported', 'POST is the method', 405);
    });
  }
  app.all(API_PATHS, (context) => refusal(context, 'not-found', 'there is no such operation'));
  return app;
}
