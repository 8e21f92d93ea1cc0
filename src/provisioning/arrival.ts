// A message brings its domain: the seed's Fig. 6, from the name received to the record observed.
//
// In      the domain of a RCPT that is not ours, and who sent it
// Out     the domain has arrived: its entries made, its MX record served and observed, its routes there. Or the reply to RCPT
// States  602 name received -> evidence -> 604 entries made -> 606 record served and observed -> arrived
// Limits  EVIDENCE_TIMEOUT_MS for the look-ups, two a name; ARRIVALS_MAX names at once; NEW_DOMAINS_PER_PEER and
//         NEW_DOMAINS_OF_SITE an hour; REFUSALS_MAX refusals remembered
// Never   a name at or below a removed domain (tombstones.ts); a domain whose recipient it would refuse for good
// Twenty messages for one name at once make it once: within a thread they wait for the same promise, across threads the
// transaction finds the domain there.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { asFailure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import { isPermanent, type Reply } from '../base/reply.ts';
import { TENANT } from '../base/tenant.ts';
import { type Operation, operation, type Reader, type Writer } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import { type DirectoryChange, textValues } from '../directory/entry.ts';
import { type Address, isValidDomain } from '../message/address.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { stateIn } from '../routing/generation.ts';
import { replies } from '../routing/replies.ts';
import type { Site } from '../routing/resolve.ts';
import { resolveIn } from '../routing/resolve-in.ts';
import type { RouteRequest } from '../routing/route-request.ts';
import type { RouteRow } from '../routing/rows.ts';
import { routeIn } from '../routing/tables.ts';
import { applyAll } from './change.ts';
import {
  ARRIVALS_MAX,
  arrivalReplies,
  type Candidate,
  candidateOf,
  describeEvidence,
  EVIDENCE_TIMEOUT_MS,
  type Evidence,
  type FromMx,
  isOurs,
  judgeEvidence,
  type MxEvidence,
  NEW_DOMAINS_OF_SITE,
  NEW_DOMAINS_PER_PEER,
  NEW_DOMAINS_WINDOW_MS,
} from './evidence.ts';
import { Refusals } from './refusals.ts';
import { countAllArrivals, countArrivals, noteArrival } from './tables.ts';
import { tombstoneOf, tombstoneOfIn } from './tombstones.ts';
import { ANY_SITE } from './write-options.ts';

export interface ArriveArguments {
  readonly domain: string;
  /** The recipient that the message names, and who asks for it. */
  readonly address: Address;
  readonly request: RouteRequest;
  readonly evidence: MxEvidence;
  /** An IPv6 /64 counts as one: clientOf. */
  readonly peer: string;
  readonly now: number;
}

export type ArriveResult =
  /** `made` is empty when the domain was there already. */
  | {
      readonly result: 'there';
      readonly made: readonly string[];
      readonly revision: Revision;
      /** Its record is somebody else's, and has been seen: it is the evidence. */
      readonly isSeen: boolean;
    }
  /** What the new domain would say to this recipient, for good. */
  | { readonly result: 'no-recipient'; readonly reply: Reply }
  | { readonly result: 'too-many' | 'removed' | 'not-ours' };

/** Entries for all labels that are missing, the domain with its parent's catch-all; in one transaction. */
export function arriveOperation(site: Site): Operation<ArriveArguments, ArriveResult> {
  return operation('provisioning.arrive', async (tx, args): Promise<ArriveResult> => {
    const { domain, address, request, evidence, peer, now } = args;
    const { generation } = await stateIn(tx);
    if ((await routeIn(tx, generation, domain)) !== null)
      return { result: 'there', made: [], revision: tx.revision, isSeen: false };
    // Read again: what was decided by the cache may have changed since.
    const above = new Map<string, RouteRow | null>();
    const labels = domain.split('.');
    for (let at = 1; at < labels.length; at++) {
      const name = labels.slice(at).join('.');
      above.set(name, await routeIn(tx, generation, name));
    }
    const candidate = candidateOf(domain, 'auto', (name) => above.get(name));
    if (candidate === undefined) return { result: 'not-ours' };
    if ((await tombstoneOfIn(tx, domain)) !== undefined) return { result: 'removed' };
    const since = now - NEW_DOMAINS_WINDOW_MS;
    const isTooMany =
      (await countArrivals(tx, TENANT, peer, since)) >= NEW_DOMAINS_PER_PEER ||
      (await countAllArrivals(tx, TENANT, since)) >= NEW_DOMAINS_OF_SITE;
    if (isTooMany) return { result: 'too-many' };
    await noteArrival(tx, { tenant: TENANT, peer, at: now, domain }, since);
    const others = otherExchanges(evidence, site);
    const found = evidence.kind === 'records' ? evidence : undefined;
    const broughtBy = {
      evidence: JSON.stringify({
        mx: (found?.exchanges ?? []).map(({ preference, exchange }) => `${preference} ${exchange}`),
        asked: 'resolver',
        authoritative: false,
        dnssec: found?.dnssec === true,
        at: new Date(now).toISOString(),
        peer,
        sender: request.sender === undefined ? '' : `${request.sender.localPart}@${request.sender.domain}`,
      }),
    };
    const entry = domainEntry(domain, candidate.parent.catchall, others);
    const summary = await applyAll(tx, [entry], SERVER, { now, site: ANY_SITE, broughtBy });
    const { reply } = await resolveIn(tx, address, request, site);
    if (isPermanent(reply)) return tx.rollbackWith<ArriveResult>({ result: 'no-recipient', reply });
    const made = await findEntryIn(tx, entry.dn);
    return {
      result: 'there',
      made: summary.entries.map(({ dn }) => dn),
      revision: summary.revision,
      isSeen: made !== undefined && textValues(made, 'waypostdomainstate')[0] === 'active',
    };
  });
}

/** The less preferred exchanges stay its exchanges: what somebody has arranged for a bad day goes on. */
function otherExchanges(evidence: MxEvidence, site: Site): string[] {
  if (evidence.kind !== 'records') return [];
  return evidence.exchanges
    .filter(({ exchange }) => isValidDomain(exchange) && !isOurs(exchange, site))
    .map(({ preference, exchange }) => `${preference} ${exchange}.`);
}

function domainEntry(domain: string, catchall: string | undefined, exchanges: readonly string[]): DirectoryChange {
  return {
    kind: 'add',
    dn: dcDnOfDomain(domain),
    attributes: [
      { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain'] },
      { name: 'dc', values: [domain.slice(0, domain.indexOf('.'))] },
      ...(catchall === undefined ? [] : [{ name: 'mailDomainCatchallAddress', values: [catchall] }]),
      ...(exchanges.length === 0 ? [] : [{ name: 'mXRecord', values: exchanges }]),
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
  | {
      readonly arrived: false;
      readonly reply: Reply;
      /** The reply is this recipient's alone: others of the domain may be taken. */
      readonly ofRecipient: boolean;
      /** None where nothing has been looked up. */
      readonly steps: readonly ArrivalStep[];
    };

export interface ArrivalParts {
  readonly policy: FromMx;
  readonly cache: RoutingCache;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  /** The MX set of this name as the configured resolver gives it; waited for EVIDENCE_TIMEOUT_MS and no longer. */
  readonly lookUpMx: (domain: string) => Promise<MxEvidence>;
  /** The exchanges in the MX records that our own DNS listener serves for this name; empty when it serves none. */
  readonly publishedMx: (domain: string) => Promise<readonly string[]>;
}

/** The message that names the domain. */
export interface Asking {
  readonly address: Address;
  readonly request: RouteRequest;
  /** Whose new domains are counted: clientOf its address. */
  readonly peer: string;
}

/** One thread's arrivals under way. */
export class Arrivals {
  readonly #parts: ArrivalParts;
  readonly #arriving: Operation<ArriveArguments, ArriveResult>;
  readonly #underWay = new Map<string, Promise<ArrivalOutcome>>();
  readonly #refusals: Refusals;

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
    this.#arriving = arriveOperation(parts.cache.site);
    this.#refusals = new Refusals(parts.clock);
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
   * Never rejects: what could not be found out is a temporary reply.
   */
  async arrive(candidate: Candidate, asking: Asking): Promise<ArrivalOutcome> {
    const { domain } = candidate;
    for (;;) {
      const underWay = this.#underWay.get(domain);
      if (underWay === undefined) break;
      const outcome = await underWay;
      // What was said to another recipient is not said to this one.
      if (outcome.arrived || !outcome.ofRecipient) return outcome;
    }
    const known = this.#refusals.of(domain) ?? this.#buried(domain);
    if (known !== undefined) return refusedUnseen(known);
    if (this.#underWay.size >= ARRIVALS_MAX) return refusedUnseen(arrivalReplies.tooMany);
    const outcome = this.#arrive(candidate, asking).finally(() => this.#underWay.delete(domain));
    this.#underWay.set(domain, outcome);
    return outcome;
  }

  #buried(domain: string): Reply | undefined {
    try {
      return tombstoneOf(this.#parts.reader, domain) === undefined ? undefined : this.#refuse(domain);
    } catch {
      return arrivalReplies.notPublished;
    }
  }

  #refuse(domain: string): Reply {
    this.#refusals.note(domain, replies.relayDenied);
    return replies.relayDenied;
  }

  async #arrive({ domain, parent }: Candidate, { address, request, peer }: Asking): Promise<ArrivalOutcome> {
    const steps = new Steps(this.#parts.clock);
    const refused = (reply: Reply, ofRecipient = false): ArrivalOutcome => ({
      arrived: false,
      reply,
      ofRecipient,
      steps: steps.taken,
    });
    steps.take(602, 'name received', `${domain}, below ${parent.domain}`);

    const evidence = await this.#evidence(domain);
    const verdict = judgeEvidence(evidence, this.#parts.cache.site);
    const why = verdict === 'yes' ? [] : ['no' in verdict ? verdict.no : verdict.unknown];
    steps.take(undefined, 'evidence', [describeEvidence(evidence), ...why].join(': '));
    if (verdict !== 'yes') return refused('no' in verdict ? this.#refuse(domain) : arrivalReplies.noEvidence);

    try {
      const { writer, clock } = this.#parts;
      const asked = { domain, address, request, evidence: evidence.name, peer, now: clock.now() };
      const arrived = await writer.execute(this.#arriving, asked);
      if (arrived.result === 'no-recipient') return refused(arrived.reply, true);
      if (arrived.result !== 'there') return refused(refusalReplies[arrived.result]);
      const { made, revision, isSeen } = arrived;
      const detail = made.length === 0 ? 'the domain was there already' : made.join(' | ');
      steps.take(604, 'entries made', `${detail}, revision ${revision}`);

      if (isSeen) return { arrived: true, steps: steps.taken };
      const published = await within(EVIDENCE_TIMEOUT_MS, this.#parts.publishedMx(domain), []);
      if (!published.some((name) => isOurs(name, this.#parts.cache.site))) return refused(arrivalReplies.notPublished);
      steps.take(606, 'record served and observed', `${domain} MX ${published.join(', ')}`);
      return { arrived: true, steps: steps.taken };
    } catch (error) {
      const { kind } = asFailure(error);
      return refused(kind === 'full' ? arrivalReplies.full : arrivalReplies.notPublished);
    }
  }

  /** Both at once: together they take no longer than one. */
  async #evidence(domain: string): Promise<Evidence> {
    const sibling = `${randomBytes(SIBLING_BYTES).toString('hex')}${domain.slice(domain.indexOf('.'))}`;
    const [ofName, ofSibling] = await Promise.all([this.#mx(domain), this.#mx(sibling)]);
    return { name: ofName, sibling: ofSibling };
  }

  async #mx(domain: string): Promise<MxEvidence> {
    const late: MxEvidence = { kind: 'unavailable', reason: 'time-out' };
    try {
      return await within(EVIDENCE_TIMEOUT_MS, this.#parts.lookUpMx(domain), late);
    } catch (error) {
      return { kind: 'unavailable', reason: asFailure(error).message };
    }
  }
}

/** Of a name that nobody has defined on purpose. */
const SIBLING_BYTES = 8;

const refusalReplies = {
  'too-many': arrivalReplies.tooMany,
  removed: replies.relayDenied,
  'not-ours': replies.relayDenied,
} as const satisfies Partial<Record<ArriveResult['result'], Reply>>;

function refusedUnseen(reply: Reply): ArrivalOutcome {
  return { arrived: false, reply, ofRecipient: false, steps: [] };
}

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

/** What the promise gives, or `late` when that takes longer. A failure of the promise passes through, unless it is late. */
function within<T>(milliseconds: number, promise: Promise<T>, late: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(late), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
