// Submission over HTTPS, put together: it comes in by the main thread.

import type { SubmissionParts } from '../protocols/http/submission.ts';
import { acceptOnceOperation } from '../transfer/accept-once.ts';
import { placeParts } from '../transfer/place-parts.ts';
import { submitOnce, submittedBefore } from '../transfer/submit-once.ts';
import { countAbroad } from './abroad.ts';
import type { MainParts } from './main-parts.ts';

export function httpSubmission(parts: MainParts): SubmissionParts {
  const { configuration, logins, reader, writer, routing, clock, log, shared, certificates, incoming } = parts;
  const { intakes, nextId, submit, signer } = incoming;
  const accept = acceptOnceOperation(placeParts(routing.site));
  const once = { reader, writer, routing, revision: () => shared.routingRevision(), clock, accept };
  return {
    logins,
    routing,
    intakes,
    signer,
    nextId,
    submit,
    submitOnce: (submission, name) => submitOnce(once, submission, name),
    submittedBefore: (name, recipients) => submittedBefore(reader, name, recipients),
    limits: configuration.limits,
    hostname: (record) => certificates.tls.nameFor(record),
    clock,
    log,
    maySendAbroad: countAbroad(shared.useBuckets),
  };
}
