// domain pending, approve, refuse, token: domains that messages have named, and the word that they wait for.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { JsonObject } from '../base/json.ts';
import type { Operation } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';
import { dcDnOfDomain, escapeDnValue } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import type { ChangeSummary } from '../provisioning/change.ts';
import { domainTokenName, domainTokenText } from '../provisioning/domain-token.ts';
import { approveDomain, type DecideArguments, refuseDomain } from '../provisioning/pending/decide.ts';
import { evidenceOf, listPending } from '../provisioning/pending/entries.ts';
import { containerDn } from '../routing/containers.ts';
import { type Changed, changedOf } from './changed.ts';
import { dryRun, type EntryParts, named } from './entries.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

const domain = z.string().min(1).max(255);
const decided = z.strictObject({ domain, dryRun });

/** A line of `domain pending`; the keys of its JSON. */
export interface ListedPending {
  readonly domain: string;
  readonly action: 'propose' | 'approve';
  readonly policy: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly seen: number;
  readonly evidence: JsonObject;
}

export const domainPending = ({ reader }: Pick<EntryParts, 'reader'>) =>
  adminOperation('domain.pending', z.strictObject({}), (): ListedPending[] =>
    listPending(reader).map((each) => ({
      domain: each.domain,
      action: each.action,
      policy: each.policy,
      firstSeen: new Date(each.firstSeen).toISOString(),
      lastSeen: new Date(each.lastSeen).toISOString(),
      seen: each.seen,
      evidence: evidenceOf(each),
    })),
  );

export const domainApprove = (parts: EntryParts) =>
  adminOperation('domain.approve', decided, (input, caller) =>
    decide(parts, approveDomain, { ...input, caller, add: `waypost domain add ${input.domain}` }),
  );

export const domainRefuse = (parts: EntryParts) =>
  adminOperation('domain.refuse', decided, (input, caller) =>
    decide(parts, refuseDomain, { ...input, caller, add: undefined }),
  );

interface Asked {
  readonly domain: string;
  readonly dryRun?: boolean | undefined;
  readonly caller: Caller;
  /** What makes it ours although it is not pending. */
  readonly add: string | undefined;
}

async function decide(
  { writer, clock, routing }: EntryParts,
  decision: Operation<DecideArguments, ChangeSummary>,
  { dryRun: isDry = false, caller, add, ...asked }: Asked,
): Promise<Changed> {
  const name = domainOf(asked.domain);
  try {
    const args = { domain: name, caller, now: clock.now(), dryRun: isDry };
    const deciding = writer.execute(decision, args);
    return changedOf(
      await named(deciding, { entryAlreadyExists: `${dcDnOfDomain(name)} exists already, and is no mail domain` }),
      isDry,
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'not-found' || error.ldap !== undefined) throw error;
    throw new Failure('not-found', `${name} is not pending: ${instead(name)}`, { cause: error });
  }

  function instead(pending: string): string {
    if (routing.route(pending) !== undefined)
      return add === undefined
        ? `it is a domain here, waypost domain remove ${pending} ends that`
        : 'it is a domain here already';
    return `see waypost domain pending${add === undefined ? '' : `, or define it: ${add}`}`;
  }
}

export interface DomainToken {
  /** A line of a zone file. */
  readonly record: string;
  readonly name: string;
  readonly text: string;
}

/** What who has the domain publishes, so that the policy takes it. The policy's secret itself is never said. */
export const domainToken = ({ reader }: Pick<EntryParts, 'reader'>) =>
  adminOperation(
    'domain.token',
    z.strictObject({ policy: z.string().min(1).max(255), domain }),
    (input): DomainToken => {
      const own = domainOf(input.domain);
      const entry = findEntry(reader, `cn=${escapeDnValue(input.policy)},${containerDn('policies')}`);
      if (entry === undefined) throw new Failure('not-found', `there is no policy ${input.policy}`);
      const token = textValue(entry, 'waypostmatchtoken');
      if (token === undefined)
        throw new Failure('not-found', `the policy ${input.policy} has no waypostMatchToken: it asks for no record`);
      const name = `${domainTokenName(own)}.`;
      const text = domainTokenText(token, own);
      return { record: `${name} IN TXT "${text}"`, name, text };
    },
  );
