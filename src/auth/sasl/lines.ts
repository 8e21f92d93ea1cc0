// A SASL exchange as SMTP, IMAP and POP3 carry it: one line of base64 a step.
//
// In      an exchange, the initial response if the command had one; how to send a challenge, and the client's next line
// Out     the login; undefined when the client is gone
// Limits  a line of SMTP_AUTH_LINE_BYTES
// Errors  `syntax` for what is no base64, `cancelled` for a client that gives up; those of the mechanism
// RFC 4954 §4, RFC 3501 §6.2.2, RFC 5034 §4

import { Failure } from '../../base/failure.ts';
import { SMTP_AUTH_LINE_BYTES } from '../../base/limits.ts';
import type { Line } from '../../wire/framer.ts';
import type { StandingLogin } from '../standing-login.ts';
import { malformed } from './credentials.ts';
import type { SaslExchange } from './mechanism.ts';

export interface SaslLines {
  /** Base64, '' for an empty challenge. */
  readonly challenge: (text: string) => void;
  /** The next line; undefined when none will come. */
  readonly line: () => Promise<Line | undefined>;
}

/** The client has sent `*`. */
export class CancelledFailure extends Failure {
  constructor() {
    super('syntax', 'Authentication cancelled');
  }
}

/** `initial` as the command carried it: `=` is an empty response, blanks alone are none. */
export async function exchangeLines<T>(
  exchange: SaslExchange<T>,
  initial: string | undefined,
  lines: SaslLines,
): Promise<StandingLogin<T> | undefined> {
  const given = initial === undefined ? '' : withoutBlanks(initial);
  const first = given === '' ? undefined : given === '=' ? Buffer.alloc(0) : decode(given);
  let step = await exchange.respond(first);
  while (step.kind === 'challenge' || step.octets !== undefined) {
    lines.challenge(step.octets!.toString('base64'));
    const line = await lines.line();
    if (line === undefined) return undefined;
    const response = decodeLine(line);
    // These protocols cannot carry octets with a success: they are a challenge, and its answer is empty.
    if (step.kind === 'success') return answered(step.login, response);
    step = await exchange.respond(response);
  }
  return step.login;
}

function answered<T>(login: StandingLogin<T>, response: Buffer): StandingLogin<T> {
  if (response.length > 0) throw malformed();
  return login;
}

function decodeLine(line: Line): Buffer {
  if (line.kind === 'bad-line') throw malformed();
  const text = withoutBlanks(line.text);
  if (text === '*') throw new CancelledFailure();
  return decode(text);
}

/** Windows Mail puts a blank too many in front, others leave one at the end: base64 has none that could be meant. RFC 5321 §4.1.1 */
function withoutBlanks(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && line[start] === ' ') start++;
  while (end > start && line[end - 1] === ' ') end--;
  return line.slice(start, end);
}

/** Base64 with its padding and nothing else. */
function decode(text: string): Buffer {
  if (text.length > SMTP_AUTH_LINE_BYTES || text.length % 4 !== 0) throw malformed();
  const octets = Buffer.from(text, 'base64');
  if (octets.toString('base64') !== text) throw malformed();
  return octets;
}
