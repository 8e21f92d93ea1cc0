// Custody: mail that was accepted for a domain which is not ours yet, and waits for somebody's word about it.
//
// In      a message whose request names such domains (RouteRequest.custody): its recipients there wait in the channel `hold` for the
//         domain's row; a row of it that fails for good
// Out     whether there is room for one more; in place of a report to whomever the message names: the whole message to the site postmaster
// States  held by `custody` -> resolved again (release.ts) | returned to the postmaster (custody-watch.ts, and what the domain refuses
//         when it is ours) | failed, where the sender had logged in
// Limits  CUSTODY_MESSAGES and CUSTODY_BYTES of all, CUSTODY_OF_DOMAIN of a domain
// Never   reports to an address that a stranger has given, of a delay neither: that is backscatter. Never drops a message: what the
//         postmaster's mailbox refuses is held for the administrator
// RFC 5321 §4.5.5 §6.1

import { asciiLower } from '../base/characters.ts';
import type { Reader, Row, Transaction } from '../database/operation.ts';
import { type Address, formatAddress, tryParseAddress } from '../message/address.ts';
import type { RouteRequest } from '../routing/route-request.ts';
import { addressOfKey, SITE_POSTMASTER } from '../routing/rows.ts';
import { destinationOfRoute, type Target, unresolvedTarget } from '../routing/targets.ts';
import type { JourneyEvent } from './journey.ts';
import { carriedBy, encodeCarried, type QueueRow } from './queue.ts';
import { forwarderIn } from './sent-on.ts';

const CUSTODY_MESSAGES = 1000;
const CUSTODY_BYTES = 100 * 1024 * 1024;
const CUSTODY_OF_DOMAIN = 20;

const KEPT = `SELECT count(*) AS messages, sum(octets) AS octets FROM
  (SELECT max(json_extract(options, '$.request.sizeBytes')) AS octets FROM queue WHERE held_by = 'custody' GROUP BY message)`;
const KEPT_FOR = `SELECT count(DISTINCT message) AS messages FROM queue WHERE held_by = 'custody' AND destination = ?`;

/** For one more message of so many octets; as far as is known before it has come. */
export function hasCustodyRoom(reader: Reader, domain: string, octets: number): boolean {
  return isRoom(reader.get(KEPT), octets) && isRoomFor(reader.get(KEPT_FOR, destinationOfRoute(domain)));
}

/** For the message of these targets, of which some are in custody. */
export async function hasCustodyRoomIn(tx: Transaction, targets: readonly Target[], octets: number): Promise<boolean> {
  if (!isRoom(await tx.get(KEPT), octets)) return false;
  for (const destination of new Set(targets.filter(isInCustody).map((target) => target.destination)))
    if (!isRoomFor(await tx.get(KEPT_FOR, destination))) return false;
  return true;
}

function isRoom(kept: Row | undefined, octets: number): boolean {
  return Number(kept?.['messages'] ?? 0) < CUSTODY_MESSAGES && Number(kept?.['octets'] ?? 0) + octets <= CUSTODY_BYTES;
}

function isRoomFor(kept: Row | undefined): boolean {
  return Number(kept?.['messages'] ?? 0) < CUSTODY_OF_DOMAIN;
}

export function isInCustody({ options }: Target): boolean {
  return options['heldBy'] === 'custody';
}

/**
 * What a recipient comes to that fails for good: its sender has a report; the message goes to the site postmaster; or, there already, it
 * is held for the administrator.
 */
export type Fate = 'reported' | 'returned' | 'kept';

/** `origin`: the envelope's address, or what a list's member or an entry has led on from. */
export function fateOf({ custody, caller }: RouteRequest, origin: Address): Fate {
  if (custody === undefined || caller.kind !== 'anonymous') return 'reported';
  if (custody.includes(origin.domain)) return 'returned';
  // By whatever name the site postmaster sends it on.
  return asciiLower(origin.localPart) === SITE_POSTMASTER ? 'kept' : 'reported';
}

/** Most rows say nothing of it, and are not parsed for it. */
export function fateOfRow(row: QueueRow): Fate {
  if (!row.options.includes('"custody":')) return 'reported';
  try {
    const { request, origin, target } = carriedBy(row);
    // The report goes to the user whose program or file it was.
    if (target.options['reportTo'] !== undefined) return 'reported';
    return fateOf(request, tryParseAddress(forwarderIn(row.prefix)) ?? origin);
  } catch {
    return 'reported';
  }
}

/** In place of a failure, whose words are `status`. No channel works on the row. */
export async function takeBack(
  tx: Transaction,
  row: QueueRow,
  fate: Exclude<Fate, 'reported'>,
  status: string,
): Promise<JourneyEvent> {
  if (fate === 'kept')
    await tx.run(
      `UPDATE queue SET state = 'held', held_by = 'admin', lease = 0, next_attempt = 0, release_at = NULL, delay_due = 0
       WHERE id = ?`,
      row.id,
    );
  else {
    const { envelope, request } = carriedBy(row);
    const target = postmasterTarget();
    const { by: _, holdUntil: __, ...more } = envelope;
    const recipients = [{ address: target.recipient }];
    await tx.run(
      `UPDATE queue SET state = 'waiting', held_by = NULL, channel = ?, destination = '', recipient = ?, options = ?, lease = 0,
         next_attempt = 0, attempts = 0, last_attempt = NULL, waited = 0, release_at = NULL, deliver_by = NULL, delay_due = 0,
         prefix = NULL, intent = NULL
       WHERE id = ?`,
      target.channel,
      formatAddress(target.recipient),
      encodeCarried({ envelope: { ...more, recipients }, target, request }),
      row.id,
    );
  }
  tx.afterCommit({ kind: 'queue' });
  return takenBack(row.recipient, fate, status);
}

export function takenBack(recipient: string, fate: Exclude<Fate, 'reported'>, status: string): JourneyEvent {
  return fate === 'kept'
    ? { event: 'held', recipient, status: `${status}, for the administrator` }
    : { event: 'returned', recipient, status: `${status}, to the site postmaster` };
}

/** Several of a message are one delivery. */
export function postmasterTarget(): Target {
  return unresolvedTarget(addressOfKey(SITE_POSTMASTER));
}
