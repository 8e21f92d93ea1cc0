// The list channel: what a list does to a message before it goes to the members, and what it asks its moderators.
//
// In      targets that name a list (`derive`), or a moderator's verdict; the message
// Out     one derived message, which the list then takes as it is; or questions to the moderators, and the row is held; or the
//         verdict, for the writer (list/decide.ts)
// Order   what came by itself is not asked about -> password -> moderators -> derived
// Limits  HEAD_BYTES of the header are read where that is enough; SHOWN_BYTES of a message are shown; moderators: list/moderators.ts
// Never   looks at what a moderator has written, but whether a program has
// RFC 5321 §3.9.2, RFC 3834 §2

import { timingSafeEqual } from 'node:crypto';
import { asciiLower } from '../../base/characters.ts';
import { idText } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { isAccepted, isTemporary } from '../../base/reply.ts';
import type { Reader } from '../../database/operation.ts';
import { type Caller, SERVER } from '../../directory/caller.ts';
import { entryById } from '../../directory/entries.ts';
import { type Entry, textValues } from '../../directory/entry.ts';
import { type Address, addressKey, formatAddress, parseAddress } from '../../message/address.ts';
import { formatSender, type Recipient } from '../../message/envelope.ts';
import { findValue, type Header, parseHeader } from '../../message/header.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { readState } from '../../routing/generation.ts';
import { partOf } from '../../routing/options/part.ts';
import type { Site } from '../../routing/resolve.ts';
import { INTERNAL_REQUEST } from '../../routing/route-request.ts';
import { addressOfKey, type GroupRow } from '../../routing/rows.ts';
import { standingOfUuid } from '../../routing/standing.ts';
import { readRecipient } from '../../routing/tables.ts';
import { listOfTarget, type Target } from '../../routing/targets.ts';
import type { ModeratorVerdict } from '../../routing/tokens.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { StoredMessage } from '../../store/messages.ts';
import { LIST, type ListDecision, listThatWaits, listWork } from '../list/decide.ts';
import { APPROVED, deriveMessage } from '../list/derive.ts';
import { peopleWhoModerate } from '../list/moderators.ts';
import { doneAlready, questionFor } from '../list/notice.ts';
import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type SignedMadeParts, takeMade } from '../made-mail.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Submission } from '../submit.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

const HEAD_BYTES = 64 * 1024;
const SHOWN_BYTES = 100 * 1024;

const RESOLVED_AGAIN: Outcome = {
  ...outcome('delivered', '2.1.5', 'resolved again'),
  operation: { name: LOCAL_DELIVERY, args: {} },
};
const NOBODY_TO_ASK = outcome('deferred', '4.3.5', 'None of the moderators of the list can be asked');

export interface ListChannelParts {
  readonly blobs: Blobs;
  readonly reader: Reader;
  readonly site: Site;
  readonly log: Log;
  readonly made: SignedMadeParts;
  readonly routing: Pick<RoutingCache, 'resolve'>;
}

/** The list of a target, as the directory has it now. */
interface ListNow {
  readonly entry: Entry;
  readonly row: GroupRow;
  readonly address: Address;
}

export class ListChannel implements Channel {
  static readonly kind = { name: 'list', isLocal: true } as const;
  readonly name = ListChannel.kind.name;
  readonly isLocal = ListChannel.kind.isLocal;
  readonly recipientsMax = 1;
  readonly #parts: ListChannelParts;

  constructor(parts: ListChannelParts) {
    this.#parts = parts;
  }

  async deliver(delivery: Delivery): Promise<Delivered> {
    const outcomes: Outcome[] = [];
    for (const [index, target] of delivery.targets.entries())
      outcomes.push(
        target.options['verb'] === undefined
          ? await this.#take(delivery, target, index)
          : await this.#verdict(delivery, target),
      );
    return { outcomes };
  }

  async #take(delivery: Delivery, target: Target, index: number): Promise<Outcome> {
    const { message } = delivery;
    const list = this.#listNow(Number(target.options['derive']), target.recipient);
    // It is none any more, or asks for nothing: whatever the address is now decides.
    if (list === undefined) return RESOLVED_AGAIN;
    const header = await this.#header(message);
    const { texts = {} } = list.row;
    const isApproved = target.options['isApproved'] === true;
    const isToBeAsked = !isApproved && (target.options['part'] === 'moderators' || !hasPassword(list, header));
    if (!isToBeAsked) return this.#derived(delivery, { list, target, texts }, index);
    if (isAutomatic(header))
      return work({ do: 'ignore', why: `of a program, and ${formatAddress(list.address)} is moderated` });
    if (list.row.rules?.moderators === undefined)
      return outcome(
        'failed',
        '5.7.1',
        list.row.rules?.rejectText ?? 'The list wants its password, in the field Approved',
      );
    return this.#held(delivery, { list, header }, index);
  }

  #listNow(id: number, asked: Address): ListNow | undefined {
    const { reader } = this.#parts;
    return reader.snapshot(() => {
      const entry = entryById(reader, id);
      const row = entry && readRecipient(reader, readState(reader).generation, entry.normalizedDn);
      if (entry === undefined || row?.kind !== 'group') return undefined;
      const [primary] = row.addresses;
      return { entry, row, address: primary === undefined ? asked : addressOfKey(primary) };
    });
  }

  async #header({ blob, traceBytes }: StoredMessage): Promise<Header> {
    return parseHeader(await this.#parts.blobs.read(blob, traceBytes, HEAD_BYTES));
  }

  async #derived(
    { message, envelope, request }: Delivery,
    { list, target, texts }: { list: ListNow; target: Target; texts: NonNullable<GroupRow['texts']> },
    index: number,
  ): Promise<Outcome> {
    const { blobs, made, log } = this.#parts;
    const { blob, traceBytes } = message;
    const bytes = await blobs.read(blob, traceBytes, blob.length - traceBytes);
    // A report stays one: who fails on its way is told to nobody, or a list that its failures lead to would never end.
    const errorsTo =
      texts.errorsTo === undefined || envelope.sender === undefined ? undefined : parseAddress(texts.errorsTo);
    const sender = errorsTo ?? envelope.sender;
    // Whose lists this one is in have been told the same.
    const author = request.author ?? { sender: request.sender, caller: request.caller };
    const maker = { kind: 'list', submitter: this.#addressesOf(author.caller) } as const;
    const sign = await made.signer.signsTo(maker, [target.recipient]);
    const altered = deriveMessage(made.signer.withoutOwn(bytes), list.address, texts);
    const taken = await takeMade(made, { bytes: altered, sender, sign });
    log.info('list.derive', {
      queue: idText(message.id),
      derived: idText(taken.row.id),
      list: formatAddress(list.address),
    });
    const asked = envelope.recipients[index]!;
    const part = partOf(target);
    const submission: Submission = {
      envelope: {
        ...envelope,
        sender,
        recipients: [onward(asked, target.recipient, errorsTo !== undefined)],
        ...(taken.parsed.isEightBit ? { body: '8BITMIME' } : {}),
      },
      message: taken,
      caller: SERVER,
      mayRelay: true,
      door: 'internal',
      refused: 'report',
      lists: [...listsOf(target), list.row.entry],
      // Its other delivery options have had the message as it came.
      ...(part === undefined ? {} : { part }),
      // Lists in this one ask about who has sent it, whoever gets the reports of failures.
      author,
    };
    const action = errorsTo === undefined ? 'expanded' : 'delivered';
    return { ...outcome('delivered', '2.1.5', `made anew as ${idText(taken.row.id)}`), action, messages: [submission] };
  }

  /** Of the account that has sent it to the list; undefined for a stranger. */
  #addressesOf(caller: Caller): readonly string[] | undefined {
    const { reader, site } = this.#parts;
    if (caller.kind !== 'entry') return undefined;
    return reader.snapshot(() => standingOfUuid(reader, site, caller.uuid)?.login?.addresses);
  }

  async #held(
    { message, rows, envelope }: Delivery,
    { list, header }: { list: ListNow; header: Header },
    index: number,
  ): Promise<Outcome> {
    const { blobs, made, site } = this.#parts;
    const moderators = await this.#moderators(list);
    if (moderators.length === 0 || site.tokens === undefined) return NOBODY_TO_ASK;
    const { blob, traceBytes } = message;
    const length = blob.length - traceBytes;
    const shown = await blobs.read(blob, traceBytes, Math.min(SHOWN_BYTES, length));
    const messages: Submission[] = [];
    for (const to of moderators) {
      const id = made.nextId();
      const verdict = { row: rows[index]!.id, moderator: addressKey(to) };
      const bytes = questionFor(
        { hostname: site.hostnames[0]!, id: idText(id), at: made.clock.now(), list: list.address, to },
        {
          subject: findValue(header, 'subject') ?? '',
          sender: formatSender(envelope.sender),
          approve: site.tokens.verdict(list.address, { ...verdict, verb: 'approve' }),
          refuse: site.tokens.verdict(list.address, { ...verdict, verb: 'refuse' }),
          shown,
          isWhole: length <= SHOWN_BYTES,
        },
      );
      messages.push(await this.#mail(to, id, bytes));
    }
    return { ...work({ do: 'hold', asked: moderators.length }), messages };
  }

  async #mail(to: Address, id: ReturnType<SignedMadeParts['nextId']>, bytes: Buffer): Promise<Submission> {
    const sign = await this.#parts.made.signer.signsTo({ kind: 'own' }, [to]);
    const message = await takeMade(this.#parts.made, { bytes, sender: undefined, id, sign });
    return {
      envelope: {
        sender: undefined,
        recipients: [{ address: to, notify: [] }],
        body: message.parsed.isEightBit ? '8BITMIME' : '7BIT',
      },
      message,
      caller: SERVER,
      mayRelay: true,
      door: 'internal',
      refused: 'report',
    };
  }

  /** Those whom a question can reach, now or later. One that leads to the list would be a message to it. */
  async #moderators({ row, address: list }: ListNow): Promise<Address[]> {
    const { reader, routing, site, log } = this.#parts;
    const asked: Address[] = [];
    for (const address of peopleWhoModerate(reader, row, site)) {
      const { reply, targets } = await routing.resolve(address, INTERNAL_REQUEST);
      const isLost = !isAccepted(reply) && !isTemporary(reply);
      if (!isLost && !targets.some((target) => leadsTo(target, row.entry))) asked.push(address);
      else {
        const why = isLost ? `${reply.code} ${reply.enhanced} ${reply.text}` : 'leads to the list';
        log.warn('list.unasked', { list: formatAddress(list), moderator: formatAddress(address), why });
      }
    }
    return asked;
  }

  async #verdict({ message }: Delivery, { options, recipient }: Target): Promise<Outcome> {
    const { reader, made, site } = this.#parts;
    const verdict = options as unknown as ModeratorVerdict;
    const header = await this.#header(message);
    if (isAutomatic(header)) return work({ do: 'ignore', why: 'a program has sent it: it decides nothing' });
    const waiting = listThatWaits(reader, verdict.row);
    if (waiting !== undefined) {
      const text = this.#listNow(waiting, recipient)?.row.rules?.rejectText;
      return work({ do: 'decide', refusal: text ?? 'A moderator of the list has refused it', ...pick(verdict) });
    }
    const id = made.nextId();
    const to = addressOfKey(verdict.moderator);
    const list = { ...recipient, localPart: recipient.localPart.slice(0, recipient.localPart.lastIndexOf('+')) };
    const head = { hostname: site.hostnames[0]!, id: idText(id), at: made.clock.now(), list, to };
    const messages = [await this.#mail(to, id, doneAlready(head))];
    return { ...outcome('delivered', '2.0.0', 'done already'), action: 'delivered', isUntold: true, messages };
  }
}

function pick({ row, verb, moderator }: ModeratorVerdict): ModeratorVerdict {
  return { row, verb, moderator };
}

function work(done: ListDecision): Outcome {
  return { ...outcome('delivered', '2.0.0', 'list'), isUntold: true, operation: { name: LIST, args: listWork(done) } };
}

function leadsTo(target: Target, entry: number): boolean {
  return target.options['derive'] === entry || listOfTarget(target)?.entry === entry;
}

function listsOf({ options }: Target): readonly number[] {
  const { lists } = options;
  return Array.isArray(lists) ? lists.map(Number) : [];
}

/** RFC 3834 §5 */
function isAutomatic(header: Header): boolean {
  const value = findValue(header, 'auto-submitted');
  return value !== undefined && asciiLower(value.trim()).split(/[\s;(]/)[0] !== 'no';
}

/** Also where the list wants none. */
function hasPassword({ entry, row }: ListNow, header: Header): boolean {
  if (row.texts?.password !== true) return true;
  const given = Buffer.from((findValue(header, APPROVED) ?? '').trim(), 'latin1');
  return textValues(entry, 'mgrpauthpassword').some((value) => {
    const password = Buffer.from(value);
    return password.length > 0 && password.length === given.length && timingSafeEqual(password, given);
  });
}

/** RFC 3461 §5.2.7: where failures go to the list, the copies ask for reports of those alone. */
function onward(asked: Recipient, address: Address, isOfList: boolean): Recipient {
  if (isOfList) return { ...asked, address, notify: ['FAILURE'] };
  return asked.notify === undefined
    ? { ...asked, address }
    : { ...asked, address, notify: asked.notify.filter((word) => word !== 'SUCCESS') };
}
