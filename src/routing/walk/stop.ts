// What keeps mail for a domain or an entry from going on: a status that is not active, or a limit of size.
//
// In      the row of the domain and, once it is known, that of the recipient
// Out     a refusal, or a hold until the row changes that is named; the target of a hold

import type { AccountId } from '../../base/ids.ts';
import type { Reply } from '../../base/reply.ts';
import { normalizeDn } from '../../directory/dn.ts';
import type { Address } from '../../message/address.ts';
import { replies } from '../replies.ts';
import type { GroupRow, RecipientRow, RouteRow } from '../rows.ts';
import { decidingStatus, statusMeaning, statusText } from '../status.ts';
import { holdTarget } from '../targets.ts';
import type { Walk } from './walk.ts';

export interface Stop {
  readonly reply: Reply;
  /** Of a hold. */
  readonly waitsFor?: string;
}

/** Undefined: nothing does. */
export function stopOf(walk: Walk, route: RouteRow, row?: RecipientRow): Stop | undefined {
  return byStatus(walk, route, row) ?? bySize(walk, route, row);
}

/** The first status that is not active. */
function byStatus(walk: Walk, route: RouteRow, row?: RecipientRow): Stop | undefined {
  const deciding = decidingStatus(route, row, (meaning) => meaning.reply !== undefined);
  if (walk.explain) walk.step('status', deciding === undefined ? 'active' : statusText(...deciding));
  if (deciding === undefined) return undefined;
  const [attribute, status] = deciding;
  const reply = statusMeaning(status).reply!;
  const isOfDomain = attribute === 'inetDomainStatus' || attribute === 'mailDomainStatus';
  if (status === 'hold')
    return { reply, waitsFor: isOfDomain ? `route ${route.domain}` : `entry ${normalizeDn(row!.dn)}` };
  const own = attribute === 'inetMailGroupStatus' ? (row as GroupRow).disabledText : undefined;
  const text = status === 'disabled' ? (own ?? route.disabledText) : undefined;
  return { reply: text === undefined ? reply : { ...reply, text } };
}

function bySize(walk: Walk, route: RouteRow, row?: RecipientRow): Stop | undefined {
  const { sizeBytes } = walk.request;
  if (sizeBytes === undefined) return undefined;
  const max = Math.min(route.sizeMax ?? Number.POSITIVE_INFINITY, row?.sizeMax ?? Number.POSITIVE_INFINITY);
  if (sizeBytes <= max) return undefined;
  if (walk.explain) walk.step('size', `${sizeBytes} octets, the limit is ${max}`);
  return { reply: replies.tooLarge };
}

/** `row`: of who claims the address. */
export function stopped(walk: Walk, { reply, waitsFor }: Stop, address: Address, row?: RecipientRow): Reply {
  if (waitsFor === undefined) return reply;
  if (walk.explain) walk.step('hold', `until a change of ${waitsFor}`);
  return walk.target(holdTarget(address, waitsFor, mailboxAlone(row)));
}

/** Where the entry's mail goes into its mailbox, and nowhere else. */
function mailboxAlone(row: RecipientRow | undefined): AccountId | undefined {
  if (row?.kind !== 'user' || row.options !== undefined || row.routingAddress !== undefined) return undefined;
  return row.account === 0 ? undefined : row.account;
}
