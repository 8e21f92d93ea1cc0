// Whose mail this is, as each thread knows it: the host's names, and the rewrite rules that the configuration makes.

import { TENANT } from '../base/tenant.ts';
import { tryParseDomain } from '../message/address.ts';
import type { Site } from '../routing/resolve.ts';
import { nextHopRule } from '../routing/rewrite/rule-set.ts';
import type { Configuration } from './configuration.ts';

export function siteOf(hostnames: readonly string[], { nextHop }: Pick<Configuration, 'nextHop'>): Site {
  // A line for what is no domain is for no address.
  const lines = [...nextHop].filter(([domain]) => tryParseDomain(domain) === domain);
  return { tenant: TENANT, hostnames, fileRules: lines.map(([domain, hop]) => nextHopRule(domain, hop)) };
}
