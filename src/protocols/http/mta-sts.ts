// The policy of MTA-STS at `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`, for whoever asks.
//
// In      the Host of a request
// Out     the domain's policy, 404 where it has none: a domain of somebody else, or one that wants none
// RFC 8461 §3.2 §3.3

import { Hono } from 'hono';
import { asciiLower } from '../../base/characters.ts';
import type { HttpEnv } from './bearer.ts';

const HOST_PREFIX = 'mta-sts.';

/** `policyOf` gets a domain in lower case. */
export function mtaStsApp(policyOf: (domain: string) => string | undefined): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get('/.well-known/mta-sts.txt', (context) => {
    // A port may stand behind it.
    const host = asciiLower(context.req.header('Host') ?? '').replace(/:\d+$/, '');
    const policy = host.startsWith(HOST_PREFIX) ? policyOf(host.slice(HOST_PREFIX.length)) : undefined;
    if (policy === undefined) return context.text('There is no policy for this host\n', 404);
    return context.body(policy, 200, { 'Content-Type': 'text/plain; charset=utf-8' });
  });
  return app;
}
