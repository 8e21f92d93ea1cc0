// NOOP. RFC 1939 §5

import type { Pop3Session } from '../session.ts';

export function noop(session: Pop3Session): void {
  session.ok('Nothing done');
}
