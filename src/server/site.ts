// Whose mail this is, as each thread knows it: the host's names, the rewrite rules that the configuration makes, and the
// addresses that it has signed.

import { systemClock } from '../base/clock.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { tryParseDomain } from '../message/address.ts';
import type { Site } from '../routing/resolve.ts';
import { nextHopRule } from '../routing/rewrite/rule-set.ts';
import { createTokens } from '../routing/tokens.ts';
import { readMailSecret } from '../transfer/mail-secret.ts';
import type { Configuration } from './configuration.ts';

/** `reader`: has the secret that addresses are signed with. */
export function siteOf(
  hostnames: readonly string[],
  { nextHop, dns, provision, defaultHost }: Pick<Configuration, 'nextHop' | 'dns' | 'provision' | 'defaultHost'>,
  reader: Reader,
): Site {
  // A line for what is no domain is for no address.
  const lines = [...nextHop].filter(([domain]) => tryParseDomain(domain) === domain);
  return {
    tenant: TENANT,
    hostnames,
    defaultHost,
    ...(dns.mode === 'none' ? { dnsMode: 'none' as const } : {}),
    fromMx: provision.fromMx,
    fileRules: lines.map(([domain, hop]) => nextHopRule(domain, hop)),
    tokens: createTokens(readMailSecret(reader), systemClock),
  };
}
