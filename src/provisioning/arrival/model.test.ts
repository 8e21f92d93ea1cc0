// Arrivals against a model: random policies, domains, zones and messages, threads that die, and a judge that knows nothing of how
// it is done.
//
// In      a random world and random events in it; ARRIVALS=n tries so many worlds
// Out     after each event: the domains that messages have brought are those that the judge allows, each made once; each reply
//         is the judge's
// Never   calls what it judges: neither the policies' code nor the evidence's

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../base/failure.ts';
import { ANONYMOUS } from '../../directory/caller.ts';
import { findEntry } from '../../directory/entries.ts';
import { hasClass, textValues } from '../../directory/entry.ts';
import type { DnsReply, Unavailable } from '../../net/dns-client.ts';
import { replies } from '../../routing/replies.ts';
import { zoneNames } from '../../zones/names.ts';
import { domainTokenText } from '../domain-token.ts';
import {
  add,
  addDomain,
  addUser,
  domainDn,
  openTestDirectory,
  remove,
  type TestDirectory,
  testSite,
} from '../testing.ts';
import { Arrivals, type ArrivalVerdict } from './arrivals.ts';
import type { AskDns } from './name-servers.ts';

const US = 'mail.test.example';
const BY_HAND = ['a.test', 'b.test', 'c.example'] as const;
const NAMES = [
  'n.a.test',
  'm.n.a.test',
  'p.q.r.s.n.a.test',
  'k.b.test',
  'c.example',
  'd.c.example',
  'e.d.c.example',
  'z.example',
  'label',
] as const;
type Name = (typeof NAMES)[number];
const WORLDS = Number(process.env['ARRIVALS'] ?? 20);

/** What the DNS says of a name. */
interface Truth {
  readonly mx: 'ours' | 'backup' | 'none' | 'alias' | 'null' | 'fails';
  readonly isWildcard: boolean;
  readonly hasToken: boolean;
  /** Of two name servers the second says otherwise. */
  readonly isSplit: boolean;
}

interface Policy {
  readonly order: number;
  readonly patterns: readonly string[];
  readonly parent: boolean;
  readonly token: boolean;
  readonly wildcard: boolean;
  readonly hasCatchall: boolean;
  readonly action: 'off' | 'propose' | 'approve' | 'auto';
}

const truth: fc.Arbitrary<Truth> = fc.record({
  mx: fc.oneof(
    { weight: 6, arbitrary: fc.constant('ours' as const) },
    fc.constantFrom('backup', 'none', 'alias', 'null', 'fails'),
  ),
  isWildcard: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  hasToken: fc.boolean(),
  isSplit: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});
const policy: fc.Arbitrary<Policy> = fc.record({
  order: fc.constantFrom(1, 2, 3),
  patterns: fc.uniqueArray(fc.constantFrom('*', '*.a.test', '*.c.example', 'c.example', '*.example', 'z.example'), {
    maxLength: 2,
  }),
  parent: fc.boolean(),
  token: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  wildcard: fc.boolean(),
  hasCatchall: fc.boolean(),
  action: fc.oneof(
    { weight: 4, arbitrary: fc.constant('auto' as const) },
    fc.constantFrom('off', 'propose', 'approve'),
  ),
});

type Event =
  | { readonly kind: 'messages'; readonly name: Name; readonly threads: readonly number[] }
  | { readonly kind: 'killed-while'; readonly name: Name; readonly turns: number }
  | {
      readonly kind: 'by-hand';
      readonly name: (typeof BY_HAND)[number];
      readonly isActive: boolean;
      readonly hasCatchall: boolean;
    }
  | { readonly kind: 'removed'; readonly name: string }
  | { readonly kind: 'policy'; readonly at: 0 | 1 | 2; readonly policy: Policy | undefined }
  | { readonly kind: 'dns'; readonly name: Name; readonly truth: Truth }
  | { readonly kind: 'kill' }
  | { readonly kind: 'later' };

const name = fc.constantFrom(...NAMES);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('messages' as const),
      name,
      threads: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 4 }),
    }),
  },
  fc.record({ kind: fc.constant('killed-while' as const), name, turns: fc.integer({ min: 0, max: 8 }) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('by-hand' as const),
      name: fc.constantFrom(...BY_HAND),
      isActive: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
      hasCatchall: fc.boolean(),
    }),
  },
  fc.record({ kind: fc.constant('removed' as const), name: fc.constantFrom(...BY_HAND, ...NAMES) }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('policy' as const),
      at: fc.constantFrom(0, 1, 2),
      policy: fc.option(policy, { nil: undefined, freq: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dns' as const), name, truth }) },
  fc.record({ kind: fc.constant('kill' as const) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('later' as const) }) },
);

/** What the judge knows: names in plain sets. */
class Model {
  readonly byHand = new Map<string, { readonly isActive: boolean; readonly hasCatchall: boolean }>();
  /** Brought by a message, so there is somebody in them who takes all. */
  readonly brought = new Set<string>();
  readonly removed = new Set<string>();
  readonly policies = new Map<number, Policy>();
  readonly truths = new Map<string, Truth>();
  fromMx: 'off' | 'entries' | 'auto' = 'entries';

  /** `isKept`, `waits`: whoever says so remembers it. `waiting`: what the thread that is asked remembers of that kind. */
  judge(name: string, waiting?: Judged): Judged {
    const at = this.#nearest(name);
    const matching = this.#matching(name, at);
    if (matching.length === 0 || (matching[0]!.action === 'off' && !matching[0]!.token)) return REFUSED;
    if ([name, ...above(name)].some((each) => this.removed.has(each))) return KEPT;
    if (waiting !== undefined) return this.#ofRecipient(waiting, at);
    const isOurs = above(name).some((each) => this.byHand.has(each));
    const said = this.truths.get(name) ?? NOTHING;
    if (said.mx === 'alias' && !isOurs) return KEPT;
    for (const { token, action, wildcard, hasCatchall } of matching) {
      if (token) {
        if (!isOurs && (said.mx === 'fails' || (said.isSplit && said.hasToken))) return UNKNOWN;
        if (!said.hasToken) continue;
      }
      if (action === 'off') return KEPT;
      if (said.mx === 'fails' || (!isOurs && said.isSplit)) return UNKNOWN;
      if (said.mx !== 'ours' || (this.#isWild(name) && !wildcard)) return KEPT;
      if (action === 'propose') return { ...REFUSED, waits: true };
      if (action === 'approve') return this.#ofRecipient({ code: '451 4.3.2', waits: true, hasCatchall }, at);
      return this.#takesAll(hasCatchall, at) ? { code: '250', brings: true } : { code: '550 5.1.1' };
    }
    return KEPT;
  }

  /** Of a name that waits for approval: whom the domain would refuse, it is refused now. */
  #ofRecipient(judged: Judged, at: string | undefined): Judged {
    if (judged.hasCatchall === undefined) return judged;
    return { ...judged, code: this.#takesAll(judged.hasCatchall, at) ? '451 4.3.2' : '550 5.1.1' };
  }

  #takesAll(hasCatchall: boolean, at: string | undefined): boolean {
    return hasCatchall || this.brought.has(at ?? '') || this.byHand.get(at ?? '')?.hasCatchall === true;
  }

  #nearest(name: string): string | undefined {
    return above(name).find((each) => this.byHand.has(each) || this.brought.has(each));
  }

  #matching(name: string, nearest: string | undefined): readonly Omit<Policy, 'order'>[] {
    if (this.fromMx === 'off' || !name.includes('.')) return [];
    if (above(name).findIndex((each) => this.byHand.has(each)) >= 4) return [];
    const mayBring = nearest !== undefined && this.byHand.get(nearest)?.isActive !== false;
    const sorted = [...this.policies].sort(([p, a], [q, b]) => a.order - b.order || p - q).map(([, each]) => each);
    const tried = this.fromMx === 'auto' ? [...sorted, BUILT_IN] : sorted;
    return tried.filter(({ patterns, parent }) => {
      const isNamed = patterns.some(
        (each) => each === '*' || each === name || (each.startsWith('*.') && name.endsWith(each.slice(1))),
      );
      return (patterns.length === 0 || isNamed) && (!parent || mayBring);
    });
  }

  /** Something beside it is said of every name, and it is the same. */
  #isWild(name: string): boolean {
    const parent = above(name)[0];
    return [...this.truths].some(
      ([each, { isWildcard, mx }]) => isWildcard && mx === 'ours' && above(each)[0] === parent,
    );
  }
}

interface Judged {
  readonly code: string;
  readonly brings?: true;
  readonly isKept?: true;
  readonly waits?: true;
  /** Of the policy by which it waits for approval. */
  readonly hasCatchall?: boolean;
}

const REFUSED: Judged = { code: '550 5.7.1' };
const KEPT: Judged = { ...REFUSED, isKept: true };
const UNKNOWN: Judged = { code: '451 4.4.3' };
const NOTHING: Truth = { mx: 'none', isWildcard: false, hasToken: false, isSplit: false };
const BUILT_IN = {
  patterns: [],
  parent: true,
  token: false,
  wildcard: false,
  hasCatchall: false,
  action: 'auto',
} as const;

function above(name: string): string[] {
  const labels = name.split('.');
  return labels.slice(1).map((_, at) => labels.slice(at + 1).join('.'));
}

const EMPTY: DnsReply = {
  rcode: 0,
  authoritative: false,
  authenticData: false,
  answers: [],
  authorities: [],
  additionals: [],
};
const SOA = { mname: 'ns', rname: 'x', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 };

/** The world's DNS, by the model's truths: a resolver, and two name servers of whatever is not ours. */
function dnsOf(model: Model): AskDns {
  const record = { class: 1, ttl: 1 } as const;
  return async (asked, type, { servers }): Promise<DnsReply | Unavailable> => {
    const reply = (answers: DnsReply['answers'], rcode = 0): DnsReply => ({
      ...EMPTY,
      rcode,
      answers,
      authoritative: servers !== undefined,
    });
    if (asked.startsWith('ns.'))
      return type === 'A'
        ? reply(['192.0.2.1', '192.0.2.2'].map((address) => ({ ...record, name: asked, type: 'A', address })))
        : reply([]);
    const isSecond = servers?.[0]?.address === '192.0.2.2';
    const isToken = asked.startsWith('_waypost.');
    const isBeside = /^[0-9a-f]{16}\./.test(asked);
    const of = isToken ? asked.slice('_waypost.'.length) : asked;
    const said = model.truths.get(of);
    const mx = (who: string, preference: number) => ({
      ...record,
      name: asked,
      type: 'MX' as const,
      preference,
      exchange: who,
    });
    if (type === 'NS') {
      if (said?.mx === 'fails') return reply([], 2);
      if (said?.mx === 'alias') return reply([{ ...record, name: asked, type: 'CNAME', target: 'elsewhere.test' }]);
      // The zone is the topmost name: all names beside are in it.
      const zone = asked.split('.').at(-1)!;
      if (asked === zone) return reply([{ ...record, name: asked, type: 'NS', target: 'ns.isp' }]);
      return { ...EMPTY, authorities: [{ ...record, name: zone, type: 'SOA', ...SOA }] };
    }
    if (isToken) {
      if (said?.hasToken !== true || (said.isSplit && isSecond)) return reply([]);
      return reply([{ ...record, name: asked, type: 'TXT', strings: [domainTokenText('sesame', of)] }]);
    }
    if (isBeside) {
      // Which name it is beside is not told: wildcards are of the parent, and the test sets them so.
      const parent = asked.slice(17);
      const beside = [...model.truths].find(
        ([each, { isWildcard }]) => isWildcard && each.slice(each.indexOf('.') + 1) === parent,
      );
      return reply(beside === undefined ? [] : mxOf(beside[1]));
    }
    if (said === undefined) return reply([], 3);
    if (said.isSplit && isSecond) return reply([mx('other.test', 1)]);
    switch (said.mx) {
      case 'fails':
        return reply([], 2);
      case 'alias':
        return reply([{ ...record, name: asked, type: 'CNAME', target: 'elsewhere.test' }]);
      default:
        return reply(mxOf(said));
    }
    function mxOf({ mx: kind }: Truth) {
      if (kind === 'ours') return [mx(US, 10), mx('backup.test', 20)];
      if (kind === 'backup') return [mx('other.test', 10), mx(US, 20)];
      return kind === 'null' ? [mx('.', 0)] : [];
    }
  };
}

/** One run of the program after another, on one directory. */
class Program {
  readonly #model: Model;
  readonly #at: string;
  #directory: TestDirectory;
  #desks: readonly Arrivals[] = [];
  /** What each thread has said of a name, and remembers. */
  #kept: readonly Map<string, Judged>[] = [];
  #now = 0;
  /** UUIDs of what messages have brought. */
  readonly #uuids = new Map<string, string>();

  private constructor(model: Model, at: string, directory: TestDirectory) {
    this.#model = model;
    this.#at = at;
    this.#directory = directory;
    this.#begin();
  }

  static async open(model: Model, at: string): Promise<Program> {
    const directory = await open(at, model.fromMx);
    await directory.apply(addDomain('home.test'), addUser('ann@home.test'));
    return new Program(model, at, directory);
  }

  close(): void {
    this.#directory.close();
  }

  #begin(): void {
    const { cache, reader, writer } = this.#directory;
    const clock = { now: () => Date.UTC(2026, 10, 27), monotonic: () => this.#now };
    const pending = {
      note: async ({ action }: { readonly action: 'propose' | 'approve' }) =>
        ({ result: 'foreign', reply: action === 'propose' ? replies.relayDenied : replies.waitsForApproval }) as const,
    };
    const publishedMx = async (domain: string) => (zoneNames(reader).find(domain)?.row === undefined ? [] : [US]);
    const site = { hostname: US, mode: 'embedded' } as const;
    const parts = {
      cache,
      reader,
      writer,
      clock,
      site,
      ask: dnsOf(this.#model),
      publishedMx,
      pending,
      arrived: () => {},
    };
    this.#desks = [new Arrivals(parts), new Arrivals(parts)];
    this.#kept = [new Map(), new Map()];
  }

  async #kill(): Promise<void> {
    this.#directory.close();
    this.#directory = await open(this.#at, this.#model.fromMx);
    this.#begin();
  }

  async take(event: Event): Promise<void> {
    switch (event.kind) {
      case 'messages':
        await this.#messages(event.name, event.threads);
        break;
      case 'killed-while':
        await this.#killedWhile(event.name, event.turns);
        break;
      case 'by-hand':
        await this.#byHand(event);
        break;
      case 'removed':
        await this.#removed(event.name);
        break;
      case 'policy':
        await this.#policy(event.at, event.policy);
        break;
      case 'dns':
        this.#model.truths.set(event.name, event.truth);
        break;
      case 'kill':
        await this.#kill();
        break;
      case 'later':
        this.#now += 300_001;
        for (const each of this.#kept) each.clear();
    }
    this.#check();
  }

  async #messages(of: string, threads: readonly number[]): Promise<void> {
    if (this.#isThere(of)) return;
    const judgedBy = (thread: number): Judged => {
      const kept = this.#kept[thread]!.get(of);
      return kept?.isKept === true ? kept : this.#model.judge(of, kept);
    };
    const expected = threads.map(judgedBy);
    const codes = await Promise.all(threads.map(async (thread) => codeOf(await this.#rcpt(of, thread))));
    assert.deepEqual(
      codes,
      expected.map(({ code }) => code),
      of,
    );
    for (const [at, thread] of threads.entries()) {
      const { isKept, waits } = expected[at]!;
      if (isKept === true || waits === true) this.#kept[thread]!.set(of, expected[at]!);
    }
    if (expected.some(({ brings }) => brings)) this.#model.brought.add(of);
  }

  async #rcpt(domain: string, thread: number): Promise<ArrivalVerdict> {
    const request = { sender: undefined, caller: ANONYMOUS, mayRelay: false, door: 'smtp' } as const;
    return this.#desks[thread]!.arrive({ address: { localPart: 'x', domain }, request, peer: '192.0.2.1' });
  }

  /** Nobody has got a reply: the domain is there or not, as a whole, and only where it may be. */
  async #killedWhile(of: string, turns: number): Promise<void> {
    const isNew = !this.#isThere(of);
    const { brings } = this.#model.judge(of);
    const asked = isNew ? this.#rcpt(of, 0).catch(() => undefined) : undefined;
    for (let turn = 0; turn < turns; turn++) await new Promise((next) => setImmediate(next));
    this.#directory.close();
    await asked;
    this.#directory = await open(this.#at, this.#model.fromMx);
    this.#begin();
    const entry = findEntry(this.#directory.reader, domainDn(of));
    if (isNew && brings === true && entry !== undefined && hasClass(entry, 'maildomain')) this.#model.brought.add(of);
  }

  async #byHand({ name: of, isActive, hasCatchall }: Extract<Event, { kind: 'by-hand' }>): Promise<void> {
    if (this.#isThere(of)) return;
    await this.#directory.apply(
      addDomain(of, {
        ...(isActive ? {} : { mailDomainStatus: 'inactive' }),
        ...(hasCatchall ? { mailDomainCatchallAddress: 'ann@home.test' } : {}),
      }),
    );
    this.#model.byHand.set(of, { isActive, hasCatchall });
    this.#model.removed.delete(of);
  }

  async #removed(of: string): Promise<void> {
    if (!this.#isThere(of)) return;
    try {
      await this.#directory.apply(remove(domainDn(of)));
    } catch (error) {
      assert.ok(error instanceof Failure && error.kind === 'not-empty', String(error));
      return;
    }
    this.#model.byHand.delete(of);
    this.#model.brought.delete(of);
    this.#uuids.delete(of);
    this.#model.removed.add(of);
  }

  async #policy(at: number, given: Policy | undefined): Promise<void> {
    const { policies } = this.#model;
    const dn = `cn=p${at},ou=Policies,ou=Waypost,o=internet`;
    const isGone = policies.delete(at);
    if (isGone) await this.#directory.apply(remove(dn));
    const isWide = given?.patterns.some((each) => each === '*' || each === '*.example') || given?.patterns.length === 0;
    const isRefused = given?.action === 'auto' && !given.parent && !given.token && isWide === true;
    if (given !== undefined) {
      const entry = policyEntry(dn, given);
      if (isRefused) await assert.rejects(async () => this.#directory.apply(entry), /waypostPolicyAction/);
      else {
        await this.#directory.apply(entry);
        policies.set(at, given);
      }
    }
    if (isGone || policies.has(at)) for (const each of this.#kept) each.clear();
  }

  #isThere(of: string): boolean {
    return this.#model.byHand.has(of) || this.#model.brought.has(of);
  }

  /** Each once, and none besides. */
  #check(): void {
    for (const of of NAMES) {
      const entry = findEntry(this.#directory.reader, domainDn(of));
      const isBrought = entry !== undefined && textValues(entry, 'waypostdomainorigin')[0] === 'message';
      assert.equal(isBrought && hasClass(entry, 'maildomain'), this.#model.brought.has(of), of);
      if (!isBrought) continue;
      assert.equal(this.#uuids.get(of) ?? entry.uuid, entry.uuid, `${of} is the one that was made first`);
      this.#uuids.set(of, entry.uuid);
    }
  }
}

function open(at: string, fromMx: Model['fromMx']): Promise<TestDirectory> {
  return openTestDirectory([], at, { ...testSite, fromMx });
}

function policyEntry(dn: string, given: Policy) {
  return add(dn, {
    objectClass: 'waypostDomainPolicy',
    waypostPolicyOrder: String(given.order),
    waypostPolicyAction: given.action,
    waypostAllowWildcard: given.wildcard ? 'TRUE' : 'FALSE',
    ...(given.patterns.length === 0 ? {} : { waypostMatchDomain: given.patterns }),
    ...(given.parent ? { waypostMatchParent: 'TRUE' } : {}),
    ...(given.token ? { waypostMatchToken: 'sesame' } : {}),
    ...(given.hasCatchall ? { mailDomainCatchallAddress: 'ann@home.test' } : {}),
  });
}

/** The code alone where the mail is taken: its words are of the route. */
function codeOf(verdict: ArrivalVerdict): string {
  if (verdict.result === 'arrived') return '250';
  assert.ok('reply' in verdict);
  return `${verdict.reply.code} ${verdict.reply.enhanced}`;
}

test('no domain comes without a policy and evidence, and each that may comes once', { timeout: 600_000 }, async () => {
  const world = fc.record({
    fromMx: fc.oneof(
      { weight: 3, arbitrary: fc.constant('entries' as const) },
      { weight: 2, arbitrary: fc.constant('auto' as const) },
      fc.constant('off' as const),
    ),
    policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
    truths: fc.array(truth, { minLength: NAMES.length, maxLength: NAMES.length }),
    events: fc.array(event, { minLength: 10, maxLength: 40 }),
  });
  let brought = 0;
  await fc.assert(
    fc.asyncProperty(world, async ({ fromMx, policies, truths, events }) => {
      const at = mkdtempSync(join(tmpdir(), 'waypost-arrivals-'));
      const model = new Model();
      model.fromMx = fromMx;
      const program = await Program.open(model, at);
      try {
        for (const [n, each] of truths.entries()) await program.take({ kind: 'dns', name: NAMES[n]!, truth: each });
        for (const [n, each] of policies.entries())
          await program.take({ kind: 'policy', at: n as 0 | 1 | 2, policy: each });
        for (const of of BY_HAND.slice(0, 2))
          await program.take({ kind: 'by-hand', name: of, isActive: true, hasCatchall: true });
        for (const each of events) await program.take(each);
        brought += model.brought.size;
      } finally {
        program.close();
        rmSync(at, { recursive: true, force: true });
      }
    }),
    // The same worlds each time in short: the long form, ARRIVALS=1200, looks for new ones.
    { numRuns: WORLDS },
  );
  assert.ok(brought > 0, 'some have come');
});
