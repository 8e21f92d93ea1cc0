// What each of the two HTTP ports answers: 80 for this machine's monitoring, 443 for programs anywhere.
//
//   path              80 (http)           443 (https)
//   /healthz /readyz  anybody             anybody
//   /.well-known/mta-sts.txt          404                 anybody (mta-sts.ts)
//   /metrics          this machine        a token of scope api, of who administers the site
//   /v1/messages      403                 who may log in to send mail (submission.ts)
//   /v1/...           403: tokens must not travel in the clear        a token of scope api

import { Hono } from 'hono';
import { isThisMachine } from '../../net/client-of.ts';
import { API_PATHS, type ApiParts, apiApp } from './api.ts';
import { bearer, type HttpEnv, siteOnly } from './bearer.ts';
import { refusal } from './errors.ts';
import { type HealthParts, healthApp, METRICS_PATH } from './health.ts';
import { mtaStsApp } from './mta-sts.ts';
import { type SubmissionParts, submissionApp } from './submission.ts';

export interface HttpAppsParts {
  readonly health: HealthParts;
  readonly api: ApiParts;
  readonly submission: SubmissionParts;
  /** The MTA-STS policy of a domain, in lower case. */
  readonly mtaStsPolicy: (domain: string) => string | undefined;
}

export function httpApps(parts: HttpAppsParts): { plain: Hono<HttpEnv>; secure: Hono<HttpEnv> } {
  return { plain: plainApp(parts.health), secure: secureApp(parts) };
}

function plainApp(health: HealthParts): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(METRICS_PATH, async (context, next) => {
    if (isThisMachine(context.env.client.record)) return next();
    return refusal(context, 'denied', 'metrics are for this machine; elsewhere by HTTPS with a token of scope api');
  });
  app.all(API_PATHS, (context) => refusal(context, 'denied', 'this is answered by HTTPS only'));
  return app.route('/', healthApp(health));
}

function secureApp({ health, api, submission, mtaStsPolicy }: HttpAppsParts): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(METRICS_PATH, bearer(api), siteOnly(api));
  app.route('/', healthApp(health));
  app.route('/', mtaStsApp(mtaStsPolicy));
  // Before what the administrator alone may ask.
  app.route('/', submissionApp(submission));
  return app.route('/', apiApp(api));
}
