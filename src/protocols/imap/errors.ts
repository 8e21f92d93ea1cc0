// How IMAP reports every failure: kind -> NO or BAD and a response code. RFC 2221, RFC 3501 §7.1, RFC 5530 §3

import { ElsewhereFailure } from '../../auth/decision.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure, type FailureKind } from '../../base/failure.ts';
import { IMAP_LITERAL_BYTES } from '../../base/limits.ts';
import type { ImapFrame } from '../../wire/imap/command-framer.ts';
import type { TaggedResponse } from './reply.ts';

const IMAP_FAILURE = {
  syntax: ['BAD'],
  invalid: ['NO', 'CANNOT'],
  'not-found': ['NO', 'NONEXISTENT'],
  exists: ['NO', 'ALREADYEXISTS'],
  'not-empty': ['NO', 'HASCHILDREN'],
  denied: ['NO', 'NOPERM'],
  unauthenticated: ['NO', 'AUTHENTICATIONFAILED'],
  'not-private': ['NO', 'PRIVACYREQUIRED'],
  throttled: ['NO', 'UNAVAILABLE'],
  'read-only': ['NO'],
  'too-large': ['NO', 'TOOBIG'],
  'too-many': ['NO', 'LIMIT'],
  'over-quota': ['NO', 'OVERQUOTA'],
  conflict: ['NO', 'INUSE'],
  unsupported: ['NO', 'CANNOT'],
  full: ['NO', 'UNAVAILABLE'],
  damaged: ['NO', 'SERVERBUG'],
  unavailable: ['NO', 'UNAVAILABLE'],
} satisfies Record<FailureKind, readonly [status: 'NO' | 'BAD', code?: string]>;

/** A failure with a more precise response code than its kind's, `TRYCREATE` say. */
export class ImapFailure extends Failure {
  readonly responseCode: string;
  constructor(kind: FailureKind, publicText: string, responseCode: string) {
    super(kind, publicText);
    this.responseCode = responseCode;
  }
}

/** Where a right login goes on: any mechanism, at the host that has the mailbox. RFC 2221 §4.1, RFC 5092 §3 */
function referral({ host, label }: ElsewhereFailure): string {
  return `REFERRAL imap://${encodeURIComponent(label)};AUTH=*@${host}/`;
}

type BadFrame = (ImapFrame & { kind: 'bad' })['reason'];

const BAD_FRAMES = {
  'too-long': 'Line too long',
  'bare-lf': 'Line feed without carriage return',
  'bare-cr': 'Carriage return without line feed',
  nul: 'NUL in a command',
  'literal-too-large': 'Literal too large',
} satisfies Record<BadFrame, string>;

/** What is no command, or cannot be read to its end; `head` is how it began. */
export function badFrame(reason: BadFrame, head = ''): Failure {
  if (reason === 'literal-too-large' && /^[^ ]+ +SETMETADATA /i.test(head)) return metadataTooLarge();
  return new Failure(reason === 'literal-too-large' ? 'too-large' : 'syntax', BAD_FRAMES[reason]);
}

/** A value of SETMETADATA. RFC 5464 §4.3 */
export function metadataTooLarge(): Failure {
  return new ImapFailure(
    'too-large',
    `A value can have ${IMAP_LITERAL_BYTES} octets`,
    `METADATA MAXSIZE ${IMAP_LITERAL_BYTES}`,
  );
}

export function replyOf(failure: Failure): TaggedResponse {
  const [status, code] = IMAP_FAILURE[failure.kind] as readonly ['NO' | 'BAD', string?];
  const text = failure instanceof SyntaxFailure ? `Syntax error: ${failure.message}` : failure.message;
  if (failure instanceof ElsewhereFailure) return { status, text, code: referral(failure) };
  return { status, text, code: failure instanceof ImapFailure ? failure.responseCode : code };
}
