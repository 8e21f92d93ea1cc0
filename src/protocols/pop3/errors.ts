// How POP3 reports every failure: kind -> response code. RFC 2449 §8, RFC 3206 §4

import { SyntaxFailure } from '../../base/cursor.ts';
import type { Failure, FailureKind } from '../../base/failure.ts';
import { encodeError, type ResponseCode } from '../../wire/pop3/responses.ts';

const POP3_FAILURE = {
  syntax: undefined,
  invalid: undefined,
  'not-found': undefined,
  exists: undefined,
  'not-empty': undefined,
  denied: 'AUTH',
  unauthenticated: 'AUTH',
  'not-private': 'AUTH',
  throttled: 'SYS/TEMP',
  'read-only': undefined,
  'too-large': undefined,
  'too-many': undefined,
  'over-quota': undefined,
  conflict: 'IN-USE',
  unsupported: undefined,
  full: 'SYS/TEMP',
  damaged: 'SYS/PERM',
  unavailable: 'SYS/TEMP',
} satisfies Record<FailureKind, ResponseCode | undefined>;

export function failureReply(failure: Failure): string {
  const text = failure instanceof SyntaxFailure ? `Syntax error: ${failure.message}` : failure.message;
  return encodeError(text, POP3_FAILURE[failure.kind]);
}
