// Which policy decides over a name that a message could bring, before anything is looked up in the DNS.
//
// In      a foreign domain; settings and domain rows as the tables have them
// Out     the policies that hold, in order, the last of them without a condition that only a look-up could settle; none: the
//         name is foreign like any other
// Never   a single label, a name that a rule is for or that a channel leads to, one more than LABELS_MAX labels below the nearest
//         domain that no message brought. Tombstones are the caller's: they are entries

import { isValidDomain } from '../../message/address.ts';
import { BUILT_IN_POLICY, type PolicyRow } from '../compile-policy.ts';
import { parseDestination } from '../destination.ts';
import type { Site } from '../resolution.ts';
import { ANY } from '../rewrite/pattern.ts';
import { probesOf } from '../rewrite/probe.ts';
import type { RouteRow } from '../rows.ts';
import type { RoutingSettings } from '../settings.ts';
import { decidingStatus } from '../status.ts';

/** Labels of a name beyond the nearest domain that no message brought. */
const LABELS_MAX = 4;

/** The row of exactly that domain. */
type RouteOf = (domain: string) => RouteRow | null | undefined;

export interface ArrivalTables {
  readonly settings: RoutingSettings;
  readonly routeOf: RouteOf;
}

/** `domain` in lower case. */
export function decidePolicy(
  domain: string,
  { settings, routeOf }: ArrivalTables,
  { fromMx = 'entries' }: Pick<Site, 'fromMx'>,
): readonly PolicyRow[] {
  if (fromMx === 'off') return [];
  const policies = fromMx === 'auto' ? [...settings.policies, BUILT_IN_POLICY] : settings.policies;
  if (policies.length === 0 || !isValidDomain(domain) || !domain.includes('.')) return [];
  let above: RouteRow | undefined | null = null;
  const deciding: PolicyRow[] = [];
  for (const policy of policies) {
    if (!isNamed(domain, policy.domains)) continue;
    if (policy.isParentOurs === true) {
      if (above === null) above = nearestAbove(domain, routeOf);
      if (above === undefined || !mayBring(above)) continue;
    }
    deciding.push(policy);
    if (policy.hasToken !== true) break;
  }
  if (deciding.length === 0 || isTooDeep(domain, routeOf) || isSpokenFor(domain, settings)) return [];
  return deciding;
}

function isNamed(domain: string, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  return patterns.some((pattern) => {
    if (pattern === '*' || pattern === domain) return true;
    return pattern.startsWith('*.') && domain.endsWith(pattern.slice(1));
  });
}

/** The nearest domain above that is ours. */
function nearestAbove(domain: string, routeOf: RouteOf): RouteRow | undefined {
  for (const name of namesAbove(domain)) {
    const route = routeOf(name);
    if (route !== null && route !== undefined) return route;
  }
  return undefined;
}

function mayBring(route: RouteRow): boolean {
  if (route.isComing === true || route.isWithoutMail === true) return false;
  return decidingStatus(route, undefined, ({ reply }) => reply !== undefined) === undefined;
}

function isTooDeep(domain: string, routeOf: RouteOf): boolean {
  for (const [at, name] of namesAbove(domain).entries()) {
    const route = routeOf(name);
    if (route !== null && route !== undefined && route.isBrought !== true) return at + 1 > LABELS_MAX;
  }
  return false;
}

/** Somebody has said where its mail goes. */
function isSpokenFor(domain: string, { rules, channels }: RoutingSettings): boolean {
  const isRuled = probesOf(domain).some(({ pattern }) => pattern !== ANY && rules.at(pattern).length > 0);
  return isRuled || [...channels.values()].some(({ key, daemon }) => key === domain || leadsTo(daemon, domain));
}

function leadsTo(daemon: string | undefined, domain: string): boolean {
  const destination = daemon === undefined ? undefined : parseDestination(daemon);
  return destination !== undefined && 'hops' in destination && destination.hops.some(({ host }) => host === domain);
}

/** The nearest first. */
function namesAbove(domain: string): string[] {
  const labels = domain.split('.');
  return labels.slice(1).map((_, at) => labels.slice(at + 1).join('.'));
}
