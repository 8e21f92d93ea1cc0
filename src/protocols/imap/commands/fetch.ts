// FETCH and UID FETCH: pages of rows turned into text, bytes read beside, others let in between.
//
// In      the command, the session's numbering
// Out     FETCH responses; NO with EXPUNGEISSUED when a numbered message is gone (RFC 2180 §4.1.2)
// Limits  PAGE_MESSAGES rows a page, fewer when \Seen is set by it; two batches of BATCH_BYTES read ahead of the output
// Never   holds a snapshot across a yield: a message expunged meanwhile is left out
// RFC 3501 §6.4.5, §7.4.2, RFC 9738 §3.1

import { Failure } from '../../../base/failure.ts';
import { idOf, type Uid } from '../../../base/ids.ts';
import type { Part } from '../../../message/part.ts';
import { decodeStructure } from '../../../message/structure.ts';
import { SEEN } from '../../../store/flags.ts';
import { storeFlags } from '../../../store/flags-change.ts';
import type { UidRange } from '../../../store/mailbox-key.ts';
import {
  flagsBetween,
  type MailboxMessage,
  type MessageFlags,
  messagesBetween,
  summariesBetween,
  wholesBetween,
} from '../../../store/messages.ts';
import {
  type FetchAttribute,
  type FetchCommand,
  type FetchContent,
  parseFetch,
} from '../../../wire/imap/commands/fetch.ts';
import { emailObjectId } from '../../../wire/imap/object-id.ts';
import { partialPositions } from '../../../wire/imap/partial-range.ts';
import { encodeBody, encodeBodyStructure } from '../../../wire/imap/responses/body-structure.ts';
import { encodeStoredEnvelope } from '../../../wire/imap/responses/envelope.ts';
import { encodeInternalDateItem, encodeModseqItem, encodeSaveDateItem } from '../../../wire/imap/responses/fetch.ts';
import { type NumberSet, rangesOf } from '../../../wire/imap/values.ts';
import type { ImapConversation } from '../conversation.ts';
import { type FetchedContent, fetchedContent } from '../fetched-content.ts';
import type { Budget } from '../fetched-section.ts';
import { type FlagAttribute, flagLines } from '../flag-lines.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { countPositions, type PositionRange, slicePositions } from '../mailbox-view.ts';
import { checkCountLimit, type Limited, limitedReply, limitMessages } from '../message-limit.ts';
import { accessTo, permittedFlags, whileRightsMove } from '../permitted.ts';
import { no, ok, type TaggedResponse } from '../reply.ts';
import { changedPositions, writeVanishedSince } from '../resync.ts';
import type { SelectedMailbox } from '../selected.ts';

const PAGE_MESSAGES = 500;
/** Of flags alone. */
const FLAG_PAGE_MESSAGES = 2000;
/** A page whose messages become \Seen before they are sent: a client that goes away has not seen many of them. */
const SEEN_PAGE_MESSAGES = 50;
/** Messages whose bytes are read at once, and how many bytes that may be. */
const BATCH_MESSAGES = 16;
const BATCH_BYTES = 1024 * 1024;

export const fetch: CommandDefinition<FetchCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseFetch,
  async run(command, session) {
    if (command.attributes.has('MODSEQ')) session.enable('CONDSTORE');
    if (command.vanished) await writeVanished(command, session);
    const fetcher = new Fetcher(command, session);
    const { positions, code } = await meantPositions(command, session);
    for (const { from, to } of positions) {
      for (let at = from; at < to && !session.gone; at += fetcher.pageMessages)
        await fetcher.page(at, Math.min(to, at + fetcher.pageMessages));
    }
    return limitedReply(session, fetcher.reply(), code);
  },
};

/** Before the rest. RFC 7162 §3.2.6 */
async function writeVanished({ messages, changedSince }: FetchCommand, session: ImapConversation): Promise<void> {
  const { mailbox } = session;
  if (!session.enabled.has('QRESYNC')) throw new Failure('syntax', 'ENABLE QRESYNC first');
  await writeVanishedSince(session, mailbox, changedSince!, mailbox.uidsOf(messages));
}

async function meantPositions(command: FetchCommand, session: ImapConversation): Promise<Limited> {
  const { messages, partial, changedSince } = command;
  const { mailbox } = session;
  const positions =
    changedSince === undefined
      ? await allPositions(messages, mailbox)
      : mailbox.positionsAmong(messages, await changedPositions(session, mailbox, changedSince));
  if (partial === undefined) return limitMessages(session, mailbox, positions);
  // RFC 9738 §3.1: what is asked for by number is not done in parts.
  checkCountLimit(session, Math.abs(partial.to - partial.from) + 1);
  const part = slicePositions(positions, partialPositions(partial, countPositions(positions)));
  return { positions: part, code: undefined };
}

async function allPositions(messages: NumberSet, mailbox: SelectedMailbox): Promise<readonly PositionRange[]> {
  await mailbox.load(messages);
  return mailbox.positions(messages);
}

/** What is known of a message that is about to be answered. */
type Row = MessageFlags & Partial<MailboxMessage>;

/** How much of each message's row is read. */
type Needs = 'flags' | 'summary' | 'whole' | 'row';

function needsOf({ sections, attributes }: FetchCommand): Needs {
  if (attributes.has('BODY') || attributes.has('BODYSTRUCTURE') || !sections.every(isWhole)) return 'row';
  if (sections.length > 0 || attributes.has('EMAILID')) return attributes.has('ENVELOPE') ? 'row' : 'whole';
  return [...attributes].every((one) => one === 'UID' || one === 'FLAGS' || one === 'MODSEQ') ? 'flags' : 'summary';
}

/** Those of a command that asks for nothing else. */
function flagAttributes(needs: Needs, { attributes }: FetchCommand): readonly FlagAttribute[] | undefined {
  const all = [...attributes];
  return needs === 'flags' && !attributes.has('MODSEQ') ? (all as FlagAttribute[]) : undefined;
}

/** BODY[]: nothing of the structure is asked for. */
function isWhole(item: FetchContent): boolean {
  return 'section' in item && item.section.part.length === 0 && item.section.text === undefined;
}

/** Messages of a page whose bytes are on their way. */
interface Batch {
  readonly rows: readonly Row[];
  readonly fetched: readonly (readonly FetchedContent[])[];
  readonly read: Promise<unknown>;
}

class Fetcher {
  readonly pageMessages: number;
  readonly #command: FetchCommand;
  readonly #session: ImapConversation;
  readonly #mailbox: SelectedMailbox;
  readonly #setsSeen: boolean;
  readonly #needs: Needs;
  readonly #flagAttributes: readonly FlagAttribute[] | undefined;
  #missing = 0;
  #unreadable: Failure | undefined;

  constructor(command: FetchCommand, session: ImapConversation) {
    this.#command = command;
    this.#session = session;
    this.#mailbox = session.mailbox;
    this.#setsSeen = !this.#mailbox.readOnly && command.sections.some(({ peek }) => !peek);
    this.#needs = needsOf(command);
    const isPlain = !session.enabled.has('CONDSTORE') && !session.enabled.has('UIDONLY');
    this.#flagAttributes = isPlain ? flagAttributes(this.#needs, command) : undefined;
    if (this.#setsSeen) this.pageMessages = SEEN_PAGE_MESSAGES;
    else this.pageMessages = this.#flagAttributes === undefined ? PAGE_MESSAGES : FLAG_PAGE_MESSAGES;
  }

  /** The messages at the positions [from, to). */
  async page(from: number, to: number): Promise<void> {
    const lines = this.#flagLines(from, to);
    if (lines === undefined) return this.#rows(from, to);
    this.#session.write(lines);
    await this.#session.breathe();
  }

  #flagLines(from: number, to: number): string | undefined {
    const attributes = this.#flagAttributes;
    return attributes && flagLines(this.#session.door.reader, this.#mailbox, attributes, [from, to]);
  }

  async #rows(from: number, to: number): Promise<void> {
    const { view } = this.#mailbox;
    const range = [view.uidAt(from), view.uidAt(to - 1)] as const;
    const becameSeen = this.#setsSeen ? await this.#markSeen(range) : undefined;
    const rows = this.#read(range, to - from);
    this.#missing += to - from - rows.length;
    let next = this.#ahead(rows, 0);
    for (let at = 0; at < rows.length && !this.#session.gone; at += BATCH_MESSAGES) {
      const batch = next;
      await batch.read;
      // While these go out the bytes of those behind them are read.
      next = this.#ahead(rows, at + BATCH_MESSAGES);
      await this.#respondAll(batch, becameSeen);
    }
    await next.read;
  }

  #read(range: UidRange, limit: number): Row[] {
    const { access } = this.#mailbox;
    const { reader } = this.#session.door;
    switch (this.#needs) {
      case 'flags':
        return flagsBetween(reader, access, range);
      case 'summary':
        return summariesBetween(reader, access, range, limit);
      case 'whole':
        return wholesBetween(reader, access, range, limit);
      case 'row':
        return messagesBetween(reader, access, range, limit);
      default:
        return this.#needs satisfies never;
    }
  }

  /** \Seen for what has it not: the UIDs. Reading goes on where nothing can be written. */
  async #markSeen(range: UidRange): Promise<ReadonlySet<Uid>> {
    const { access } = this.#mailbox;
    const { reader, writer } = this.#session.door;
    const unseen = flagsBetween(reader, access, range)
      .filter(({ flags }) => (flags & SEEN) === 0)
      .map(({ uid }) => uid);
    if (unseen.length === 0) return new Set();
    const ranges = rangesOf(unseen).map(({ first, last }) => [idOf<Uid>(first), idOf<Uid>(last)] as const);
    try {
      const by = { flags: SEEN, keywords: [] };
      await whileRightsMove(async () => {
        const permitted = permittedFlags(this.#session, access);
        if (permitted.may !== undefined && (permitted.may.flags & SEEN) === 0)
          throw new Failure('denied', 'Without the right s nothing becomes seen');
        const now = accessTo(this.#session, access);
        await writer.execute(storeFlags, { ...now, ranges, change: 'add', by, ...permitted });
      });
    } catch (error) {
      if (error instanceof Failure) return new Set();
      throw error;
    }
    return new Set(unseen);
  }

  #ahead(page: readonly Row[], from: number): Batch {
    const rows = page.slice(from, from + BATCH_MESSAGES);
    const budget: Budget = { leftBytes: BATCH_BYTES };
    const fetched = rows.map((row) => this.#sections(row as MailboxMessage));
    // A message that cannot be read says so again when it is its turn.
    const read = Promise.all(fetched.flat().map((section) => section.readAhead(budget))).catch((error) => {
      if (!(error instanceof Failure)) throw error;
    });
    return { rows, fetched, read };
  }

  async #respondAll({ rows, fetched }: Batch, becameSeen: ReadonlySet<Uid> | undefined): Promise<void> {
    for (const [index, row] of rows.entries()) {
      await this.#respond(row, fetched[index]!, becameSeen?.has(row.uid) ?? false);
      const turn = this.#session.breathe();
      if (turn !== undefined) await turn;
      if (this.#session.gone) return;
    }
  }

  #sections(row: MailboxMessage): FetchedContent[] {
    let decoded: Part | undefined;
    const structure = () => (decoded ??= decodeStructure(row.structure));
    return this.#command.sections.map((item) => fetchedContent(item, row, structure, this.#session.door.blobs));
  }

  async #respond(row: Row, sections: readonly FetchedContent[], becameSeen: boolean): Promise<void> {
    const { attributes } = this.#command;
    const items: string[] = [];
    for (const attribute of attributes) if (attribute !== 'MODSEQ') items.push(this.#attribute(attribute, row));
    if (becameSeen && !attributes.has('FLAGS')) items.push(this.#flags(row));
    // RFC 7162 §3.1: once it is switched on, in every response.
    if (this.#session.enabled.has('CONDSTORE')) items.push(encodeModseqItem(row.modseq));
    // After the flags, so that a new keyword is announced before the response begins.
    const announcement = attributes.has('FLAGS') || becameSeen ? this.#mailbox.newKeywords(row.keywords) : '';
    let text = `${announcement}${this.#mailbox.responseHead(row.uid)}${items.join(' ')}`;
    let separator = items.length > 0 ? ' ' : '';
    let isUnderWay = false;
    for (const section of sections) {
      try {
        await section.open();
      } catch (error) {
        if (isUnderWay) return this.#session.abort(error);
        if (!(error instanceof Failure)) throw error;
        this.#unreadable = error;
        return;
      }
      text = await section.write(text + separator, this.#session);
      separator = ' ';
      // A large section was written at once, and all that stood before it.
      isUnderWay ||= text === '';
    }
    this.#session.write(`${text})\r\n`);
  }

  #attribute(attribute: Exclude<FetchAttribute, 'MODSEQ'>, row: Row): string {
    switch (attribute) {
      case 'UID':
        return `UID ${row.uid}`;
      case 'FLAGS':
        return this.#flags(row);
      case 'INTERNALDATE':
        return encodeInternalDateItem(row.internalDate!);
      case 'SAVEDATE':
        return encodeSaveDateItem(row.saved!);
      case 'EMAILID':
        return `EMAILID (${emailObjectId(row.blob!.hash)})`;
      case 'THREADID':
        // RFC 8474 §5.2: a server without it says so for each message.
        return 'THREADID NIL';
      case 'RFC822.SIZE':
        return `RFC822.SIZE ${row.size}`;
      case 'ENVELOPE':
        return `ENVELOPE ${encodeStoredEnvelope(row.header!)}`;
      case 'BODY':
        return `BODY ${encodeBody(decodeStructure(row.structure!))}`;
      case 'BODYSTRUCTURE':
        return `BODYSTRUCTURE ${encodeBodyStructure(decodeStructure(row.structure!))}`;
      default:
        return attribute satisfies never;
    }
  }

  #flags(row: Row): string {
    this.#mailbox.reported(row);
    return this.#mailbox.flagsItem(row);
  }

  reply(): TaggedResponse {
    if (this.#unreadable !== undefined && this.#unreadable.kind !== 'not-found') throw this.#unreadable;
    const isGone = this.#missing > 0 || this.#unreadable !== undefined;
    if (isGone && this.#command.messages.unit === 'sequence')
      return no('Some of the messages no longer exist', 'EXPUNGEISSUED');
    return ok('FETCH completed');
  }
}
