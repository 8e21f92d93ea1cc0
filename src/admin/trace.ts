// trace: what happened to a message, by its Message-ID, its queue id, or the address of a recipient.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import { type MessageId, parseIdText } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { formatAddress, tryParseAddress } from '../message/address.ts';
import { type TracedEvent, traceAddress, traceMessage, traceMessageId } from '../transfer/journey.ts';
import { type Administered, administersOnly } from './audience.ts';
import { adminOperation, forDomains } from './operation.ts';

export const trace = (parts: { readonly reader: Reader }) =>
  forDomains(
    adminOperation(
      'trace',
      z.strictObject({ what: z.string().min(1).max(1000) }),
      async (input, caller): Promise<TracedEvent[]> => {
        const only = administersOnly(parts.reader, caller);
        const found = await find(parts.reader, input.what.trim(), only);
        // Of a message that others have got too, what happened to theirs.
        const events = only === undefined ? found : found.filter(({ recipient }) => only.has(recipient));
        if (events.length === 0) throw new Failure('not-found', `nothing is known of ${input.what}`);
        return events;
      },
    ),
    () => [],
  );

/** A Message-ID may look like an address: whichever is found first. */
async function find(reader: Reader, what: string, only: Administered | undefined): Promise<TracedEvent[]> {
  const bare = what.replace(/^<|>$/g, '');
  const id = parseIdText<MessageId>(bare);
  const byQueueId = id === undefined ? [] : traceMessage(reader, id);
  if (byQueueId.length > 0) return byQueueId;
  const byMessageId = await traceMessageId(reader, bare);
  if (byMessageId.length > 0) return byMessageId;
  const address = tryParseAddress(bare);
  // Who asks by another's address would learn that the message has gone there, too.
  if (address === undefined || only?.has(address.domain) === false) return [];
  return traceAddress(reader, formatAddress(address));
}
