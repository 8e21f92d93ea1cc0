// route: every step from an address to its channel, and the reply that RCPT would get. With a service also whether its owner
// may log in there, and which status or rule decides that.

import { z } from 'zod';
import { type Decision, decide } from '../auth/decision.ts';
import { SERVICE_WORDS, serviceOfWord } from '../directory/access-rules.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { type Explanation, explain } from '../routing/explain.ts';
import { askedAddress } from './naming.ts';
import { adminOperation } from './operation.ts';
import { RULE_TEXT_MAX, ruleOfText } from './rule.ts';

export interface RouteExplanation extends Explanation {
  /** Where it was asked for. */
  readonly login?: {
    readonly service: string;
    readonly peer: string;
    /** `ok`, or what would be answered to the right password. */
    readonly result: Decision['result'] | 'no-account';
    /** The status or rule that decides: `mailAllowedServiceAccess: -imap:*`. */
    readonly by: string;
  };
}

const LOOPBACK = '127.0.0.1';

export const route = (parts: { readonly routing: RoutingCache }) =>
  adminOperation(
    'route',
    z.object({
      address: z.string().min(1).max(320),
      service: z.enum(SERVICE_WORDS).optional(),
      with: z.string().max(RULE_TEXT_MAX).optional(),
      peer: z.union([z.ipv4(), z.ipv6()], 'is no IP address').optional(),
    }),
    async ({ address, service, peer = LOOPBACK, with: text }, caller): Promise<RouteExplanation> => {
      const { routing } = parts;
      const request = { sender: undefined, caller, mayRelay: true, door: 'internal' } as const;
      const resolution = await routing.resolve(askedAddress(address), request, {
        explain: true,
        rule: ruleOfText(text, routing),
      });
      const explanation = explain(resolution, routing.site);
      if (service === undefined) return explanation;
      const account = routing.findLogin(explanation.address);
      const decision =
        account === undefined
          ? ({ result: 'no-account', by: 'no user has this address' } as const)
          : decide(account, { ...serviceOfWord(service), peer, isPrivate: true });
      return { ...explanation, login: { service, peer, ...decision } };
    },
  );
