// A message brings its domain: the seed's Fig. 6, from the name received to the record observed.
//
// In      the domain of a RCPT that is not ours, and who sent it
// Out     a verdict: it has arrived, and its routes are there; it is a foreign domain like any other; or the reply to RCPT
// States  602 name received -> evidence -> 604 entries made -> 606 record served and observed -> arrived
// Order   remembered refusal -> policies -> tombstone -> look-ups -> the policy that decides -> evidence -> off, propose, approve
//         or the transaction (make.ts)
// Limits  limits.ts. A name without a policy costs no look-up and nothing is remembered of it
// Never   a name at or below a removed domain (tombstones.ts); a domain whose recipient it would refuse for good
// Twenty messages for one name at once make it once: within a thread they wait for the same promise, across threads the
// transaction finds the domain there.

import type { Clock } from '../../base/clock.ts';
import { asFailure } from '../../base/failure.ts';
import { isPermanent, type Reply } from '../../base/reply.ts';
import type { Awaitable, Operation, Reader, Writer } from '../../database/operation.ts';
import { findEntry } from '../../directory/entries.ts';
import { textValue } from '../../directory/entry.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { PolicyRow } from '../../routing/compile-policy.ts';
import { replies } from '../../routing/replies.ts';
import type { RouteRequest } from '../../routing/route-request.ts';
import type { RoutingSettings } from '../../routing/settings.ts';
import { decidePolicy } from '../../routing/walk/arrival.ts';
import { authorityOf } from '../../zones/authority.ts';
import { zoneNames } from '../../zones/names.ts';
import { readZoneSettings, type ZoneSite } from '../../zones/settings.ts';
import { tombstoneOf } from '../tombstones.ts';
import {
  chosenPolicy,
  type DomainEvidence,
  describeEvidence,
  domainEvidence,
  judgeEvidence,
  ourExchanges,
} from './evidence.ts';
import { gatherEvidence } from './gather.ts';
import { ARRIVALS_MAX, EVIDENCE_MS, REFUSALS_MS, WAITING_MAX } from './limits.ts';
import { type MakeArguments, type MakeResult, makeOperation } from './make.ts';
import { type AskDns, NameServers } from './name-servers.ts';
import { newRoute } from './new-domain.ts';
import { Refusals } from './refusals.ts';
import { arrivalReplies } from './replies.ts';

/** One numbered step of Fig. 6, or the look-up between two of them. */
export interface ArrivalStep {
  readonly number: 602 | 604 | 606 | undefined;
  readonly step: 'name received' | 'evidence' | 'entries made' | 'record served and observed';
  readonly detail: string;
  /** Since the step before. */
  readonly ms: number;
}

export type ArrivalVerdict =
  /** It is ours now: resolve again. */
  | { readonly result: 'arrived' }
  /** No domain of ours: the reply to who may not relay. `ofRecipient`: of a name that waits, the domain would refuse this one. */
  | { readonly result: 'foreign'; readonly reply: Reply; readonly ofRecipient?: true }
  /** For everybody. `ofRecipient`: the domain would be ours, and would not take this recipient; others it may take. */
  | { readonly result: 'refused'; readonly reply: Reply; readonly ofRecipient?: true }
  /** Taken, and kept until this name is a domain of ours. */
  | { readonly result: 'custody'; readonly waitsFor: string };

/** What the MX record says, for a name that a policy proposes, or that waits for approval. */
export interface PendingNote {
  readonly domain: string;
  readonly policy: PolicyRow;
  readonly action: 'propose' | 'approve';
  readonly evidence: DomainEvidence;
  readonly now: number;
}

export interface ArrivalParts {
  readonly cache: RoutingCache;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly site: ZoneSite;
  readonly ask: AskDns;
  /** The exchanges in the MX records that our own DNS listener serves for this name; empty when it serves none. */
  readonly publishedMx: (domain: string) => Promise<readonly string[]>;
  /** Who keeps the names that wait. */
  readonly pending: { note(note: PendingNote): Promise<ArrivalVerdict> };
  /** Gets the steps of each arrival for which something was looked up. */
  readonly arrived: (domain: string, peer: string, verdict: ArrivalVerdict, steps: readonly ArrivalStep[]) => void;
}

/** The message that names the domain. */
export interface Asking {
  readonly address: Address;
  readonly request: RouteRequest;
  /** Whose new domains are counted: clientOf its address. */
  readonly peer: string;
}

const RELAY_DENIED: ArrivalVerdict = { result: 'foreign', reply: replies.relayDenied };

/** One thread's arrivals under way. */
export class Arrivals {
  readonly #parts: ArrivalParts;
  readonly #making: Operation<MakeArguments, MakeResult>;
  readonly #nameServers: NameServers;
  readonly #underWay = new Map<string, Promise<ArrivalVerdict>>();
  readonly #refusals: Refusals;
  /** Names that a policy proposes, or that wait for approval, with what was found; until when that is good. */
  readonly #waiting = new Map<string, Omit<PendingNote, 'now'> & { readonly until: number }>();
  /** What was remembered under. */
  #settings: RoutingSettings | undefined;

  constructor(parts: ArrivalParts) {
    this.#parts = parts;
    this.#making = makeOperation(parts.cache.site, parts.site);
    this.#nameServers = new NameServers(parts.ask, parts.clock);
    this.#refusals = new Refusals(parts.clock);
  }

  /**
   * May this foreign domain become ours by a message, and has it? No promise where nothing has to be looked up. Never rejects:
   * what could not be found out is a temporary reply. The domain in lower case, as Resolution's smtp target has it.
   */
  arrive(asking: Asking): Awaitable<ArrivalVerdict> {
    const { cache, reader } = this.#parts;
    const { domain } = asking.address;
    const settings = cache.settings();
    if (settings !== this.#settings) {
      this.#refusals.forgetAll();
      this.#waiting.clear();
    }
    this.#settings = settings;
    if (this.#refusals.has(domain)) return RELAY_DENIED;
    // A domain without mail in somebody else's zone is foreign, and defined.
    if (cache.route(domain)?.isWithoutMail === true) return RELAY_DENIED;
    const policies = decidePolicy(domain, { settings, routeOf: (name) => cache.route(name) }, cache.site);
    const [first] = policies;
    if (first === undefined || (first.action === 'off' && first.hasToken !== true)) return RELAY_DENIED;
    try {
      if (tombstoneOf(reader, domain) !== undefined) return this.#refuse(domain);
    } catch {
      return { result: 'foreign', reply: replies.domainIsComing };
    }
    const waiting = this.#waiting.get(domain);
    if (waiting !== undefined && waiting.until > this.#parts.clock.monotonic()) return this.#noteAgain(waiting, asking);
    return this.#join(asking, policies);
  }

  /** Each message counts, and none but the first of some minutes is looked up for. */
  async #noteAgain(waiting: Omit<PendingNote, 'now'>, asking: Asking): Promise<ArrivalVerdict> {
    const { domain, policy, action, evidence } = waiting;
    const { request, peer } = asking;
    const said = { ...evidence, peer, sender: senderOf(request) };
    try {
      return await this.#note({ domain, policy, action, evidence: said, now: this.#parts.clock.now() }, asking);
    } catch (error) {
      return failed(error);
    }
  }

  #wait(note: PendingNote, asking: Asking): Awaitable<ArrivalVerdict> {
    this.#waiting.delete(note.domain);
    if (this.#waiting.size >= WAITING_MAX)
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest);
        break;
      }
    this.#waiting.set(note.domain, { ...note, until: this.#parts.clock.monotonic() + REFUSALS_MS });
    return this.#note(note, asking);
  }

  /** As if its entry were there: for a recipient that it would never have nothing waits. */
  #note(note: PendingNote, { address, request }: Asking): Awaitable<ArrivalVerdict> {
    const { cache, reader, pending } = this.#parts;
    const { domain, policy, action } = note;
    const route = newRoute(reader, { domain, policy: policy.dn }, (name) => cache.route(name));
    const reply = route === undefined ? replies.relayDenied : cache.resolveWith(route, address, request).reply;
    if (!isPermanent(reply)) return pending.note(note);
    return { result: 'foreign', reply: action === 'propose' ? replies.relayDenied : reply, ofRecipient: true };
  }

  async #join(asking: Asking, policies: readonly PolicyRow[]): Promise<ArrivalVerdict> {
    const { domain } = asking.address;
    for (;;) {
      const underWay = this.#underWay.get(domain);
      if (underWay === undefined) break;
      const verdict = await underWay;
      // What was said to another recipient is not said to this one.
      if (!('ofRecipient' in verdict)) return verdict;
    }
    if (this.#underWay.size >= ARRIVALS_MAX) return { result: 'foreign', reply: arrivalReplies.tooMany };
    const verdict = this.#arrive(asking, policies).finally(() => this.#underWay.delete(domain));
    this.#underWay.set(domain, verdict);
    return verdict;
  }

  #refuse(domain: string): ArrivalVerdict {
    this.#refusals.note(domain);
    return RELAY_DENIED;
  }

  async #arrive(asking: Asking, policies: readonly PolicyRow[]): Promise<ArrivalVerdict> {
    const { domain } = asking.address;
    const steps = new Steps(this.#parts.clock);
    steps.take(602, 'name received', `${domain}, policy ${policies.map(({ name }) => name).join(', ')}`);
    const verdict = await this.#decide(asking, policies, steps);
    this.#parts.arrived(domain, asking.peer, verdict, steps.taken);
    return verdict;
  }

  async #decide(
    { address, request, peer }: Asking,
    policies: readonly PolicyRow[],
    steps: Steps,
  ): Promise<ArrivalVerdict> {
    const { domain } = address;
    const { clock, reader } = this.#parts;
    try {
      const { isBelowOurs, ours } = this.#place(domain);
      const evidence = await gatherEvidence(
        { ...this.#parts, nameServers: this.#nameServers },
        {
          domain,
          isBelowOurs,
          wantsSibling: policies.some(({ allowsWildcard }) => allowsWildcard !== true),
          wantsToken: policies.some(({ hasToken }) => hasToken === true),
        },
      );
      const found = describeEvidence(evidence);
      const policy = chosenPolicy(domain, policies, evidence.token, ({ dn }) => {
        const entry = findEntry(reader, dn);
        return entry && textValue(entry, 'waypostmatchtoken');
      });
      const verdict =
        policy === undefined
          ? { no: 'no policy holds for it' }
          : 'unknown' in policy
            ? policy
            : judgeEvidence(policy, evidence, ours);
      const why = verdict === 'yes' ? [] : ['no' in verdict ? verdict.no : verdict.unknown];
      steps.take(undefined, 'evidence', [found, ...why].join(': '));
      if (verdict !== 'yes') {
        if ('no' in verdict) return this.#refuse(domain);
        return { result: 'foreign', reply: arrivalReplies.noEvidence } as const;
      }
      const { action } = policy as PolicyRow & { readonly action: Exclude<PolicyRow['action'], 'off'> };
      const now = clock.now();
      const said = domainEvidence(evidence, { peer, sender: senderOf(request), now });
      const decided = { domain, policy: policy as PolicyRow, evidence: said, now };
      if (action !== 'auto') return await this.#wait({ ...decided, action }, { address, request, peer });
      return await this.#make({ ...decided, address, request }, steps);
    } catch (error) {
      return failed(error);
    }
  }

  /** Where the name lies, and who could take its mail. */
  #place(domain: string): { readonly isBelowOurs: boolean; readonly ours: ReadonlySet<string> } {
    const { reader, site } = this.#parts;
    return reader.snapshot(() => {
      const settings = readZoneSettings(reader, site);
      const { authority, zone } = authorityOf(domain, zoneNames(reader), settings);
      return {
        isBelowOurs: authority === 'ours' && zone !== undefined && zone !== domain,
        ours: ourExchanges(settings),
      };
    });
  }

  async #make(args: MakeArguments, steps: Steps): Promise<ArrivalVerdict> {
    const { domain } = args;
    const made = await this.#parts.writer.execute(this.#making, args);
    switch (made.result) {
      case 'no-recipient':
        return { result: 'refused', reply: made.reply, ofRecipient: true };
      case 'removed':
        return this.#refuse(domain);
      case 'too-many':
        return { result: 'foreign', reply: arrivalReplies.tooMany };
      case 'changed':
        return { result: 'foreign', reply: replies.domainIsComing };
    }
    const entries = made.made.length === 0 ? 'the domain was there already' : made.made.join(' | ');
    steps.take(604, 'entries made', `${entries}, revision ${made.revision}`);
    if (made.state === 'coming') return { result: 'refused', reply: replies.domainIsComing };
    if (made.state === 'served') {
      const published = await within(EVIDENCE_MS, this.#parts.publishedMx(domain), []);
      if (published.length === 0) return { result: 'refused', reply: replies.domainIsComing };
      steps.take(606, 'record served and observed', `${domain} MX ${published.join(', ')}`);
    }
    return { result: 'arrived' };
  }
}

function senderOf({ sender }: RouteRequest): string {
  return sender === undefined ? '' : formatAddress(sender);
}

function failed(error: unknown): ArrivalVerdict {
  const reply = asFailure(error).kind === 'full' ? arrivalReplies.full : replies.domainIsComing;
  return { result: 'foreign', reply };
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
