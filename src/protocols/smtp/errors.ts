// How SMTP reports every failure: kind -> code and enhanced status. RFC 5321 §4.2.3, RFC 3463

import type { Failure, FailureKind } from '../../base/failure.ts';

const SMTP_FAILURE = {
  syntax: [501, '5.5.4'],
  invalid: [553, '5.1.3'],
  'not-found': [550, '5.1.1'],
  exists: [550, '5.3.0'],
  'not-empty': [550, '5.3.0'],
  denied: [550, '5.7.1'],
  unauthenticated: [535, '5.7.8'],
  'not-private': [538, '5.7.11'],
  throttled: [454, '4.7.0'],
  'read-only': [550, '5.7.1'],
  'too-large': [552, '5.3.4'],
  'too-many': [452, '4.5.3'],
  'over-quota': [452, '4.2.2'],
  conflict: [451, '4.3.0'],
  unsupported: [555, '5.5.4'],
  full: [452, '4.3.1'],
  damaged: [451, '4.3.0'],
  unavailable: [451, '4.3.0'],
} as const satisfies Record<FailureKind, readonly [code: number, enhanced: string]>;

/** Routing and accept know the reply itself: a failure that carries one is said with it. */
export function failureStatus(failure: Failure): readonly [code: number, enhanced: string] {
  const { reply } = failure;
  return reply === undefined ? SMTP_FAILURE[failure.kind] : [reply.code, reply.enhanced];
}
