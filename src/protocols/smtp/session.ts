// One SMTP conversation, from greeting to QUIT: which command may come when, and what is answered.
//
// In      command lines; message data in chunks
// Out     replies; for each accepted message one transfer.accept
// States  connected -> greeted -> (authenticated) -> mail -> recipients -> data -> greeted; closed
// Limits  line 2 KiB, 1000 recipients, 20 errors, 5 minutes a command, 1 minute to the first one; see base/limits.ts
// Never   looks at tables or SQL; decides no routing; reads on while the peer does not read
// RFC 5321 §3.3 §4.1.1 §4.5.3, RFC 2920, RFC 4954

import type { Socket } from 'node:net';
import { asFailure } from '../../base/failure.ts';
import { SMTP_AUTH_LINE_BYTES, SMTP_LINE_BYTES } from '../../base/limits.ts';
import type { Address } from '../../message/address.ts';
import type { BodyKind } from '../../message/envelope.ts';
import { type ConnectionRecord, Deadline, Output } from '../../net/connection.ts';
import type { Login } from '../../routing/login.ts';
import { Framer } from '../../wire/framer.ts';
import { parseCommand, type SmtpCommand } from '../../wire/smtp/commands.ts';
import { formatReply } from '../../wire/smtp/replies.ts';
import { authenticate } from './commands/auth.ts';
import { data } from './commands/data.ts';
import { ehlo, helo } from './commands/hello.ts';
import { mail } from './commands/mail.ts';
import { rcpt } from './commands/rcpt.ts';
import type { SmtpDoor } from './door.ts';
import { failureStatus } from './errors.ts';

/** A recipient that got 250. */
export interface SessionRecipient {
  readonly address: Address;
  /** As the client wrote it, without brackets. */
  readonly written: string;
}

/** MAIL was accepted; recipients are being named. */
export interface MailTransaction {
  readonly sender: Address | undefined;
  readonly body: BodyKind;
  readonly recipients: SessionRecipient[];
}

/** Takes over the input until it gives it back. */
export interface InputTaker {
  /** As much of the framer as is there. A promise: nothing is read meanwhile. */
  take(framer: Framer): Promise<void> | undefined;
}

/** Input that waits while a command runs; beyond it the socket is paused. */
const INPUT_WAITING_BYTES = 256 * 1024;
/** Replies that the peer has not taken; with more of them no further command is run. */
const OUTPUT_WAITING_BYTES = 64 * 1024;

export class SmtpSession {
  readonly door: SmtpDoor;
  readonly connection: ConnectionRecord;
  readonly isSubmission: boolean;
  readonly #socket: Socket;
  readonly #framer = new Framer();
  readonly #output: Output;
  readonly #deadline: Deadline;
  #running = false;
  #closed = false;
  #shutsDown = false;
  /** The peer will say no more. */
  #peerIsDone = false;
  #errors = 0;
  #taker: InputTaker | undefined;
  /** The name of EHLO or HELO. */
  helloName: string | undefined;
  isExtended = false;
  login: Login | undefined;
  transaction: MailTransaction | undefined;

  constructor(door: SmtpDoor, socket: Socket, connection: ConnectionRecord) {
    this.door = door;
    this.connection = connection;
    this.isSubmission = connection.listener === 'submission';
    this.#socket = socket;
    this.#output = new Output(socket);
    this.#deadline = new Deadline(() => this.close(421, '4.4.2', `${door.hostname()} Time-out, closing connection`));
    this.#deadline.set(door.limits.loginTimeoutMs);
    // A peer that has said all still hears what became of it.
    socket.allowHalfOpen = true;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#end());
    socket.on('error', () => {});
    socket.on('close', () => this.#gone());
    this.reply(220, undefined, `${door.hostname()} ESMTP Waypost`);
    socket.resume();
  }

  #receive(chunk: Buffer): void {
    this.#framer.push(chunk);
    if (this.#running) {
      if (this.#framer.waitingBytes > INPUT_WAITING_BYTES) this.#socket.pause();
      return;
    }
    this.#advance();
  }

  /** Runs what is there. Commands that settle at once cost no turn of the event loop. */
  #advance(): void {
    while (!this.#running && !this.#closed) {
      const pending = this.#next();
      if (pending === undefined) {
        if (this.#framer.waitingBytes === 0 || this.#starved) break;
        continue;
      }
      this.#running = true;
      pending
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#running = false;
          if (this.#shutsDown) this.shutDown();
          if (!this.#closed) this.touch();
          this.#socket.resume();
          this.#advance();
        });
    }
    if (this.#peerIsDone && !this.#running && !this.#closed) this.#output.end();
  }

  #next(): Promise<void> | undefined {
    if (this.#output.waitingBytes > OUTPUT_WAITING_BYTES) return this.#output.drained();
    return this.#taker === undefined ? this.#command() : this.#taker.take(this.#framer);
  }

  /** What waits is only the beginning of something. */
  #starved = false;

  /** One command line, or nothing when its end has not come. */
  #command(): Promise<void> | undefined {
    this.#starved = false;
    const line = this.#framer.line(SMTP_LINE_BYTES);
    if (line === undefined) {
      this.#starved = true;
      return undefined;
    }
    this.touch();
    if (line.kind === 'bad-line') {
      const text =
        line.reason === 'too-long' ? 'Line too long' : 'Only CRLF ends a line; NUL, CR and LF alone are not allowed';
      this.error(500, '5.5.2', text);
      return undefined;
    }
    try {
      return this.#run(parseCommand(line.text));
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #run(command: SmtpCommand): Promise<void> | undefined {
    switch (command.verb) {
      case 'EHLO':
        return ehlo(this, command.name);
      case 'HELO':
        return helo(this, command.name);
      case 'MAIL':
        return mail(this, command);
      case 'RCPT':
        return rcpt(this, command);
      case 'DATA':
        return data(this);
      case 'AUTH':
        return authenticate(this, command);
      case 'RSET':
        this.transaction = undefined;
        return this.reply(250, '2.0.0', 'Reset');
      case 'NOOP':
        return this.reply(250, '2.0.0', 'Ok');
      case 'VRFY':
        return this.reply(252, '2.5.2', 'Send the message and see');
      case 'HELP':
        return this.reply(214, '2.0.0', 'EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT AUTH');
      case 'QUIT':
        return this.close(221, '2.0.0', `${this.door.hostname()} closing connection`);
      case 'unknown':
        return this.error(500, '5.5.1', 'Command unknown');
      default:
        return command satisfies never;
    }
  }

  reply(code: number, enhanced: string | undefined, ...lines: readonly string[]): undefined {
    this.door.countReply(this.connection.listener, code);
    this.#output.write(formatReply(code, enhanced, ...lines));
  }

  /** A refusal that is the peer's fault: too many of them, and it has to go. */
  error(code: number, enhanced: string, text: string): undefined {
    if (++this.#errors >= this.door.limits.badCommandsMax)
      return this.close(421, '4.7.0', `${this.door.hostname()} Too many errors, closing connection`);
    return this.reply(code, enhanced, text);
  }

  /** A refusal that says nothing about the peer's manners, such as a recipient that does not exist. */
  #fail(error: unknown): void {
    const failure = asFailure(error);
    if (failure.detail !== undefined)
      this.door.log.warn('smtp.fail', { peer: this.connection.peerAddress, detail: failure.detail });
    if (failure.kind === 'syntax' || failure.kind === 'unsupported') {
      const [code, enhanced] = failure.kind === 'syntax' ? ([501, '5.5.4'] as const) : ([555, '5.5.4'] as const);
      this.error(code, enhanced, `Syntax: ${failure.message}`);
      return;
    }
    this.reply(...failureStatus(failure), failure.message);
  }

  /** The next lines are AUTH's, or the message's. */
  takeInput(taker: InputTaker | undefined): void {
    this.#taker = taker;
    this.#starved = false;
  }

  /** Nothing more can be done with what is there. */
  starve(): undefined {
    this.#starved = true;
  }

  /** One line for AUTH, undefined when its end has not come. */
  authLine(framer: Framer): string | undefined {
    const line = framer.line(SMTP_AUTH_LINE_BYTES);
    if (line === undefined) return this.starve();
    // A line that is none is no base64 either: the exchange says so.
    return line.kind === 'bad-line' ? '?' : line.text;
  }

  /** The peer has made progress; `atMostMs` where it has not made enough for a whole period. */
  touch(atMostMs = Number.POSITIVE_INFINITY): void {
    this.#deadline.set(Math.min(this.door.limits.commandTimeoutMs, atMostMs));
  }

  /** Says it and closes; what is still waiting is not read. */
  close(code: number, enhanced: string, text: string): undefined {
    if (this.#closed) return;
    this.reply(code, enhanced, text);
    this.#closed = true;
    this.#deadline.clear();
    this.#output.end();
    // What the peer still sends is thrown away: unread bytes would make the kernel cut off our last words.
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
  }

  /** The server stops: a message that is being accepted gets its answer first. */
  shutDown(): void {
    if (this.#running) this.#shutsDown = true;
    else this.close(421, '4.3.2', `${this.door.hostname()} Shutting down, try again later`);
  }

  #end(): void {
    this.#peerIsDone = true;
    this.#advance();
  }

  onGone: (() => void) | undefined;

  #gone(): void {
    this.#closed = true;
    this.#deadline.clear();
    this.onGone?.();
  }
}
