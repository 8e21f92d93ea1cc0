// One SMTP conversation, from greeting to QUIT: which command may come when, and what is answered.
//
// In      command lines; message data in chunks
// Out     replies; each whole message is submitted (transfer/submit.ts)
// States  connected -> greeted -> (authenticated) -> mail -> recipients -> data -> greeted; closed. STARTTLS: connected again
// Limits  line 2 KiB, 1000 recipients, 20 errors, 5 minutes a command, 1 minute to the first one; see base/limits.ts
// Never   looks at tables or SQL; decides no routing; reads on while the peer does not read
// LMTP    the same with LHLO, without AUTH and STARTTLS, and a reply a recipient behind the dot; only from this machine
// RFC 5321 §3.3 §4.1.1 §4.5.3, RFC 2920, RFC 3030, RFC 4954, RFC 3207, RFC 2033

import type { Duplex } from 'node:stream';
import type { MailLogin } from '../../auth/login-directory.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import { asFailure } from '../../base/failure.ts';
import { LOGIN_END_MS, SMTP_LINE_BYTES } from '../../base/limits.ts';
import { LOGIN_IS_OVER } from '../../directory/caller.ts';
import { Connection, type ConnectionRecord } from '../../net/connection.ts';
import { startTls } from '../../net/start-tls.ts';
import { Framer, type Line } from '../../wire/framer.ts';
import { parseCommand, type SmtpCommand } from '../../wire/smtp/commands.ts';
import { formatReply } from '../../wire/smtp/replies.ts';
import { authenticate } from './commands/auth.ts';
import { bdat } from './commands/bdat.ts';
import { data } from './commands/data.ts';
import { ehlo, helo } from './commands/hello.ts';
import { mail } from './commands/mail.ts';
import { rcpt } from './commands/rcpt.ts';
import { starttls } from './commands/starttls.ts';
import { xclient } from './commands/xclient.ts';
import type { MailTransaction, SmtpConversation } from './conversation.ts';
import type { SmtpDoor } from './door.ts';
import { failureStatus } from './errors.ts';

export class SmtpSession implements SmtpConversation {
  readonly door: SmtpDoor;
  readonly connection: Connection<Framer>;
  readonly isSubmission: boolean;
  mayIntroduce: boolean;
  readonly isLmtp: boolean;
  /** Why the server ends it. */
  #farewell: readonly [code: number, enhanced: string, text: string] | undefined;
  #errors = 0;
  helloName: string | undefined;
  isExtended = false;
  #login: StandingLogin<MailLogin> | undefined;
  #transaction: MailTransaction | undefined;
  /** Says that the client it speaks for has gone. */
  #left: (() => void) | undefined;
  refusedRecipients = 0;
  failedLogins = 0;

  constructor(door: SmtpDoor, socket: Duplex, record: ConnectionRecord) {
    this.door = door;
    this.isSubmission = record.listener === 'submission' || record.listener === 'submissions';
    this.isLmtp = record.listener === 'lmtp';
    this.mayIntroduce = !this.isLmtp && door.speaksForOthers(record);
    this.connection = new Connection(socket, record, () => new Framer());
    this.connection.deadline(door.limits.loginTimeoutMs, this.#late);
  }

  /** From greeting to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    this.greet();
    do {
      for (let line = this.#nextLine(SMTP_LINE_BYTES); line !== undefined; line = this.#nextLine(SMTP_LINE_BYTES)) {
        const pending = this.#answer(line);
        if (pending !== undefined) await pending.catch((error: unknown) => this.#fail(error));
        const turn = this.connection.breathe();
        if (turn !== undefined) await turn;
        // The time that a command took is not counted as silence of the peer.
        if (pending !== undefined || turn !== undefined) this.touch();
      }
    } while (await this.more());
    this.transaction = undefined;
    if (this.#farewell !== undefined) this.close(...this.#farewell);
    this.connection.end();
  }

  greet(): undefined {
    this.reply(220, undefined, `${this.door.hostname(this.record)} ${this.isLmtp ? 'LMTP' : 'ESMTP'} Waypost`);
  }

  introduce(client: ConnectionRecord, closed: () => void): void {
    this.connection.speakFor(client);
    // It counts for one client at a time.
    this.#left?.();
    if (this.#left === undefined) this.connection.onClose(() => this.#left?.());
    this.#left = closed;
    this.refusedRecipients = 0;
  }

  #nextLine(maxBytes: number): Line | undefined {
    if (this.#farewell !== undefined || this.connection.gone) return undefined;
    const line = this.connection.framer.line(maxBytes);
    if (line !== undefined) this.touch();
    return line;
  }

  async line(maxBytes: number): Promise<Line | undefined> {
    for (;;) {
      const line = this.#nextLine(maxBytes);
      if (line !== undefined || !(await this.more())) return line;
    }
  }

  more(): Promise<boolean> {
    return this.#farewell !== undefined ? Promise.resolve(false) : this.connection.more();
  }

  get login(): StandingLogin<MailLogin> | undefined {
    return this.#login;
  }

  get transaction(): MailTransaction | undefined {
    return this.#transaction;
  }

  set transaction(next: MailTransaction | undefined) {
    this.#transaction?.message?.receiver.abandon();
    this.#transaction = next;
  }

  loggedIn(login: StandingLogin<MailLogin>): void {
    this.#login = login;
    const over = (): void => {
      this.#farewell ??= [421, '4.7.0', `${this.door.hostname(this.record)} ${LOGIN_IS_OVER}`];
      this.connection.endWithin(LOGIN_END_MS);
    };
    this.connection.onClose(login.watch(over));
  }

  async startTls(): Promise<void> {
    if (!(await startTls(this.connection, this.door.tls!, this.door.log))) return;
    this.helloName = undefined;
    this.isExtended = false;
    this.transaction = undefined;
  }

  get framer(): Framer {
    return this.connection.framer;
  }

  get record(): ConnectionRecord {
    return this.connection.record;
  }

  #answer(line: Line): Promise<unknown> | undefined {
    if (line.kind === 'bad-line') {
      if (isHttp(line.head)) return this.#refuseHttp();
      const text =
        line.reason === 'too-long' ? 'Line too long' : 'Only CRLF ends a line; NUL, CR and LF alone are not allowed';
      return this.error(500, '5.5.2', text);
    }
    try {
      return this.#run(parseCommand(line.text));
    } catch (error) {
      return this.#fail(error);
    }
  }

  #run(command: SmtpCommand): Promise<unknown> | undefined {
    if (isOfTheOther(command, this.isLmtp)) return this.error(500, '5.5.1', 'Command unknown');
    switch (command.verb) {
      case 'EHLO':
      case 'LHLO':
        return ehlo(this, command.name);
      case 'HELO':
        return helo(this, command.name);
      case 'MAIL':
        return mail(this, command);
      case 'RCPT':
        return rcpt(this, command);
      case 'DATA':
        return data(this);
      case 'BDAT':
        return bdat(this, command);
      case 'AUTH':
        return authenticate(this, command);
      case 'STARTTLS':
        return starttls(this);
      case 'XCLIENT':
        return this.isLmtp ? this.error(500, '5.5.1', 'Command unknown') : xclient(this, command);
      case 'RSET':
        this.transaction = undefined;
        return this.reply(250, '2.0.0', 'Reset');
      case 'NOOP':
        return this.reply(250, '2.0.0', 'Ok');
      case 'VRFY':
        return this.reply(252, '2.5.2', 'Send the message and see');
      case 'HELP':
        return this.reply(214, '2.0.0', this.isLmtp ? LMTP_COMMANDS : SMTP_COMMANDS);
      case 'QUIT':
        return this.close(221, '2.0.0', `${this.door.hostname(this.record)} closing connection`);
      case 'unknown':
        if (isHttp(command.name)) return this.#refuseHttp();
        return this.error(500, '5.5.1', 'Command unknown');
      default:
        return command satisfies never;
    }
  }

  /** A browser was made to come here, and the rest of its request may look like commands. */
  #refuseHttp(): undefined {
    return this.close(421, '4.7.0', `${this.door.hostname(this.record)} This is no HTTP server`);
  }

  reply(code: number, enhanced: string | undefined, ...lines: readonly string[]): undefined {
    this.door.countReply(this.record.listener, code);
    this.connection.output.write(formatReply(code, enhanced, ...lines));
  }

  error(code: number, enhanced: string, text: string): undefined {
    if (++this.#errors >= this.door.limits.badCommandsMax)
      return this.close(421, '4.7.0', `${this.door.hostname(this.record)} Too many errors, closing connection`);
    return this.reply(code, enhanced, text);
  }

  /** A refusal that is not counted as the peer's fault, such as that of a recipient that does not exist. */
  #fail(error: unknown): undefined {
    const failure = asFailure(error);
    if (failure.detail !== undefined)
      this.door.log.warn('smtp.fail', { peer: this.record.peerAddress, detail: failure.detail });
    if (failure.kind === 'syntax' || failure.kind === 'unsupported') {
      const [code, enhanced] = failure.kind === 'syntax' ? ([501, '5.5.4'] as const) : ([555, '5.5.4'] as const);
      return this.error(code, enhanced, `Syntax: ${failure.message}`);
    }
    return this.reply(...failureStatus(failure), failure.message);
  }

  touch(atMostMs = Number.POSITIVE_INFINITY): void {
    this.connection.deadline(Math.min(this.door.limits.commandTimeoutMs, atMostMs), this.#late);
  }

  readonly #late = (): void => {
    this.close(421, '4.4.2', `${this.door.hostname(this.record)} Time-out, closing connection`);
  };

  close(code: number, enhanced: string, text: string): undefined {
    if (this.connection.gone) return;
    this.reply(code, enhanced, text);
    this.connection.end();
  }

  /** The server stops: a message that is being accepted gets its answer first. */
  shutDown(): void {
    this.#farewell ??= [421, '4.3.2', `${this.door.hostname(this.record)} Shutting down, try again later`];
    this.connection.wake();
  }
}

const SMTP_COMMANDS = 'EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT AUTH STARTTLS';
const LMTP_COMMANDS = 'LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT';

/** SMTP has no LHLO; LMTP neither greeting of SMTP, and here no login and no TLS. RFC 2033 §4.1 */
function isOfTheOther({ verb }: SmtpCommand, isLmtp: boolean): boolean {
  if (!isLmtp) return verb === 'LHLO';
  return verb === 'EHLO' || verb === 'HELO' || verb === 'AUTH' || verb === 'STARTTLS';
}

function isHttp(head: string): boolean {
  const end = head.indexOf(' ');
  return HTTP_METHODS.has((end < 0 ? head : head.slice(0, end)).toUpperCase());
}

const HTTP_METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'CONNECT']);
