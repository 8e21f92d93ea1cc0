// One domain at one primary: its sets are read, and one update makes of them what is wanted, several where it is too large for one.
//
// In      the zone, the addresses and the key of its primary; what is wanted there, what is ours there
// Out     what is ours there now, and conflicts; or why nothing was done, and whether that is certain
// States  read -> planned -> each part: (intended) -> sent -> acknowledged. Where a set has moved meanwhile all is read again, once.
//         After any part the records are correct, and what was done of it is known
// Limits  addresses in their order, TRY_MS together; READ_AT_ONCE sets; over TCP alone, signed where the primary has a key
// Never   an update without having noted what it adds: after a kill between it and its answer the records are known as ours
// RFC 2136 §3.2 §4, RFC 4592 §2.2.1

import { randomBytes } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import type { AskOptions, DnsClient } from '../net/dns-client.ts';
import { formatEndpoint } from '../net/listen.ts';
import { RCODE, type RecordType, rcodeName } from '../wire/dns/codes.ts';
import { parentName } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import type { TsigKey } from '../wire/dns/tsig.ts';
import type { PublishedRecord } from '../zones/published.ts';
import type { NameServerRow } from '../zones/settings.ts';
import { publishedKey, updateParts } from './parts.ts';
import { type Conflict, dataText, type FoundSet, planUpdate, type RecordSet, setKey, setsToRead } from './plan.ts';

const TRY_MS = 60_000;
const ASK_MS = 5000;
const READ_AT_ONCE = 8;
/** Signatures and proofs beside an alias belong to it. */
const OF_DNSSEC: ReadonlySet<string> = new Set(['TYPE46', 'TYPE47', 'TYPE50']);

export interface Primary {
  readonly client: DnsClient;
  readonly server: NameServerRow;
  readonly key: TsigKey | undefined;
  readonly zone: string;
}

export interface Desired {
  readonly wanted: readonly ResourceRecord[];
  readonly published: readonly PublishedRecord[];
  readonly isForced: boolean;
  /** Notes what an update is to add. False: the domain has moved, nothing is to be sent. */
  readonly intend: (records: readonly PublishedRecord[]) => Promise<boolean>;
}

export type PrimaryOutcome =
  | {
      readonly result: 'done';
      readonly published: readonly PublishedRecord[];
      readonly conflicts: readonly Conflict[];
      readonly added: number;
      readonly removed: number;
    }
  /** It has said no: `published` is what is ours there. Undefined: nothing could be read. */
  | {
      readonly result: 'refused';
      readonly reason: string;
      readonly published?: readonly PublishedRecord[];
    }
  /** No answer: what was sent may have been done. */
  | { readonly result: 'unreachable'; readonly reason: string }
  | { readonly result: 'moved' };

type Failed = Extract<PrimaryOutcome, { readonly result: 'refused' | 'unreachable' }>;

export async function updatePrimary(primary: Primary, desired: Desired): Promise<PrimaryOutcome> {
  let failed: Failed = { result: 'unreachable', reason: `${primary.server.key} has no address` };
  for (const endpoint of primary.server.addresses) {
    const conversation = new Conversation(primary, endpoint);
    const outcome = await conversation.update(desired);
    if (outcome.result !== 'unreachable' || conversation.hasSent) return outcome;
    failed = outcome;
  }
  return failed;
}

class Conversation {
  readonly #primary: Primary;
  readonly #endpoint: NameServerRow['addresses'][number];
  readonly #text: string;
  readonly #endsAt = performance.now() + TRY_MS;
  /** Names for which a wildcard was asked for, with what it gives. */
  readonly #wildcards = new Map<string, readonly string[]>();
  hasSent = false;

  constructor(primary: Primary, endpoint: NameServerRow['addresses'][number]) {
    this.#primary = primary;
    this.#endpoint = endpoint;
    this.#text = formatEndpoint(endpoint.address, endpoint.port);
  }

  async update({ wanted, published, isForced, intend }: Desired): Promise<PrimaryOutcome> {
    const { client, zone, key } = this.#primary;
    const known = new Set(published.map(publishedKey));
    const done = { added: 0, removed: 0 };
    let ours = published;
    let mayBeWildcard = true;
    for (let isLast = false; ; isLast = true) {
      const found = await this.#read(setsToRead(wanted, ours), { known, mayBeWildcard });
      if ('result' in found) return found;
      const plan = planUpdate({ found, wanted, published: ours, isForced });
      let rcode: number = RCODE.NOERROR;
      ours = plan.before;
      try {
        for (const part of updateParts(plan, zone)) {
          const { prerequisites, changes, added, removed, after } = part;
          const unknown = added.filter((record) => !known.has(publishedKey(record)));
          if (unknown.length > 0 && !(await intend(unknown))) return { result: 'moved' };
          for (const record of unknown) known.add(publishedKey(record));
          this.hasSent = true;
          const answer = await client.update(
            this.#endpoint,
            { zone, prerequisites, changes },
            { ...(key && { key }), deadlineMs: this.#left(10_000) },
          );
          if ('unavailable' in answer) return this.#unreachable(answer.unavailable);
          ({ rcode } = answer);
          if (rcode !== RCODE.NOERROR) break;
          ours = after;
          done.added += added.length;
          done.removed += removed;
        }
      } catch (error) {
        if (error instanceof Failure && error.kind === 'too-large')
          return { result: 'refused', reason: error.message, published: ours };
        throw error;
      }
      if (rcode === RCODE.NOERROR) return { result: 'done', published: ours, conflicts: plan.conflicts, ...done };
      const hasMoved = rcode === RCODE.YXRRSET || rcode === RCODE.NXRRSET;
      if (!hasMoved || isLast)
        return { result: 'refused', reason: `${this.#text} said ${rcodeName(rcode)}`, published: ours };
      // What a wildcard seemed to give stands at the name itself.
      mayBeWildcard = rcode !== RCODE.YXRRSET;
    }
  }

  async #read(
    sets: readonly RecordSet[],
    { known, mayBeWildcard }: { readonly known: ReadonlySet<string>; readonly mayBeWildcard: boolean },
  ): Promise<ReadonlyMap<string, FoundSet> | Failed> {
    const found = new Map<string, FoundSet>();
    for (let at = 0; at < sets.length; at += READ_AT_ONCE) {
      const some = sets.slice(at, at + READ_AT_ONCE);
      const read = await Promise.all(some.map((set) => this.#readSet(set)));
      for (const [index, set] of some.entries()) {
        const each = read[index]!;
        if ('result' in each) return each;
        const isForeign = [...each.records, ...each.beside].some(
          (record) => !known.has(`${set.name} ${record.type} ${dataText(record)}`),
        );
        const isMade = mayBeWildcard && isForeign ? await this.#isFromWildcard(set, each) : false;
        if (typeof isMade !== 'boolean') return isMade;
        found.set(setKey(set), isMade ? { records: [], beside: [] } : each);
      }
    }
    return found;
  }

  async #readSet({ name, type }: RecordSet): Promise<FoundSet | Failed> {
    const answers = await this.#ask(name, type);
    if ('result' in answers) return answers;
    const here = answers.filter((record) => record.name.toLowerCase() === name);
    const records = here.filter((record) => record.type === type);
    if (type !== 'CNAME') return { records, beside: here.filter((record) => record.type === 'CNAME') };
    const all = await this.#ask(name, 'ANY');
    if ('result' in all) return all;
    const beside = all.filter((record) => record.type !== 'CNAME' && !OF_DNSSEC.has(record.type));
    return { records, beside: beside.filter((record) => record.name.toLowerCase() === name) };
  }

  /** A name that nobody has beside it has the same. */
  async #isFromWildcard({ name, type }: RecordSet, { records, beside }: FoundSet): Promise<boolean | Failed> {
    const parent = parentName(name);
    const { zone } = this.#primary;
    if (parent === undefined || name === zone) return false;
    const key = `${parent} ${type}`;
    let given = this.#wildcards.get(key);
    if (given === undefined) {
      const sibling = `_${randomBytes(10).toString('hex')}.${parent}`;
      const read = await this.#readSet({ name: sibling, type });
      if ('result' in read) return read;
      given = [...read.records, ...read.beside].map(dataText).sort();
      this.#wildcards.set(key, given);
    }
    return given.length > 0 && given.join('\n') === [...records, ...beside].map(dataText).sort().join('\n');
  }

  async #ask(name: string, type: RecordType): Promise<readonly ResourceRecord[] | Failed> {
    const { client, key } = this.#primary;
    const options: AskOptions = {
      servers: [this.#endpoint],
      recursion: false,
      tcp: true,
      recordsMax: Number.POSITIVE_INFINITY,
      deadlineMs: this.#left(ASK_MS),
      ...(key && { key }),
    };
    const reply = await client.ask(name, type, options);
    if ('unavailable' in reply) return this.#unreachable(reply.unavailable);
    if (reply.rcode !== RCODE.NOERROR && reply.rcode !== RCODE.NXDOMAIN)
      return { result: 'refused', reason: `${this.#text} said ${rcodeName(reply.rcode)} when asked for ${name}` };
    if (!reply.authoritative)
      return { result: 'refused', reason: `${this.#text} has no zone with ${name}: it leads to others` };
    return reply.answers;
  }

  #unreachable(reason: string): Failed {
    return { result: 'unreachable', reason: `${this.#text}: ${reason}` };
  }

  #left(mostMs: number): number {
    return Math.max(1, Math.min(mostMs, this.#endsAt - performance.now()));
  }
}
