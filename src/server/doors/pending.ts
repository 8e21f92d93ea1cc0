// Names that wait for a word, in one thread: noted, and what RCPT says of them meanwhile.
//
// In      a name that a policy proposes or wants approved, with what was found
// Out     the verdict: refused, to come again, or taken into custody as far as there is room

import type { Clock } from '../../base/clock.ts';
import type { Writer } from '../../database/operation.ts';
import type { ArrivalParts, ArrivalVerdict, PendingNote } from '../../provisioning/arrival/arrivals.ts';
import { arrivalReplies } from '../../provisioning/arrival/replies.ts';
import { PendingNotes } from '../../provisioning/pending/notes.ts';
import { replyToPending } from '../../provisioning/pending/reply.ts';
import { replies } from '../../routing/replies.ts';

export function createPending(parts: { readonly writer: Writer; readonly clock: Clock }): ArrivalParts['pending'] {
  const notes = new PendingNotes(parts);
  return {
    async note({ domain, policy, action, evidence, now }: PendingNote): Promise<ArrivalVerdict> {
      const { peer } = evidence;
      const hit = { domain, policy: policy.name, action, evidence: JSON.stringify(evidence), peer, now };
      const firstSeen = await notes.note(hit);
      if (firstSeen === 'too-many') return { result: 'foreign', reply: arrivalReplies.tooMany };
      if (firstSeen === 'gone') return { result: 'foreign', reply: replies.domainIsComing };
      if (action === 'approve' && policy.hasCustody === true) return { result: 'custody', waitsFor: domain };
      return { result: 'foreign', reply: replyToPending({ action, firstSeen }, now) };
    },
  };
}
