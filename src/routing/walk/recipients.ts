// The part of a walk that goes by the row of an entry: a user's, a list's, the site postmaster's.
//
// In      the row and that of the domain in which it claims the address
// Out     the reply of the target, of what it leads to, or of what forbids it
// Order   statuses -> size -> what is not supported -> access rules of a list -> mail host -> routing address -> delivery options:
//         mailbox, or the list's members
// RFC 5321 §3.9, §4.5.1

import type { Reply } from '../../base/reply.ts';
import { type Address, formatAddress, tryParseAddress } from '../../message/address.ts';
import { unsupportedNames } from '../attributes.ts';
import { hopsTo } from '../destination.ts';
import { quotaFor } from '../quota.ts';
import { replies } from '../replies.ts';
import { addressOfKey, type RecipientRow, type RouteRow, SITE_POSTMASTER, type UserRow } from '../rows.ts';
import { folderOf } from '../subaddress.ts';
import { hopTarget, mailboxTarget } from '../targets.ts';
import { byOptions } from './by-options.ts';
import type { Lists } from './lists.ts';
import { stopOf, stopped } from './stop.ts';
import type { Onward, Walk } from './walk.ts';

export class Recipients {
  readonly #walk: Walk;
  readonly #onward: Onward;
  readonly #lists: Lists;

  constructor(walk: Walk, onward: Onward, lists: Lists) {
    this.#walk = walk;
    this.#onward = onward;
    this.#lists = lists;
  }

  recipient(row: RecipientRow, route: RouteRow, address: Address, depth: number): Reply | undefined {
    const closed = this.#walk.closed(route.domain, address);
    if (closed !== undefined) return closed;
    if (this.#walk.explain) this.#walk.step('alias table', `${formatAddress(address)} is the ${row.kind} ${row.dn}`);
    const stop = stopOf(this.#walk, route, row);
    if (stop !== undefined) return stopped(this.#walk, stop, address, row);
    const { routingAddress } = row;
    const elsewhere = this.#walk.elsewhere(row.mailHost);
    const isHere = elsewhere === undefined;
    const unsupported = isHere && routingAddress === undefined ? unsupportedNames(route, row) : [];
    if (unsupported.length > 0) {
      if (this.#walk.explain) this.#walk.step('not supported', unsupported.join(', '));
      return replies.unsupported;
    }
    if (row.kind === 'group' && this.#lists.hasPassed(row)) return undefined;
    const part = row.kind === 'group' ? this.#lists.access(row) : 'members';
    if (typeof part !== 'string') return part;
    if (!isHere) return this.#toMailHost(row, elsewhere, address);
    if (routingAddress !== undefined) return this.#reroute(row, routingAddress, depth);
    if (row.options !== undefined && part === 'members')
      return byOptions(this.#walk, this.#onward, { row, route, address, depth, part });
    return row.kind === 'user' ? this.#user(row, address, route) : this.#lists.group(row, part, address, depth);
  }

  sitePostmaster(address: Address, depth: number): Reply | undefined {
    const row = this.#walk.alias(SITE_POSTMASTER);
    if (row === undefined) return undefined;
    if (row === null || row.kind !== 'user') {
      if (this.#walk.explain) this.#walk.step('postmaster', 'this site has no postmaster entry');
      return replies.noSuchUser;
    }
    if (this.#walk.explain) this.#walk.step('postmaster', `site postmaster, ${row.dn}`);
    const closed = this.#walk.closed(this.#walk.hostname, address);
    if (closed !== undefined) return closed;
    const elsewhere = this.#walk.elsewhere(row.mailHost);
    if (elsewhere === undefined) return this.#always(row, address, depth);
    // `<postmaster>` is valid at any host, and the address asked for may be one that only this host has. RFC 5321 §4.5.1
    return this.#toMailHost(row, elsewhere, address.domain === '' ? address : addressOfKey(SITE_POSTMASTER));
  }

  /**
   * Somebody reads it, whatever the options are. What has no sender is a report as a rule: if it failed on its way by another
   * option, there would be nobody left to be told but the site postmaster. RFC 5321 §4.5.1
   */
  #always(row: UserRow, address: Address, depth: number): Reply | undefined {
    const { sender } = this.#walk.request;
    if (row.options === undefined || sender === undefined) return this.#user(row, address);
    const { reached } = this.#walk;
    const reply = byOptions(this.#walk, this.#onward, { row, route: undefined, address, depth, part: 'members' });
    return this.#walk.reached > reached || this.#walk.asked() > 0 ? reply : this.#user(row, address);
  }

  #toMailHost({ dn, routingAddress }: RecipientRow, mailHost: string, address: Address): Reply | undefined {
    if (this.#walk.explain) this.#walk.step('mail host', `mailHost of ${dn}: ${mailHost}`);
    const isPeer = this.#isPeer(mailHost);
    if (isPeer === undefined) return undefined;
    if (isPeer && this.#walk.explain)
      this.#walk.step('loop', `the message has come from ${mailHost}, whose directory says otherwise`);
    if (isPeer) return replies.sentBack;
    if (this.#walk.explain && routingAddress !== undefined)
      this.#walk.step('address', `mailRoutingAddress: ${routingAddress}`);
    const recipient = routingAddress === undefined ? address : tryParseAddress(routingAddress);
    return recipient === undefined ? replies.badAddress : this.#walk.target(hopTarget(recipient, hopsTo([mailHost])));
  }

  /** Whether the message has come from this host, as the host's entry says. */
  #isPeer(host: string): boolean | undefined {
    const { peer } = this.#walk.request;
    if (peer === undefined || peer === host) return peer === host;
    const settings = this.#walk.settings();
    return settings && settings.hosts.get(host)?.addresses.includes(peer) === true;
  }

  #reroute({ dn }: RecipientRow, routingAddress: string, depth: number): Reply | undefined {
    if (this.#walk.explain) this.#walk.step('mail host', `mailRoutingAddress of ${dn}: ${routingAddress}`);
    return this.#walk.follow(`mailRoutingAddress of ${dn}`)
      ? this.#onward.addressText(routingAddress, depth + 1)
      : undefined;
  }

  /** The site postmaster is in no domain. */
  #user(row: UserRow, address: Address, route?: RouteRow): Reply {
    if (this.#walk.explain) this.#walk.step('delivery option', 'mailbox');
    const quota = route && quotaFor(row, route, this.#walk.request);
    return this.#walk.target(mailboxTarget(address, row.account, { quota, folder: folderOf(row, route, address) }));
  }
}
