// What RCPT of a name says that waits for a word.
//
// proposed   as any name that is not ours: somebody may look at it, the sender learns nothing of that
// approve    come again, for ASKED_AGAIN_MS from when it was first seen; then no: it has waited in vain

import { HOUR_MS } from '../../base/duration.ts';
import type { Reply } from '../../base/reply.ts';
import { replies } from '../../routing/replies.ts';
import type { PendingDomain } from './entries.ts';

const ASKED_AGAIN_MS = 4 * HOUR_MS;

export function replyToPending({ action, firstSeen }: Pick<PendingDomain, 'action' | 'firstSeen'>, now: number): Reply {
  if (action === 'approve' && now - firstSeen < ASKED_AGAIN_MS) return replies.waitsForApproval;
  return replies.relayDenied;
}
