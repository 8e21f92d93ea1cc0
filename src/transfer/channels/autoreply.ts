// The autoreply channel: an answer to the sender in a user's absence.
//
// In      a target that names the user's entry, which is read now; the header of the message, and its bytes where they go back
// Out     the answer, accepted in the transaction that remembers it (replied.ts); or why there is none. The row ends in any case
// Limits  HEAD_BYTES of the header are read, ECHO_MAX of the message
// RFC 3834

import { asciiLower } from '../../base/characters.ts';
import { idText, type MessageId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Reader } from '../../database/operation.ts';
import { SERVER } from '../../directory/caller.ts';
import { entryById } from '../../directory/entries.ts';
import { type Entry, textValues } from '../../directory/entry.ts';
import { addressKey } from '../../message/address.ts';
import { parseHeader } from '../../message/header.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { Site } from '../../routing/resolve.ts';
import type { Target } from '../../routing/targets.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { StoredMessage } from '../../store/messages.ts';
import { composeAnswer, ECHO_MAX } from '../autoreply/compose.ts';
import { whyNoReply } from '../autoreply/decide.ts';
import { type AutoreplyProfile, autoreplyProfile } from '../autoreply/profile.ts';
import { type SignedMadeParts, takeMade } from '../made-mail.ts';
import { type Outcome, outcome } from '../outcome.ts';
import { type AutomaticReply, REPLY, replyArguments } from '../replied.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

const HEAD_BYTES = 64 * 1024;

export interface AutoreplyParts {
  readonly blobs: Blobs;
  readonly reader: Reader;
  readonly site: Site;
  readonly log: Log;
  readonly made: SignedMadeParts;
  readonly routing: Pick<RoutingCache, 'route'>;
}

export class AutoreplyChannel implements Channel {
  static readonly kind = { name: 'autoreply', isLocal: true } as const;
  readonly name = AutoreplyChannel.kind.name;
  readonly isLocal = AutoreplyChannel.kind.isLocal;
  readonly recipientsMax = 1;
  readonly #parts: AutoreplyParts;

  constructor(parts: AutoreplyParts) {
    this.#parts = parts;
  }

  async deliver(delivery: Delivery): Promise<Delivered> {
    const outcomes: Outcome[] = [];
    for (const target of delivery.targets) outcomes.push(await this.#answer(delivery, target));
    return { outcomes };
  }

  async #answer({ message, envelope: { sender } }: Delivery, { options, recipient }: Target): Promise<Outcome> {
    const { reader, blobs, site, made } = this.#parts;
    const entry = entryById(reader, Number(options['entry']));
    const profile = entry !== undefined && isSet(entry) ? autoreplyProfile(entry, recipient) : undefined;
    if (profile === undefined) return said({ ignored: 'the delivery option is set no more' });
    const header = parseHeader(await blobs.read(message.blob, message.traceBytes, HEAD_BYTES));
    const why = whyNoReply(profile, {
      sender,
      header,
      now: made.clock.now(),
      peopleOf: (domain) => this.#peopleOf(domain),
    });
    if (why !== undefined) return said({ ignored: why });
    const id = made.nextId();
    const bytes = await this.#echo(profile, message, header.end);
    const answer = composeAnswer(
      profile,
      { sender: sender!, header, ...(bytes === undefined ? {} : { bytes }) },
      { hostname: site.hostnames[0]!, id: idText(id), at: made.clock.now() },
    );
    if (answer === undefined) return said({ ignored: 'there is no text for this sender' });
    const reply: AutomaticReply = {
      tenant: site.tenant,
      account: Number(options['account']),
      sender: addressKey(sender!),
      hash: Buffer.from(profile.hash).toString('hex'),
      timeOutMs: profile.timeOutMs,
    };
    return { ...said(reply), messages: [await this.#submission(answer, id, sender!)] };
  }

  #peopleOf(domain: string): string {
    const route = this.#parts.routing.route(domain);
    return route?.aliasOf || route?.canonical || domain;
  }

  /** What goes back of the message, in mode `echo`. */
  async #echo({ isEcho }: AutoreplyProfile, message: StoredMessage, headerEnd: number): Promise<Buffer | undefined> {
    if (!isEcho) return undefined;
    const { blob, traceBytes } = message;
    const length = blob.length - traceBytes;
    return this.#parts.blobs.read(blob, traceBytes, length > ECHO_MAX ? headerEnd : length);
  }

  /** No host is asked for a report, and none comes from here: who is answered has not asked for an answer. */
  async #submission(answer: Buffer, id: MessageId, sender: NonNullable<Delivery['envelope']['sender']>) {
    const sign = await this.#parts.made.signer.signsTo({ kind: 'own' }, [sender]);
    const message = await takeMade(this.#parts.made, { bytes: answer, sender: undefined, id, sign });
    this.#parts.log.info('transfer.reply', { reply: idText(id), to: addressKey(sender) });
    return {
      envelope: {
        sender: undefined,
        recipients: [{ address: sender, notify: [] }],
        body: message.parsed.isEightBit ? ('8BITMIME' as const) : ('7BIT' as const),
      },
      message,
      caller: SERVER,
      mayRelay: true,
      door: 'internal' as const,
      // It is remembered as given: a refusal for now must not lose it.
      refused: 'report' as const,
    };
  }
}

function isSet(entry: Entry): boolean {
  return textValues(entry, 'maildeliveryoption').some((option) => asciiLower(option.trim()) === 'autoreply');
}

function said(reply: AutomaticReply): Outcome {
  return {
    ...outcome('delivered', '2.0.0', 'automatic reply'),
    isUntold: true,
    operation: { name: REPLY, args: replyArguments(reply) },
  };
}
