// Which policy would decide over a foreign name, for people: what `route` says without a look-up in the DNS.
//
// In      a domain; settings and domain rows as they are or were; the tombstone at or above it
// Out     one line; undefined where no policy holds

import type { PolicyRow } from '../../routing/compile-policy.ts';
import type { Site } from '../../routing/resolve.ts';
import { type ArrivalTables, decidePolicy } from '../../routing/walk/arrival.ts';

export function arrivalText(
  domain: string,
  tables: ArrivalTables,
  site: Site,
  tombstoneOf: (domain: string) => string | undefined,
): string | undefined {
  const policies = decidePolicy(domain, tables, site);
  if (policies.length === 0) return undefined;
  const said = policies.map(policyText).join('; else ');
  const removed = policies.every(({ action }) => action === 'off') ? undefined : tombstoneOf(domain);
  return removed === undefined ? said : `${said}; but ${removed} has been removed, and no message brings it back`;
}

function policyText({ name, action, hasToken }: PolicyRow): string {
  return `policy ${name}: ${action}${hasToken === true ? ', if the record of its token is there' : ''}`;
}
