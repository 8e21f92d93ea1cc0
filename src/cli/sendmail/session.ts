// `sendmail -bs`: SMTP on standard input and output, for programs that speak it to a pipe. No server is needed.
//
// In      commands and messages of one local program, which is trusted as `sendmail` trusts it
// Out     replies; a file of the submit folder for each message, synced before its 250
// Never   looks at a recipient: who is refused is reported to the sender. Stands at no port
// Limits  SMTP_LINE_BYTES a line, SENDMAIL_RECIPIENTS_MAX recipients
// RFC 5321 §4.1

import { asFailure, Failure } from '../../base/failure.ts';
import { SENDMAIL_RECIPIENTS_MAX, SMTP_LINE_BYTES } from '../../base/limits.ts';
import type { Envelope, Recipient } from '../../message/envelope.ts';
import { writeTextHead } from '../../transfer/text-form.ts';
import { Framer } from '../../wire/framer.ts';
import { parseCommand, type SmtpCommand } from '../../wire/smtp/commands.ts';
import { DataReader } from '../../wire/smtp/data.ts';
import { parseMailParameters, parseRcptParameters } from '../../wire/smtp/parameters.ts';
import { formatReply } from '../../wire/smtp/replies.ts';
import type { SubmitPlace } from './sendmail.ts';
import { submitFile } from './submit-file.ts';

const OFFERED = ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES', 'DSN', 'SMTPUTF8', 'HELP'];
const EIGHT_BIT = 'An address beyond ASCII is for mail with SMTPUTF8';

interface SessionMail {
  readonly envelope: Omit<Envelope, 'recipients'>;
  readonly recipients: Recipient[];
}

/** Ends with QUIT or with the input. */
export async function sendmailSession(
  input: AsyncIterable<Buffer>,
  place: SubmitPlace,
  print: (text: string) => void,
): Promise<void> {
  const session = new Session(input[Symbol.asyncIterator](), place, print);
  await session.run();
}

class Session {
  readonly #input: AsyncIterator<Buffer>;
  readonly #place: SubmitPlace;
  readonly #print: (text: string) => void;
  readonly #framer = new Framer();
  #hasGreeted = false;
  #mail: SessionMail | undefined;

  constructor(input: AsyncIterator<Buffer>, place: SubmitPlace, print: (text: string) => void) {
    this.#input = input;
    this.#place = place;
    this.#print = print;
  }

  async run(): Promise<void> {
    this.#say(220, undefined, `${this.#place.hostname} ESMTP Waypost`);
    do {
      for (
        let line = this.#framer.line(SMTP_LINE_BYTES);
        line !== undefined;
        line = this.#framer.line(SMTP_LINE_BYTES)
      ) {
        if (line.kind === 'bad-line') this.#say(500, '5.5.2', 'Only CRLF ends a line, and it has 2048 octets at most');
        else if (await this.#answer(line.text)) return;
      }
    } while (await this.#more());
  }

  /** True at the end of the session. */
  async #answer(text: string): Promise<boolean> {
    try {
      return await this.#run(parseCommand(text));
    } catch (error) {
      const failure = asFailure(error);
      if (failure.kind === 'syntax') this.#say(501, '5.5.4', `Syntax: ${failure.message}`);
      else if (failure.kind === 'unsupported') this.#say(555, '5.5.4', failure.message);
      else if (failure.kind === 'invalid') this.#say(553, '5.1.3', failure.message);
      else this.#say(451, '4.3.0', failure.message);
      return false;
    }
  }

  async #run(command: SmtpCommand): Promise<boolean> {
    const { hostname } = this.#place;
    switch (command.verb) {
      case 'EHLO':
      case 'HELO':
        this.#hasGreeted = true;
        this.#mail = undefined;
        this.#say(250, undefined, hostname, ...(command.verb === 'EHLO' ? OFFERED : []));
        return false;
      case 'MAIL':
        this.#begin(command);
        return false;
      case 'RCPT':
        this.#recipient(command);
        return false;
      case 'DATA':
        await this.#data();
        return false;
      case 'RSET':
        this.#mail = undefined;
        this.#say(250, '2.0.0', 'Reset');
        return false;
      case 'NOOP':
        this.#say(250, '2.0.0', 'Ok');
        return false;
      case 'VRFY':
        this.#say(252, '2.5.2', 'Send the message and see');
        return false;
      case 'HELP':
        this.#say(214, '2.0.0', 'EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT');
        return false;
      case 'QUIT':
        this.#say(221, '2.0.0', `${hostname} closing connection`);
        return true;
      default:
        this.#say(500, '5.5.1', 'Command unknown');
        return false;
    }
  }

  #begin({ sender, parameters, isEightBit }: Extract<SmtpCommand, { verb: 'MAIL' }>): undefined {
    if (!this.#hasGreeted) return this.#say(503, '5.5.1', 'EHLO or HELO first');
    if (this.#mail !== undefined) return this.#say(503, '5.5.1', 'MAIL was given already: RSET first');
    const { sizeBytes, ...words } = parseMailParameters(parameters, { now: Date.now(), isAuthor: true });
    if (isEightBit && words.isUtf8 !== true) return this.#say(553, '5.6.7', EIGHT_BIT);
    this.#mail = { envelope: { sender, ...words }, recipients: [] };
    return this.#say(250, '2.1.0', 'Sender ok');
  }

  #recipient({ recipient, written, parameters, isEightBit }: Extract<SmtpCommand, { verb: 'RCPT' }>): undefined {
    if (this.#mail === undefined) return this.#say(503, '5.5.1', 'MAIL first');
    const { recipients, envelope } = this.#mail;
    if (isEightBit && envelope.isUtf8 !== true) return this.#say(553, '5.6.7', EIGHT_BIT);
    const asked = parseRcptParameters(parameters);
    if (recipients.length >= SENDMAIL_RECIPIENTS_MAX) return this.#say(452, '4.5.3', 'Too many recipients');
    recipients.push({ address: recipient, original: written, ...asked });
    return this.#say(250, '2.1.5', 'Recipient ok');
  }

  /** `<postmaster>` alone is this host's. */
  async #data(): Promise<void> {
    const mail = this.#mail;
    if (mail === undefined) return this.#say(503, '5.5.1', 'MAIL and RCPT first');
    if (mail.recipients.length === 0) return this.#say(554, '5.5.1', 'No valid recipients');
    this.#say(354, undefined, 'Send the message, end with a dot on a line of its own');
    this.#mail = undefined;
    const reader = new DataReader();
    let failure: unknown;
    const name = await submitFile(this.#place.folder, async (put) => {
      put(writeTextHead({ envelope: { ...mail.envelope, recipients: mail.recipients } }));
      await this.#read(reader, (bytes) => {
        // All of it is read, whatever becomes of it.
        try {
          if (failure === undefined) put(bytes);
        } catch (error) {
          failure = error;
        }
      });
      if (failure !== undefined) throw failure;
      if (reader.bad !== undefined) throw new BadMessage();
    }).catch((error: unknown) => {
      if (!(error instanceof BadMessage)) throw error;
    });
    if (name === undefined) this.#say(550, '5.6.0', 'Bare CR, bare LF and NUL are not allowed in a message');
    else this.#say(250, '2.0.0', `handed in as ${name}`);
  }

  async #read(reader: DataReader, put: (bytes: Buffer) => void): Promise<void> {
    do {
      for (let chunk = this.#framer.chunk(); chunk !== undefined; chunk = this.#framer.chunk()) {
        const { runs, rest } = reader.push(chunk);
        for (const run of runs) put(run);
        if (rest === undefined) continue;
        this.#framer.putBack(rest);
        return;
      }
    } while (await this.#more());
    throw new Failure('unavailable', 'the input ends within a message');
  }

  async #more(): Promise<boolean> {
    const next = await this.#input.next();
    if (next.done === true) return false;
    this.#framer.push(next.value);
    return true;
  }

  #say(code: number, enhanced: string | undefined, ...lines: readonly string[]): undefined {
    this.#print(formatReply(code, enhanced, ...lines));
  }
}

class BadMessage extends Error {}
