// SASL as SMTP, IMAP and POP3 carry it, one line of base64 a step: PLAIN and LOGIN.
//
// In      the initial response or none, then the client's lines without CRLF
// Out     a challenge to send, or login name and password to verify, or that the client gave up
// States  start -> (challenge -> line) once or twice -> credentials
// Limits  a line of 12288 characters, a login of 255 octets, a password of 1024
// Never   verifies anything; lets one name act for another
// RFC 4422, RFC 4616, draft-murchison-sasl-login-00

import { isUtf8 } from 'node:buffer';
import { Failure } from '../base/failure.ts';
import { SMTP_AUTH_LINE_BYTES } from '../base/limits.ts';
import { PASSWORD_BYTES_MAX } from './password.ts';

export const SASL_MECHANISMS = ['PLAIN', 'LOGIN'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];

export type SaslStep =
  /** `text` is base64 already, '' for an empty challenge. */
  | { readonly kind: 'challenge'; readonly text: string }
  | { readonly kind: 'credentials'; readonly login: string; readonly password: Buffer }
  | { readonly kind: 'cancelled' };

const LOGIN_BYTES_MAX = 255;

/** In any case; undefined when we do not have it. */
export function findMechanism(name: string): SaslMechanism | undefined {
  const upper = name.toUpperCase();
  return SASL_MECHANISMS.find((mechanism) => mechanism === upper);
}

/** One exchange. Every method throws `syntax` for what does not parse, `unauthenticated` for what is never allowed. */
export class SaslExchange {
  readonly mechanism: SaslMechanism;
  #login: string | undefined;

  constructor(mechanism: SaslMechanism) {
    this.mechanism = mechanism;
  }

  /** `initial` as the command carried it: `=` is an empty response. RFC 4954 §4 */
  start(initial: string | undefined): SaslStep {
    if (initial === undefined) return this.mechanism === 'PLAIN' ? challenge('') : challenge('Username:');
    return this.#respond(initial === '=' ? Buffer.alloc(0) : decodeResponse(initial));
  }

  receive(line: string): SaslStep {
    return line === '*' ? { kind: 'cancelled' } : this.#respond(decodeResponse(line));
  }

  #respond(response: Buffer): SaslStep {
    if (this.mechanism === 'PLAIN') return readPlain(response);
    if (this.#login !== undefined) return { kind: 'credentials', login: this.#login, password: passwordOf(response) };
    this.#login = loginOf(response);
    return challenge('Password:');
  }
}

function challenge(text: string): SaslStep {
  return { kind: 'challenge', text: Buffer.from(text).toString('base64') };
}

/** RFC 4616 §2: [authzid] NUL authcid NUL passwd. */
function readPlain(response: Buffer): SaslStep {
  const first = response.indexOf(0);
  const second = response.indexOf(0, first + 1);
  if (first < 0 || second < 0) throw malformed();
  const authzid = response.subarray(0, first);
  const authcid = response.subarray(first + 1, second);
  const login = loginOf(authcid);
  const password = passwordOf(response.subarray(second + 1));
  if (authzid.length > 0 && !authzid.equals(authcid)) {
    throw new Failure('unauthenticated', 'Acting for another identity is not allowed');
  }
  return { kind: 'credentials', login, password };
}

function loginOf(octets: Buffer): string {
  if (octets.length === 0 || octets.length > LOGIN_BYTES_MAX || octets.includes(0) || !isUtf8(octets))
    throw malformed();
  return octets.toString('utf8');
}

function passwordOf(octets: Buffer): Buffer {
  if (octets.length === 0 || octets.length > PASSWORD_BYTES_MAX || octets.includes(0)) throw malformed();
  return octets;
}

/** Base64 with its padding and nothing else. */
function decodeResponse(line: string): Buffer {
  if (line.length > SMTP_AUTH_LINE_BYTES || line.length % 4 !== 0) throw malformed();
  const octets = Buffer.from(line, 'base64');
  if (octets.toString('base64') !== line) throw malformed();
  return octets;
}

function malformed(): Failure {
  return new Failure('syntax', 'The authentication response is malformed');
}
