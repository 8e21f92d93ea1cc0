// The bytes of a message, from a source that knows where they end, into the store; then it is submitted, and its answer given.
// The same for DATA, for BDAT and for LMTP: they differ in the source and in what they say.
//
// In      chunks of the connection, through the source; the transaction that they belong to
// Out     one answer: what became of each recipient, or why the message was not taken. None for a peer that breaks off
// Sender  the login and its addresses are looked at again when the message has come: it may have taken hours
// Errors  too large, a store without space, an octet that no message may have: all is read to its end and thrown away, then the
//         refusal is said
// RFC 5321 §4.4 §6.3, RFC 3030 §2

import { asFailure, Failure } from '../../../base/failure.ts';
import { idText } from '../../../base/ids.ts';
import { formatAddress } from '../../../message/address.ts';
import { formatSender } from '../../../message/envelope.ts';
import type { TransmissionType } from '../../../message/trace.ts';
import { Intake, type Preamble, type Sign, type TakenMessage } from '../../../store/intake.ts';
import { preambleOf } from '../../../transfer/preamble.ts';
import { refusalOf, type Submitted } from '../../../transfer/submit.ts';
import type { BadData } from '../../../wire/smtp/data.ts';
import type { MailTransaction, SmtpConversation } from '../conversation.ts';
import { maySend } from './sender.ts';

/** Takes a message out of what a connection brings. */
export interface MessageSource {
  push(chunk: Buffer): {
    /** Bytes of the message, in order. */
    readonly runs: readonly Buffer[];
    /** What stands behind, once all that was to come now has come. */
    readonly rest: Buffer | undefined;
    /** With that the message is whole. */
    readonly isEnd: boolean;
  };
  /** Why it cannot be a message. */
  readonly bad: BadData | undefined;
  /** Nothing is to come now. */
  readonly isFilled?: boolean;
}

/** A peer that sends an octet now and then does not hold a connection for ever. */
const SLOWEST_BYTES_A_SECOND = 100;
const EMPTY = Buffer.alloc(0);

/** To be told of bytes as they come: the deadline of the session follows. */
export function paceOf(session: SmtpConversation): (bytes: number) => void {
  const startedMs = performance.now();
  let received = 0;
  return (bytes) => {
    received += bytes;
    const due = session.door.limits.commandTimeoutMs + (received * 1000) / SLOWEST_BYTES_A_SECOND;
    session.touch(startedMs + due - performance.now());
  };
}

export class MessageReceiver {
  readonly #session: SmtpConversation;
  readonly #transaction: MailTransaction;
  readonly #source: MessageSource;
  readonly #answer: (submitted: Submitted | Failure) => void;
  readonly #intake: Intake;
  readonly #startedAt: number;
  /** Why the message will not be taken, known before its end. */
  #refusal: Failure | undefined;

  constructor(
    session: SmtpConversation,
    transaction: MailTransaction,
    { source, answer }: { readonly source: MessageSource; readonly answer: (submitted: Submitted | Failure) => void },
  ) {
    this.#session = session;
    this.#transaction = transaction;
    this.#source = source;
    this.#answer = answer;
    this.#startedAt = session.door.clock.now();
    const mayBeSigned = session.login !== undefined && transaction.leaves;
    const preamble = (head: Buffer): Preamble => this.#preamble(head);
    this.#intake = new Intake(session.door.intakes, session.door.nextId(), preamble, { mayBeSigned });
  }

  get refusal(): Failure | undefined {
    return this.#refusal;
  }

  /**
   * What is to come now, to its end; with the end of the message its answer. 'broken': the peer has left, and nothing is left
   * of what it sent.
   */
  async receive(): Promise<'part' | 'whole' | 'broken'> {
    const session = this.#session;
    const pace = paceOf(session);
    do {
      const { framer } = session;
      for (
        let chunk = this.#source.isFilled === true ? EMPTY : framer.chunk();
        chunk !== undefined;
        chunk = framer.chunk()
      ) {
        pace(chunk.length);
        const { runs, rest, isEnd } = this.#source.push(chunk);
        if (rest !== undefined) framer.putBack(rest);
        const pending = this.#write(runs);
        if (pending !== undefined) await pending;
        if (isEnd) await this.#end();
        if (rest !== undefined) return isEnd ? 'whole' : 'part';
      }
    } while (await session.more());
    this.abandon();
    return 'broken';
  }

  /** The message will not come. */
  abandon(): void {
    this.#intake.abandon();
  }

  #write(runs: readonly Buffer[]): Promise<void> | undefined {
    if (this.#source.bad !== undefined) this.#refuse(notAMessage());
    let pending: Promise<void> | undefined;
    for (const run of runs) {
      if (this.#refusal !== undefined) break;
      if (this.#intake.length + run.length > this.#session.door.limits.messageSizeBytes)
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
    this.#transaction.message = undefined;
    session.transaction = undefined;
    try {
      if (this.#refusal !== undefined) throw this.#refusal;
      const taken = await this.#intake.finish(session.door.clock.now(), 'crlf', this.#signature());
      let submitted: Submitted;
      try {
        if (!maySend(session, this.#transaction.request.sender)) return this.#intake.abandon();
        submitted = await this.#submit(taken);
      } finally {
        taken.pending.settle();
      }
      if (refusalOf(submitted.results) === undefined) this.#accepted(taken, submitted);
      else this.#intake.abandon();
      this.#answer(submitted);
    } catch (error) {
      this.#intake.abandon();
      this.#answer(this.#noted(asFailure(error)));
    }
  }

  /** Of what an account sends to others; of mail of other hosts never. */
  #signature(): Sign | undefined {
    const { door, login, isLmtp } = this.#session;
    const addresses = this.#transaction.leaves && !isLmtp ? login?.now()?.addresses : undefined;
    return addresses && door.signer.signs({ kind: 'account', addresses });
  }

  #noted(failure: Failure): Failure {
    const { door, record } = this.#session;
    if (failure.detail !== undefined)
      door.log.warn('smtp.refuse', {
        peer: record.peerAddress,
        queue: idText(this.#intake.id),
        detail: failure.detail,
      });
    return failure;
  }

  #submit(taken: TakenMessage): Promise<Submitted> {
    const { request, recipients } = this.#transaction;
    const { sender, caller, mayRelay } = request;
    const { parameters, custody } = this.#transaction;
    // What the bytes are counts, whatever BODY= said.
    const body = taken.parsed.isEightBit ? '8BITMIME' : '7BIT';
    return this.#session.door.submit({
      envelope: { sender, recipients, body, ...parameters },
      message: taken,
      caller,
      mayRelay,
      door: request.door,
      peer: request.peer,
      ...(request.channel === undefined ? {} : { channel: request.channel }),
      ...(custody.size === 0 ? {} : { custody: [...custody] }),
      sizeBytes: this.#intake.length,
      // By LMTP each of them is told, and the client makes the report.
      refused: this.#session.isLmtp ? 'return' : 'report',
    });
  }

  #accepted(taken: TakenMessage, { delivered, queued }: Submitted): void {
    const { door, record } = this.#session;
    this.#session.refusedRecipients = 0;
    door.log.info('smtp.accept', {
      queue: idText(this.#intake.id),
      peer: record.peerAddress,
      ...(record.peerName === undefined ? {} : { name: record.peerName }),
      sender: formatSender(this.#transaction.request.sender),
      size: taken.row.blob.length,
      delivered,
      queued,
    });
  }

  #preamble(head: Buffer): Preamble {
    const { door, record, login, helloName } = this.#session;
    const { request, recipients, parameters } = this.#transaction;
    const { isUtf8 } = parameters;
    return preambleOf(head, {
      sender: formatSender(request.sender),
      isSubmission: login !== undefined,
      trace: {
        helloName: helloName ?? 'unknown',
        peerName: record.peerName,
        peerAddress: record.peerAddress,
        hostname: door.hostname(record),
        protocol: transmissionType(this.#session, isUtf8),
        ...(isUtf8 === undefined ? {} : { isUtf8 }),
        tls: record.tls,
        id: idText(this.#intake.id),
        recipient: recipients.length === 1 ? formatAddress(recipients[0]!.address) : undefined,
        at: this.#startedAt,
      },
    });
  }
}

function notAMessage(): Failure {
  const text = 'Bare CR, bare LF and NUL are not allowed in a message';
  return new Failure('invalid', text, { reply: { code: 550, enhanced: '5.6.0', text } });
}

function transmissionType({ record, login, isExtended, isLmtp }: SmtpConversation, isUtf8 = false): TransmissionType {
  if (isLmtp) return isUtf8 ? 'UTF8LMTP' : 'LMTP';
  // TLS has no word without the E of EHLO.
  const secure = record.tls === undefined ? '' : 'S';
  const known = login === undefined ? '' : 'A';
  if (isUtf8) return `UTF8SMTP${secure}${known}`;
  return isExtended || secure !== '' || known !== '' ? `ESMTP${secure}${known}` : 'SMTP';
}
