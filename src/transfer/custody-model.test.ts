// Custody against a model: whatever is said of domains, in whatever order, and whenever the transfer unit is started anew, a
// message that was taken is in one place, once, and it is the place that the judge names.
//
// In      random mail for names that wait, words about them, days, restarts; CUSTODY=n tries so many
// Out     after each: kept, with who takes the domain's mail, with the site postmaster, or reported to who had logged in
// Never   calls what it judges

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../base/clock.ts';
import { DAY_MS } from '../base/duration.ts';
import { Failure } from '../base/failure.ts';
import type { MessageId } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { SERVER } from '../directory/caller.ts';
import { RemoteHost } from '../estate/remote-host.ts';
import { decideOperations } from '../provisioning/pending/decide.ts';
import { listPending, seePending } from '../provisioning/pending/entries.ts';
import { add, addDomain, addUser, domainDn, remove, testSite } from '../provisioning/testing.ts';
import { CustodyWatch } from './custody-watch.ts';
import { rowIdsOfMessage } from './queue.ts';
import { TestTransfer } from './testing.ts';

const RUNS = Number(process.env['CUSTODY'] ?? 15);
/** With the policy by which each waits. */
const NAMES = { 'n.example': 'taking', 'b.n.example': 'taking', 'k.example': 'bare' } as const;
type Name = keyof typeof NAMES;
const LOGIN = { kind: 'entry', uuid: '00000000-0000-4000-8000-000000000000', dn: 'uid=x,o=internet' } as const;
const [approve, refuse] = decideOperations({ hostname: testSite.hostnames[0]!, mode: 'embedded' });

type Place = 'kept' | 'taker' | 'postmaster' | 'report' | 'nowhere';

type Event =
  | { readonly kind: 'mail'; readonly name: Name; readonly hasLoggedIn: boolean }
  | { readonly kind: 'word'; readonly word: 'approve' | 'refuse'; readonly name: Name; readonly isRestarted: boolean }
  | { readonly kind: 'by-hand'; readonly name: Name; readonly hasCatchall: boolean; readonly isRestarted: boolean }
  | { readonly kind: 'removed'; readonly name: Name }
  | { readonly kind: 'look'; readonly days: number };

const name = fc.constantFrom(...(Object.keys(NAMES) as Name[]));
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('mail' as const), name, hasLoggedIn: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('word' as const),
      word: fc.constantFrom('approve', 'approve', 'refuse'),
      name,
      isRestarted: fc.boolean(),
    }),
  },
  fc.record({ kind: fc.constant('by-hand' as const), name, hasCatchall: fc.boolean(), isRestarted: fc.boolean() }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('removed' as const), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('look' as const), days: fc.constantFrom(0, 2.9, 3.1) }) },
);

interface Sent {
  readonly id: MessageId;
  readonly name: Name;
  readonly hasLoggedIn: boolean;
  place: Place;
}

class Scene {
  readonly #sink: RemoteHost;
  readonly #transfer: TestTransfer;
  readonly #sent: Sent[] = [];
  /** Whether they have somebody who takes all. */
  readonly #ours = new Map<string, boolean>();
  readonly #removed = new Set<string>();

  private constructor(sink: RemoteHost, transfer: TestTransfer) {
    this.#sink = sink;
    this.#transfer = transfer;
  }

  static async open(): Promise<Scene> {
    const sink = await RemoteHost.start({});
    const transfer = await TestTransfer.open({
      nextHop: { 'remote.example': sink.nextHop },
      policy: { retryMs: [1], expireMs: 60_000 },
    });
    const policy = { objectClass: 'waypostDomainPolicy', waypostMatchDomain: '*', waypostPolicyAction: 'approve' };
    await transfer.directory.apply(
      addDomain('home.test'),
      addUser('ann@home.test'),
      add('cn=bare,ou=Policies,ou=Waypost,o=internet', policy),
      add('cn=taking,ou=Policies,ou=Waypost,o=internet', { ...policy, mailDomainCatchallAddress: 'ann@home.test' }),
    );
    await transfer.start();
    return new Scene(sink, transfer);
  }

  async close(): Promise<void> {
    await this.#transfer.close();
    await this.#sink.close();
  }

  async take(event: Event): Promise<void> {
    switch (event.kind) {
      case 'mail':
        await this.#mail(event.name, event.hasLoggedIn);
        break;
      case 'word':
        await this.#word(event);
        break;
      case 'by-hand':
        await this.#byHand(event);
        break;
      case 'removed':
        await this.#remove(event.name);
        break;
      case 'look':
        await this.#look(event.days);
    }
    await this.#check();
  }

  async #mail(of: Name, hasLoggedIn: boolean): Promise<void> {
    const now = Date.now();
    const hit = { domain: of, policy: NAMES[of], action: 'approve', evidence: '{}', peer: '', seen: 1 } as const;
    await this.#transfer.directory.writer.execute(seePending, { ...hit, lastSeen: now, now });
    const id = await this.#transfer.accept({
      from: 'rex@remote.example',
      to: [`x@${of}`],
      text: `Subject: m${this.#sent.length}\r\n\r\nx\r\n`,
      mayRelay: false,
      custody: [of],
      ...(hasLoggedIn ? { caller: LOGIN } : {}),
    });
    const takesAll = this.#ours.get(of);
    // A client that is told so at once hears of it itself.
    const place = takesAll === undefined ? 'kept' : takesAll ? 'taker' : 'nowhere';
    this.#sent.push({ id, name: of, hasLoggedIn, place });
  }

  async #word({ word, name: of, isRestarted }: Extract<Event, { kind: 'word' }>): Promise<void> {
    const { reader, writer } = this.#transfer.directory;
    if (this.#ours.has(of) || !listPending(reader).some(({ domain }) => domain === of)) return;
    const args = { domain: of, caller: SERVER, now: Date.now() };
    await writer.execute(word === 'approve' ? approve : refuse, args);
    if (isRestarted) await this.#transfer.start();
    if (word === 'refuse') this.#removed.add(of);
    else this.#comes(of, NAMES[of] === 'taking' || this.#parentTakes(of));
  }

  /** What the policy does not say is as the nearest domain above has it. */
  #parentTakes(of: string): boolean {
    return of === 'b.n.example' && this.#ours.get('n.example') === true;
  }

  async #byHand({ name: of, hasCatchall, isRestarted }: Extract<Event, { kind: 'by-hand' }>): Promise<void> {
    if (this.#ours.has(of)) return;
    const values = hasCatchall ? { mailDomainCatchallAddress: 'ann@home.test' } : {};
    await this.#transfer.directory.apply(addDomain(of, values));
    if (isRestarted) await this.#transfer.start();
    this.#comes(of, hasCatchall);
  }

  #comes(of: string, hasCatchall: boolean): void {
    this.#ours.set(of, hasCatchall);
    this.#removed.delete(of);
    for (const each of this.#sent) this.#settle(each);
  }

  async #remove(of: Name): Promise<void> {
    if (!this.#ours.has(of)) return;
    try {
      await this.#transfer.directory.apply(remove(domainDn(of)));
    } catch (error) {
      assert.ok(error instanceof Failure && error.kind === 'not-empty', String(error));
      return;
    }
    this.#ours.delete(of);
    this.#removed.add(of);
  }

  async #look(days: number): Promise<void> {
    const { reader, writer } = this.#transfer.directory;
    const clock = { ...systemClock, now: () => Date.now() + days * DAY_MS };
    const watch = new CustodyWatch({ reader, writer, clock, log: silentLog });
    watch.start();
    const isRefused = ({ name: of }: Sent): boolean =>
      [...this.#removed].some((each) => of === each || of.endsWith(`.${each}`));
    for (const each of this.#sent) if (each.place === 'kept' && (days > 3 || isRefused(each))) this.#endsInVain(each);
    await this.#transfer.until('the look is over', () => this.#kept().length === this.#wanted('kept').length);
    await watch.stop();
  }

  #settle(sent: Sent): void {
    if (sent.place !== 'kept' || !this.#ours.has(sent.name)) return;
    if (this.#ours.get(sent.name)) sent.place = 'taker';
    else this.#endsInVain(sent);
  }

  #endsInVain(sent: Sent): void {
    sent.place = sent.hasLoggedIn ? 'report' : 'postmaster';
  }

  #wanted(place: Place): readonly Sent[] {
    return this.#sent.filter((each) => each.place === place);
  }

  #kept() {
    return this.#transfer.queue().filter(({ heldBy }) => heldBy === 'custody');
  }

  /** Nothing is under way, and each message is where it should be, once, and nowhere else. */
  async #check(): Promise<void> {
    const transfer = this.#transfer;
    const kept = this.#wanted('kept').length;
    await transfer.until('all is settled', () => transfer.queue().length === kept && this.#kept().length === kept);
    const texts: Readonly<Record<Exclude<Place, 'kept' | 'nowhere'>, readonly string[]>> = {
      taker: await transfer.inbox('ann@home.test'),
      postmaster: await transfer.inbox('postmaster'),
      report: this.#sink.messages.map(({ data }) => data),
    };
    for (const [number, { id, place }] of this.#sent.entries()) {
      const found = Object.entries(texts).flatMap(([where, all]) =>
        all.filter((text) => text.includes(`Subject: m${number}\r\n`)).map(() => where),
      );
      const isKept = rowIdsOfMessage(transfer.directory.reader, id).map(() => 'kept');
      assert.deepEqual([...found, ...isKept], place === 'nowhere' ? [] : [place], `m${number}`);
    }
  }

  counts(): readonly number[] {
    return (['kept', 'taker', 'postmaster', 'report'] as const).map((place) => this.#wanted(place).length);
  }
}

test('mail in custody is in one place, once, whatever is said of its domain', { timeout: 600_000 }, async () => {
  const total = [0, 0, 0, 0];
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 8, maxLength: 20 }), async (events) => {
      const scene = await Scene.open();
      try {
        for (const each of events) await scene.take(each);
        for (const [at, count] of scene.counts().entries()) total[at]! += count;
      } finally {
        await scene.close();
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(
    total.every((count) => count > 0),
    `each place has had some: ${total.join()}`,
  );
});
