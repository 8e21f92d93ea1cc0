// DATA: the message streams into the store, is synced, and is accepted in one transaction. 250 comes after its commit.
// RFC 5321 §4.1.1.4, §4.4, §6.3
//
// Refused  a bare CR, a bare LF or a NUL in the data: 550 5.5.2, and the connection closes, because servers disagree where
//          such a message ends (SMTP smuggling)
// Sender   the login and its addresses are looked at again when the message has come: it may have taken hours
// Too large, or a store without space: the data is read to its end and thrown away, then the refusal is said

import { asFailure, Failure } from '../../../base/failure.ts';
import { idText } from '../../../base/ids.ts';
import { isTemporary } from '../../../base/reply.ts';
import { formatAddress } from '../../../message/address.ts';
import { formatSender } from '../../../message/envelope.ts';
import { findField, parseHeader } from '../../../message/header.ts';
import {
  dateField,
  messageIdField,
  receivedField,
  returnPathField,
  type TransmissionType,
} from '../../../message/trace.ts';
import { Intake, type Preamble, type TakenMessage } from '../../../store/intake.ts';
import { refusalOf } from '../../../transfer/submit.ts';
import { DataReader } from '../../../wire/smtp/data.ts';
import type { MailTransaction, SmtpConversation } from '../conversation.ts';
import { failureStatus } from '../errors.ts';
import { maySend } from './sender.ts';

export function data(session: SmtpConversation): Promise<void> | undefined {
  const { transaction } = session;
  if (transaction === undefined) return session.error(503, '5.5.1', 'MAIL and RCPT first');
  if (transaction.recipients.length === 0) return session.error(554, '5.5.1', 'No valid recipients');
  session.reply(354, undefined, 'Send the message, end with a dot on a line of its own');
  return new MessageReceiver(session, transaction).receive();
}

/** A peer that sends an octet now and then does not hold a connection for ever. */
const SLOWEST_BYTES_A_SECOND = 100;

class MessageReceiver {
  readonly #session: SmtpConversation;
  readonly #transaction: MailTransaction;
  readonly #reader = new DataReader();
  readonly #intake: Intake;
  readonly #startedAt: number;
  readonly #startedMs = performance.now();
  #received = 0;
  /** Why the message will not be taken, known before its end. */
  #refusal: Failure | undefined;

  constructor(session: SmtpConversation, transaction: MailTransaction) {
    this.#session = session;
    this.#transaction = transaction;
    this.#startedAt = session.door.clock.now();
    this.#intake = new Intake(session.door.intakes, session.door.nextId(), (head) => this.#preamble(head));
  }

  /** All of the message, to its end; nothing is left of one that breaks off. */
  async receive(): Promise<void> {
    const session = this.#session;
    do {
      const { framer } = session;
      for (let chunk = framer.chunk(); chunk !== undefined; chunk = framer.chunk()) {
        this.#received += chunk.length;
        const due = session.door.limits.commandTimeoutMs + (this.#received * 1000) / SLOWEST_BYTES_A_SECOND;
        session.touch(this.#startedMs + due - performance.now());
        const { runs, rest } = this.#reader.push(chunk);
        if (rest !== undefined) framer.putBack(rest);
        const pending = this.#write(runs);
        if (pending !== undefined) await pending;
        if (rest !== undefined) return this.#end();
      }
    } while (await session.more());
    this.#intake.abandon();
  }

  #write(runs: readonly Buffer[]): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    for (const run of runs) {
      if (this.#refusal !== undefined) break;
      if (this.#reader.bad !== undefined)
        this.#refuse(new Failure('invalid', 'The message has a bare CR, a bare LF or a NUL'));
      else if (this.#intake.length + run.length > this.#session.door.limits.messageSizeBytes)
        this.#refuse(new Failure('too-large', 'The message is too large'));
      else if (pending === undefined) pending = this.#intake.write(run)?.catch((error: unknown) => this.#refuse(error));
      else pending = pending.then(() => this.#intake.write(run)).catch((error: unknown) => this.#refuse(error));
    }
    return pending;
  }

  #refuse(error: unknown): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = asFailure(error);
    this.#intake.abandon();
  }

  /** The message is taken or refused now, whether or not the peer waits for the answer. */
  async #end(): Promise<void> {
    const session = this.#session;
    session.transaction = undefined;
    if (this.#reader.bad !== undefined) {
      this.#intake.abandon();
      session.close(550, '5.5.2', 'Bare CR, bare LF and NUL are not allowed in a message');
      return;
    }
    try {
      if (this.#refusal !== undefined) throw this.#refusal;
      const taken = await this.#intake.finish(session.door.clock.now());
      try {
        if (!maySend(session, this.#transaction.request.sender)) return this.#intake.abandon();
        await this.#accept(taken);
      } finally {
        taken.pending.settle();
      }
      session.refusedRecipients = 0;
      session.reply(250, '2.0.0', `queued as ${idText(this.#intake.id)}`);
    } catch (error) {
      this.#intake.abandon();
      this.#say(asFailure(error));
    }
  }

  #say(failure: Failure): void {
    const { door, record } = this.#session;
    if (failure.detail !== undefined)
      door.log.warn('smtp.refuse', {
        peer: record.peerAddress,
        queue: idText(this.#intake.id),
        detail: failure.detail,
      });
    this.#session.reply(...failureStatus(failure), failure.message);
  }

  async #accept(taken: TakenMessage): Promise<void> {
    const { door, record } = this.#session;
    const { request, recipients } = this.#transaction;
    const { sender, caller, mayRelay } = request;
    // What the bytes are counts, whatever BODY= said.
    const body = taken.parsed.isEightBit ? '8BITMIME' : '7BIT';
    const { results, delivered, queued } = await door.submit({
      envelope: { sender, recipients, body },
      message: taken,
      caller,
      mayRelay,
      door: request.door,
      peer: request.peer,
      sizeBytes: this.#intake.length,
      refused: 'report',
    });
    const reply = refusalOf(results);
    if (reply !== undefined) throw new Failure(isTemporary(reply) ? 'unavailable' : 'not-found', reply.text, { reply });
    door.log.info('smtp.accept', {
      queue: idText(this.#intake.id),
      peer: record.peerAddress,
      sender: formatSender(sender),
      size: taken.row.blob.length,
      delivered,
      queued,
    });
  }

  #preamble(head: Buffer): Preamble {
    const { door, record, login, helloName } = this.#session;
    const { request, recipients } = this.#transaction;
    let fields = receivedField({
      helloName: helloName ?? 'unknown',
      peerAddress: record.peerAddress,
      hostname: door.hostname(record),
      protocol: transmissionType(this.#session),
      tls: record.tls,
      id: idText(this.#intake.id),
      recipient: recipients.length === 1 ? formatAddress(recipients[0]!.address) : undefined,
      at: this.#startedAt,
    });
    // What an author's program left out; a relay adds nothing. RFC 6409 §8
    if (login !== undefined) {
      const header = parseHeader(head);
      if (findField(header, 'date') === undefined) fields += dateField(this.#startedAt);
      if (findField(header, 'message-id') === undefined)
        fields += messageIdField(idText(this.#intake.id), door.hostname(record));
    }
    return { returnPath: returnPathField(formatSender(request.sender)), fields };
  }
}

function transmissionType({ record, login, isExtended }: SmtpConversation): TransmissionType {
  // TLS has no word without the E of EHLO.
  if (record.tls !== undefined) return login === undefined ? 'ESMTPS' : 'ESMTPSA';
  if (login !== undefined) return 'ESMTPA';
  return isExtended ? 'ESMTP' : 'SMTP';
}
