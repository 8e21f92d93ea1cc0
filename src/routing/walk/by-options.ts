// The part of a walk that goes by an entry's delivery options: all of them act, and none stops another.
//
// In      the row of a user or of a list, with options that are not the usual one alone
// Out     targets, each with the option that it comes from, so that one that waits is resolved again by itself; failures of what
//         cannot be reached
// RFC 5321 §3.9

import type { Reply } from '../../base/reply.ts';
import { normalizeDn } from '../../directory/dn.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import { USUAL_OPTION } from '../compile-options.ts';
import type { ListPart } from '../list-members.ts';
import { optionsThatAct } from '../options/options.ts';
import { replies } from '../replies.ts';
import { nameOf, type OptionName, type RecipientRow, type RouteRow, SITE_POSTMASTER } from '../rows.ts';
import type { Target } from '../targets.ts';
import { targetOfList } from './lists.ts';
import { stopped } from './stop.ts';
import type { Onward, Walk } from './walk.ts';

export interface Optional {
  readonly row: RecipientRow;
  /** The site postmaster is in no domain. */
  readonly route: RouteRow | undefined;
  readonly address: Address;
  readonly depth: number;
  /** Of a list. */
  readonly part: ListPart;
}

export function byOptions(
  walk: Walk,
  onward: Onward,
  { row, route, address, depth, part }: Optional,
): Reply | undefined {
  const options = row.options ?? [USUAL_OPTION[row.kind]];
  if (walk.explain) walk.step('delivery option', options.length === 0 ? 'none is left' : options.join(', '));
  if (options.includes('hold'))
    return stopped(walk, { reply: replies.accepted, waitsFor: `entry ${normalizeDn(row.dn)}` }, address);
  if (options.length === 0) return replies.unsupported;
  let found = 0;
  for (const option of options) {
    const target = (planned: Target): void => {
      found++;
      walk.target(withPart(planned, option, row));
    };
    if (row.kind === 'group' && (option === 'members' || option === 'members_offline')) {
      target(targetOfList(address, row, { part, lists: walk.request.lists }));
      continue;
    }
    optionsThatAct[option]?.plan({
      row,
      route,
      domain: route?.domain ?? walk.hostname,
      name: route === undefined ? `${SITE_POSTMASTER}@${walk.hostname}` : nameOf(row),
      address,
      request: walk.request,
      alias: (key) => walk.alias(key),
      passedOver: (what) => {
        if (walk.explain) walk.step('delivery option', `${option}: ${what}`);
      },
      target,
      follow: (to, leaving) => {
        found++;
        if (walk.follow(`${option} of ${row.dn} to ${formatAddress(to)}`)) follow(walk, onward, { to, depth, leaving });
      },
    });
  }
  return found > 0 || walk.asked() > 0 ? undefined : replies.unsupported;
}

/** Also of the only option: when it is resolved again, there may be others. */
function withPart(target: Target, part: OptionName, { entry }: RecipientRow): Target {
  return { ...target, options: { ...target.options, part, of: entry } };
}

interface Followed {
  readonly to: Address;
  readonly depth: number;
  readonly leaving: ((target: Target) => Target) | undefined;
}

/** A recipient of its own: resolved again, it alone leads there. */
function follow(walk: Walk, onward: Onward, { to, depth, leaving }: Followed): void {
  const { origin, leaving: before } = walk;
  walk.origin = to;
  walk.leaving = leaving ?? before;
  const reply = onward.address(to, depth + 1);
  walk.failed({ recipient: to }, reply);
  walk.origin = origin;
  walk.leaving = before;
}
