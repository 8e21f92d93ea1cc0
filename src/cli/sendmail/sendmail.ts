// `waypost sendmail`, also by a link named `sendmail` or `mailq`: what local programs send mail with.
//
// In      arguments, a message or an SMTP session on standard input, the user's login
// Out     a file of the submit folder a message; the exit code, those of sysexits(3)
// Never   talks to the server for a message, so it works while that is down; says 0 before the file is synced
// -bp and -q are `queue list` and `queue retry --all` of the server.

import { EXIT, exitCode } from '../../base/exit.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { HEADER_BYTES, SENDMAIL_RECIPIENTS_MAX } from '../../base/limits.ts';
import { type Address, parseAddress } from '../../message/address.ts';
import type { Envelope } from '../../message/envelope.ts';
import { writeTextHead } from '../../transfer/text-form.ts';
import { parseSendmail, type SendmailArguments } from './arguments.ts';
import { MessageLines } from './message-lines.ts';
import { addressesIn, authorText, outgoingHeader } from './outgoing-header.ts';
import { sendmailSession } from './session.ts';
import { submitFile } from './submit-file.ts';

export interface SendmailParts {
  readonly input: AsyncIterable<Buffer>;
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Of the user who runs it. */
  readonly login: string;
  /** Where the server of this data directory takes mail in, and what it is called. */
  readonly place: (options: Pick<SendmailArguments, 'data' | 'config'>) => SubmitPlace;
  /** The command line, for -bp and -q. */
  readonly run: (argv: readonly string[]) => Promise<number>;
}

export interface SubmitPlace {
  readonly folder: string;
  readonly hostname: string;
}

const USAGE = `usage: sendmail [options] [recipient ...] < message
  -t          recipients of To, Cc and Bcc too     -i          a line that is a dot is text
  -f, -r      the envelope's sender                -F          the full name for From
  -N -R -V    notify, return, envelope id of RFC 3461         -B  7BIT or 8BITMIME
  -bs         SMTP on standard input and output    -bp         the queue (mailq)
  -q          try the queue now                    -G          add nothing: it was sent before
  -v          say what becomes of it               --data, --config  the server's
`;

/** Gives the exit code. */
export async function sendmail(argv: readonly string[], parts: SendmailParts): Promise<number> {
  if (argv.includes('--help')) {
    parts.print(USAGE);
    return EXIT.done;
  }
  try {
    const asked = parseSendmail(argv);
    switch (asked.mode) {
      case 'list':
        return await parts.run(['queue', 'list', ...located(asked)]);
      case 'retry':
        return await parts.run(['queue', 'retry', '--all', ...located(asked)]);
      case 'session':
        await sendmailSession(parts.input, parts.place(asked), parts.print);
        return EXIT.done;
      case 'message':
        await takeMessage(asked, parts);
        return EXIT.done;
      default:
        return asked.mode satisfies never;
    }
  } catch (error) {
    const failure = asFailure(error);
    parts.complain(`sendmail: ${failure.message}\n`);
    return error instanceof Failure ? exitCode(failure.kind) : EXIT.internal;
  }
}

function located({ data, config }: SendmailArguments): string[] {
  return [...(data === undefined ? [] : ['--data', data]), ...(config === undefined ? [] : ['--config', config])];
}

async function takeMessage(asked: SendmailArguments, parts: SendmailParts): Promise<void> {
  const place = parts.place(asked);
  if (asked.recipients.length === 0 && !asked.isFromHeader)
    throw new Failure('unsupported', 'name a recipient, or say -t to take those of the header');
  const lines = new MessageLines(asked.isDotText);
  const input = messageOf(parts.input, lines);
  const beginning = await readBeginning(input);
  const sender = senderOf(asked, parts.login, place.hostname);
  const author = sender ?? { localPart: parts.login, domain: place.hostname };
  const header = outgoingHeader(beginning, asked.isGateway ? undefined : authorText(author, asked.fullName));
  // Arguments are as the header's octets are.
  const named = asked.recipients.flatMap((text) => addressesIn(Buffer.from(text, 'utf8').toString('latin1')));
  const recipients = [...named, ...(asked.isFromHeader ? header.recipients : [])];
  const head = writeTextHead({ envelope: envelopeOf(asked, sender, unique(recipients, place.hostname)) });
  const name = await submitFile(place.folder, async (put) => {
    put(head);
    put(header.bytes);
    for await (const bytes of input) put(bytes);
  });
  if (asked.isVerbose) parts.complain(`sendmail: handed in as ${name}\n`);
}

async function* messageOf(input: AsyncIterable<Buffer>, lines: MessageLines): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of input) {
    yield Buffer.concat(lines.push(chunk));
    // What follows the dot is read by nobody.
    if (lines.isOver) return;
  }
  yield Buffer.concat(lines.end());
}

/** Up to the end of the header, where that is not too long. */
async function readBeginning(input: AsyncGenerator<Buffer, void, undefined>): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  while (bytes.length < HEADER_BYTES && !bytes.includes('\r\n\r\n')) {
    const next = await input.next();
    if (next.done === true) break;
    bytes = Buffer.concat([bytes, next.value]);
  }
  return bytes;
}

function senderOf({ sender }: SendmailArguments, login: string, hostname: string): Address | undefined {
  if (sender === undefined) return { localPart: login, domain: hostname };
  const bare = sender.startsWith('<') && sender.endsWith('>') ? sender.slice(1, -1) : sender;
  return bare === '' ? undefined : addressOf(bare, hostname);
}

/** A name alone is one of this host. */
function addressOf(text: string, hostname: string): Address {
  try {
    return parseAddress(text.includes('@') ? text : `${text}@${hostname}`);
  } catch {
    throw new Failure('invalid', `${text.slice(0, 100)} is no address`);
  }
}

function unique(recipients: readonly string[], hostname: string): Address[] {
  if (recipients.length === 0) throw new Failure('invalid', 'the message names no recipient');
  if (recipients.length > SENDMAIL_RECIPIENTS_MAX)
    throw new Failure('too-large', `a message has ${SENDMAIL_RECIPIENTS_MAX} recipients at most`);
  return [...new Set(recipients)].map((text) => addressOf(text, hostname));
}

function envelopeOf(asked: SendmailArguments, sender: Address | undefined, addresses: readonly Address[]): Envelope {
  const { notify, ret, envid, body } = asked;
  return {
    sender,
    recipients: addresses.map((address) => (notify === undefined ? { address } : { address, notify })),
    body: body ?? '7BIT',
    ...(ret === undefined ? {} : { ret }),
    ...(envid === undefined ? {} : { envid }),
    ...(isUtf8(sender) || addresses.some(isUtf8) ? { isUtf8: true as const } : {}),
  };
}

function isUtf8(address: Address | undefined): boolean {
  for (const c of address?.localPart ?? '') if (c > '\x7f') return true;
  return false;
}
