// Who asks: the token in `Authorization: Bearer`, looked up at each request. RFC 6750 §2.1 §3, RFC 9110 §11.6
//
// In      a request; `authorize`, which goes the way of every login
// Out     the caller, for what follows; or 401 with WWW-Authenticate, 403, 429 with Retry-After
// Never   takes a token from the URL or the body: addresses are logged

import type { MiddlewareHandler } from 'hono';
import type { Requester } from '../../admin/operation.ts';
import type { LoginClient } from '../../auth/login-client.ts';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import type { Caller } from '../../directory/caller.ts';
import { credentialsIn } from './authorization.ts';
import { failureResponse, refusal } from './errors.ts';

export interface HttpEnv {
  readonly Bindings: {
    readonly client: LoginClient;
    /** Waits for it; the time that it takes is ours, not the client's. */
    readonly whileLogin: <Login>(login: Promise<Login>) => Promise<Login>;
    /** The request is good, and its answer may take longer than a stranger's. */
    readonly takesLong: () => void;
    /** A token was wrong. True: the connection has had its tries, and ends with the answer. */
    readonly isLastTry: () => boolean;
  };
  // Hono's own writes it.
  Variables: { caller: Caller };
}

export interface BearerParts {
  /** Throws as Logins.bearer. */
  readonly authorize: (client: LoginClient, token: string) => Promise<Caller>;
  /** Throws `denied` unless the caller may ask for this. */
  readonly admit: NonNullable<Requester['admit']>;
  /** Throws `denied` unless the caller administers the site. */
  readonly admitToSite: (caller: Caller) => void;
  readonly log: Log;
}

const REALM = 'Bearer realm="waypost"';

export function bearer({ authorize, log }: BearerParts): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    const given = credentialsIn(context.req.header('Authorization'));
    if (given === undefined || !('token' in given)) {
      context.header('WWW-Authenticate', REALM);
      return refusal(context, 'unauthenticated', 'a token is needed: Authorization: Bearer TOKEN');
    }
    const { client, whileLogin } = context.env;
    try {
      context.set('caller', await whileLogin(authorize(client, given.token)));
    } catch (error) {
      const { kind } = asFailure(error);
      if (kind === 'unauthenticated') {
        context.header('WWW-Authenticate', `${REALM}, error="invalid_token"`);
        if (context.env.isLastTry()) context.header('Connection', 'close');
      }
      if (kind === 'denied') context.header('WWW-Authenticate', `${REALM}, error="insufficient_scope", scope="api"`);
      return failureResponse(context, error, log, 'bearer');
    }
    return next();
  };
}

/** Behind bearer(): what tells of the whole site. */
export function siteOnly({ admitToSite, log }: BearerParts): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    try {
      admitToSite(context.var.caller);
    } catch (error) {
      return failureResponse(context, error, log, 'site');
    }
    return next();
  };
}
