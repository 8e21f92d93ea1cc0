// Mail that a user has sent on to another host: what the outcome of the channel `forward` names, run in the transaction that
// records it. No bytes are copied: a row for the other host takes the place of this one.
//
// In      rows whose target names who forwards (`by`); the address is resolved again, as it is now
// Out     rows as of any recipient elsewhere, whose message begins with `Delivered-To: USER`: when it comes back, it stops there
//         (channels/forward.ts). The sender is an address of ours where the next host would else ask ours for leave (SPF)
// RFC 5321 §3.9.1, RFC 7208 §D.1, RFC 9228

import type { Transaction } from '../database/operation.ts';
import { type Address, addressKey, formatAddress, tryParseAddress } from '../message/address.ts';
import { formatSender } from '../message/envelope.ts';
import { stateIn } from '../routing/generation.ts';
import type { Site } from '../routing/resolve.ts';
import { accepted } from '../routing/route-request.ts';
import { routeIn } from '../routing/tables.ts';
import { type LocalOperation, type LocalResult, resultOf } from './local-delivery.ts';
import { type PlaceParts, place } from './place.ts';
import { carriedBy } from './queue.ts';
import { sentOnBy } from './sent-on.ts';

export const FORWARD = 'transfer.forward';

export function forward(parts: PlaceParts): LocalOperation {
  return async (tx, { message, rows, events, at }) => {
    const results: LocalResult[] = [];
    for (const row of rows) {
      const carried = carriedBy(row);
      const { envelope, request, target } = carried;
      const by = addressIn(target.options['by']);
      const asked = { ...envelope.recipients[0]!, address: addressIn(target.options['to']) };
      const sender = await senderOf(tx, parts.site, { sender: envelope.sender, by, to: asked.address });
      const placed = await place(tx, parts, {
        message,
        row: undefined,
        envelope: { ...envelope, sender, recipients: [asked] },
        request: accepted(request),
        resolutions: undefined,
        refused: 'return',
        at,
        queuedAt: row.createdAt,
        prefix: sentOnBy(by),
      });
      if (placed.results[0]!.how !== 'refused') {
        const status = `2.0.0 by ${formatAddress(by)}, from <${formatSender(sender)}>`;
        events.push({ event: 'forwarded', recipient: row.recipient, status });
      }
      events.push(...placed.events);
      results.push(...placed.results.map(resultOf));
    }
    return results;
  };
}

/** As a target of the channel says it. */
export function addressIn(text: unknown): Address {
  const address = tryParseAddress(String(text));
  if (address === undefined) throw new Error('a row of mail that is sent on does not say by whom, or where to');
  return address;
}

interface Forwarded {
  readonly sender: Address | undefined;
  readonly by: Address;
  readonly to: Address;
}

/** The sender as it is, where it is ours, or the mail does not leave what is ours. */
async function senderOf(tx: Transaction, site: Site, { sender, by, to }: Forwarded): Promise<Address | undefined> {
  if (sender === undefined || site.tokens === undefined) return sender;
  if ((await isHere(tx, site, to.domain)) || (await isHere(tx, site, sender.domain))) return sender;
  return site.tokens.srs(sender, by.domain) ?? by;
}

async function isHere(tx: Transaction, { hostnames }: Site, domain: string): Promise<boolean> {
  if (domain === '' || hostnames.includes(domain)) return true;
  const { generation } = await stateIn(tx);
  return (await routeIn(tx, generation, domain)) !== null;
}

/** Whether a Delivered-To field says that this user has had the message. */
export function isDeliveredTo(value: string, by: Address): boolean {
  const address = tryParseAddress(value.trim());
  return address !== undefined && addressKey(address) === addressKey(by);
}
