// A message brings its domain: the seed's Fig. 6, from the name received to the record observed.
//
// In      the domain of a RCPT that is not ours, and who sent it
// Out     the domain has arrived: its entries made, its MX record served and observed, its routes there. Or the reply to RCPT
// States  602 name received -> evidence -> 604 entries made -> 606 record served and observed -> arrived
// Limits  EVIDENCE_TIMEOUT_MS for the look-up, ARRIVALS_MAX names at once, NEW_DOMAINS_PER_PEER an hour
// Twenty messages for one name at once make it once: within a thread they wait for the same promise, across threads the
// transaction finds the domain there.

import type { Clock } from '../base/clock.ts';
import { asFailure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import type { Reply } from '../base/reply.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Writer } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { stateIn } from '../routing/generation.ts';
import { replies } from '../routing/replies.ts';
import type { RouteRow } from '../routing/rows.ts';
import { routeIn } from '../routing/tables.ts';
import { applyAll } from './change.ts';
import {
  ARRIVALS_MAX,
  arrivalReplies,
  type Candidate,
  candidateOf,
  EVIDENCE_TIMEOUT_MS,
  type FromMx,
  isOurs,
  type MxEvidence,
  NEW_DOMAINS_PER_PEER,
  NEW_DOMAINS_WINDOW_MS,
  refusalByEvidence,
} from './evidence.ts';
import { countArrivals, noteArrival } from './tables.ts';
import { ANY_SITE } from './write-options.ts';

export interface ArriveArguments {
  readonly domain: string;
  readonly peer: string;
  readonly now: number;
}

export type ArriveResult =
  /** `made` is empty when the domain was there already. */
  | { readonly result: 'there'; readonly made: readonly string[]; readonly revision: Revision }
  | { readonly result: 'no-catch-all' | 'too-many' | 'not-ours' };

/** Entries for all labels that are missing, the domain with its parent's catch-all; in one transaction. */
export const arrive = operation('provisioning.arrive', async (tx, args: ArriveArguments): Promise<ArriveResult> => {
  const { domain, peer, now } = args;
  const { generation } = await stateIn(tx);
  if ((await routeIn(tx, generation, domain)) !== null) return { result: 'there', made: [], revision: tx.revision };
  // Read again: what was decided by the cache may have changed since.
  const above = new Map<string, RouteRow | null>();
  const labels = domain.split('.');
  for (let at = 1; at < labels.length; at++) {
    const name = labels.slice(at).join('.');
    above.set(name, await routeIn(tx, generation, name));
  }
  const candidate = candidateOf(domain, 'auto', (name) => above.get(name));
  if (candidate === undefined) return { result: 'not-ours' };
  const { catchall } = candidate.parent;
  if (catchall === undefined) return { result: 'no-catch-all' };
  const since = now - NEW_DOMAINS_WINDOW_MS;
  if ((await countArrivals(tx, TENANT, peer, since)) >= NEW_DOMAINS_PER_PEER) return { result: 'too-many' };
  await noteArrival(tx, { tenant: TENANT, peer, at: now, domain }, since);
  const summary = await applyAll(tx, [domainEntry(domain, catchall)], SERVER, { now, site: ANY_SITE });
  return { result: 'there', made: summary.entries.map(({ dn }) => dn), revision: summary.revision };
});

function domainEntry(domain: string, catchall: string): DirectoryChange {
  return {
    kind: 'add',
    dn: dcDnOfDomain(domain),
    attributes: [
      { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain'] },
      { name: 'dc', values: [domain.slice(0, domain.indexOf('.'))] },
      { name: 'mailDomainCatchallAddress', values: [catchall] },
    ],
  };
}

/** One numbered step of Fig. 6, or the look-up between two of them. */
export interface ArrivalStep {
  readonly number: 602 | 604 | 606 | undefined;
  readonly step: 'name received' | 'evidence' | 'entries made' | 'record served and observed';
  readonly detail: string;
  /** Since the step before. */
  readonly ms: number;
}

export type ArrivalOutcome =
  | { readonly arrived: true; readonly steps: readonly ArrivalStep[] }
  | { readonly arrived: false; readonly reply: Reply; readonly steps: readonly ArrivalStep[] };

export interface ArrivalParts {
  readonly policy: FromMx;
  readonly cache: RoutingCache;
  readonly writer: Writer;
  readonly clock: Clock;
  /** The MX set of this name as the configured resolver gives it; waited for EVIDENCE_TIMEOUT_MS and no longer. */
  readonly lookUpMx: (domain: string) => Promise<MxEvidence>;
  /** The exchanges in the MX records that our own DNS listener serves for this name; empty when it serves none. */
  readonly publishedMx: (domain: string) => Promise<readonly string[]>;
}

/** One thread's arrivals under way. */
export class Arrivals {
  readonly #parts: ArrivalParts;
  readonly #underWay = new Map<string, Promise<ArrivalOutcome>>();

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
  }

  /**
   * May this foreign domain become ours by a message? Undefined: no, and nothing has to be looked up to say so.
   * `domain` in lower case, as Resolution's smtp target has it.
   */
  candidate(domain: string): Candidate | undefined {
    return candidateOf(domain, this.#parts.policy, (name) => this.#parts.cache.route(name));
  }

  /**
   * Makes the domain ours if its MX records name us. When it has arrived, resolve the recipient again; the routes are there.
   * `peer` is the address whose new domains are counted. Never rejects: what could not be found out is a temporary reply.
   */
  arrive(candidate: Candidate, peer: string): Promise<ArrivalOutcome> {
    const { domain } = candidate;
    const underWay = this.#underWay.get(domain);
    if (underWay !== undefined) return underWay;
    if (this.#underWay.size >= ARRIVALS_MAX)
      return Promise.resolve({ arrived: false, reply: arrivalReplies.tooMany, steps: [] });
    const outcome = this.#arrive(candidate, peer).finally(() => this.#underWay.delete(domain));
    this.#underWay.set(domain, outcome);
    return outcome;
  }

  async #arrive({ domain, parent }: Candidate, peer: string): Promise<ArrivalOutcome> {
    const steps = new Steps(this.#parts.clock);
    const refused = (reply: Reply): ArrivalOutcome => ({ arrived: false, reply, steps: steps.taken });
    steps.take(602, 'name received', `${domain}, below ${parent.domain}`);

    const evidence = await this.#evidence(domain);
    steps.take(undefined, 'evidence', describe(evidence));
    const refusal = refusalByEvidence(evidence, this.#parts.cache.site);
    if (refusal !== undefined) return refused(refusal);

    try {
      const { writer, clock } = this.#parts;
      const arrived = await writer.execute(arrive, { domain, peer, now: clock.now() });
      if (arrived.result !== 'there') return refused(refusalReplies[arrived.result]);
      const { made, revision } = arrived;
      const detail = made.length === 0 ? 'the domain was there already' : made.join(' | ');
      steps.take(604, 'entries made', `${detail}, revision ${revision}`);

      const published = await within(EVIDENCE_TIMEOUT_MS, this.#parts.publishedMx(domain), []);
      if (!published.some((name) => isOurs(name, this.#parts.cache.site))) return refused(arrivalReplies.notPublished);
      steps.take(606, 'record served and observed', `${domain} MX ${published.join(', ')}`);
      return { arrived: true, steps: steps.taken };
    } catch (error) {
      const { kind } = asFailure(error);
      return refused(kind === 'full' ? arrivalReplies.full : arrivalReplies.notPublished);
    }
  }

  async #evidence(domain: string): Promise<MxEvidence> {
    const late: MxEvidence = { kind: 'unavailable', reason: 'time-out' };
    try {
      return await within(EVIDENCE_TIMEOUT_MS, this.#parts.lookUpMx(domain), late);
    } catch (error) {
      return { kind: 'unavailable', reason: asFailure(error).message };
    }
  }
}

const refusalReplies = {
  'no-catch-all': replies.noSuchUser,
  'too-many': arrivalReplies.tooMany,
  'not-ours': replies.relayDenied,
} as const satisfies Record<Exclude<ArriveResult['result'], 'there'>, Reply>;

class Steps {
  readonly #clock: Clock;
  readonly taken: ArrivalStep[] = [];
  #last: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#last = clock.monotonic();
  }

  take(number: ArrivalStep['number'], step: ArrivalStep['step'], detail: string): void {
    const now = this.#clock.monotonic();
    this.taken.push({ number, step, detail, ms: now - this.#last });
    this.#last = now;
  }
}

function describe(answer: MxEvidence): string {
  switch (answer.kind) {
    case 'records':
      return `MX ${answer.exchanges.join(', ')}`;
    case 'none':
      return 'no MX record';
    case 'unavailable':
      return `no answer: ${answer.reason}`;
  }
}

/** What the promise gives, or `late` when that takes longer. A failure of the promise passes through, unless it is late. */
function within<T>(milliseconds: number, promise: Promise<T>, late: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(late), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
