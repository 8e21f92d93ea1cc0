// NOOP. RFC 1939 §5

import type { Pop3Conversation } from '../conversation.ts';

export function noop(session: Pop3Conversation): undefined {
  session.ok('Nothing done');
}
