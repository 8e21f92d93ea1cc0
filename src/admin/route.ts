// route: every step from an address to its channel, and the reply that RCPT would get.

import { z } from 'zod';
import { type Address, parseAddress } from '../message/address.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { type Explanation, explain } from '../routing/explain.ts';
import { mailAddressOf } from './naming.ts';
import { adminOperation } from './operation.ts';

export const route = (parts: { readonly routing: RoutingCache }) =>
  adminOperation(
    'route',
    z.object({ address: z.string().min(1).max(320) }),
    async (input, caller): Promise<Explanation> => {
      const request = { sender: undefined, caller, mayRelay: true, door: 'internal' } as const;
      const resolution = await parts.routing.resolve(asked(input.address), request, { explain: true });
      return explain(resolution, parts.routing.site);
    },
  );

/** `postmaster` needs no domain; an address literal is a legal question. */
function asked(text: string): Address {
  if (!text.includes('@') && text.toLowerCase() === 'postmaster') return { localPart: text, domain: '' };
  return text.endsWith(']') ? parseAddress(text) : mailAddressOf(text);
}
