// How DNS reports every failure. RFC 1035 §4.1.1, RFC 6895 §2.3

import type { FailureKind } from '../../base/failure.ts';
import { RCODE } from '../../wire/dns/codes.ts';

export const DNS_FAILURE = {
  syntax: RCODE.FORMERR,
  invalid: RCODE.FORMERR,
  'not-found': RCODE.NXDOMAIN,
  exists: RCODE.SERVFAIL,
  'not-empty': RCODE.SERVFAIL,
  denied: RCODE.REFUSED,
  unauthenticated: RCODE.REFUSED,
  'not-private': RCODE.REFUSED,
  throttled: RCODE.REFUSED,
  'read-only': RCODE.REFUSED,
  'too-large': RCODE.SERVFAIL,
  'too-many': RCODE.SERVFAIL,
  'over-quota': RCODE.SERVFAIL,
  conflict: RCODE.SERVFAIL,
  unsupported: RCODE.NOTIMP,
  full: RCODE.SERVFAIL,
  damaged: RCODE.SERVFAIL,
  unavailable: RCODE.SERVFAIL,
} as const satisfies Record<FailureKind, number>;
