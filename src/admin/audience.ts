// Who may ask for an operation, of those whom a token of scope `api` opens /v1.
//
//   site    the Directory Manager, site administrators
//   domain  administrators of all domains that it is about
//   self    the same, and the account that it is about
//
// In      a caller; an operation with its input, or an address
// Out     nothing, or `denied`. What an operation changes in the directory is asked there once more, by the rules

import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { administersDomain } from '../directory/access/domain-administrators.ts';
import { type Plan, planFor } from '../directory/access/plan.ts';
import type { Caller } from '../directory/caller.ts';
import { addressKey, normalizeDomain, tryParseAddress } from '../message/address.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Requester } from './operation.ts';

export interface Audiences {
  readonly admit: NonNullable<Requester['admit']>;
  readonly admitToSite: (caller: Caller) => void;
}

export function audiences(reader: Reader, routing: RoutingCache): Audiences {
  return {
    admit(operation, input, caller) {
      const names = administersOnly(reader, caller);
      if (names === undefined) return;
      const about = operation.audience === 'site' ? undefined : operation.names(input as never);
      if (about === undefined) throw denied('this is for administrators of the site');
      if (operation.audience === 'self' && about.length > 0 && about.every((name) => isOwn(routing, caller, name)))
        return;
      if (!names.isAny) throw denied('this is for administrators of a domain');
      const other = about.find((name) => !names.has(name));
      if (other !== undefined) throw denied(`${other} is in no domain that you administer`);
    },
    admitToSite(caller) {
      if (administersOnly(reader, caller) !== undefined) throw denied('this is for administrators of the site');
    },
  };
}

export interface Administered {
  /** The caller administers a domain at all. */
  readonly isAny: boolean;
  /** An address or a domain. */
  has(name: string): boolean;
}

/** What an operation keeps to for this caller; undefined where that is everything. */
export function administersOnly(reader: Reader, caller: Caller): Administered | undefined {
  if (caller.kind === 'administrator' || caller.kind === 'server') return undefined;
  const plan: Plan = planFor(reader, caller);
  if (plan.caller.isSiteAdministrator) return undefined;
  const known = new Map<string, boolean>();
  return {
    isAny: plan.caller.isDomainAdministrator,
    has(name) {
      const domain = normalizeDomain(name.slice(name.lastIndexOf('@') + 1));
      if (domain === undefined) return false;
      let has = known.get(domain);
      if (has === undefined) known.set(domain, (has = administersDomain(reader, plan, domain)));
      return has;
    },
  };
}

/** An entry may name addresses that are not its own: what the routing table leads to it is. */
function isOwn(routing: RoutingCache, caller: Caller, text: string): boolean {
  const address = caller.kind === 'entry' ? tryParseAddress(text) : undefined;
  const row = address && routing.recipient(addressKey(address));
  return row !== undefined && caller.kind === 'entry' && row.uuid === caller.uuid;
}

function denied(text: string): Failure {
  return new Failure('denied', text);
}
