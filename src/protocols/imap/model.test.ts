// A mailbox under random commands of three sessions against a naive list, and of a fourth client that only comes back now and then.
//
// Each session keeps what a client would: the numbers that were reported, the flags that were reported or that it has set.
// A report must be true when it is sent, EXPUNGE must come only where it may, and after NOOP everything is reported.
// The fourth keeps what QRESYNC tells it, over connections that are cut: after each time it holds the same mailbox.
// RFC 3501 §2.3.2 §5.2 §7.3 §7.4.1, RFC 7162 §3.2

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ImapClient } from '../../demo/clients/imap-client.ts';
import { openTestImap, type TestImap } from './testing.ts';

type Mode = 'replace' | 'add' | 'remove';
type Step = { readonly session: number } & (
  | { readonly kind: 'append'; readonly flags: readonly string[] }
  | {
      readonly kind: 'store';
      readonly byUid: boolean;
      readonly silent: boolean;
      readonly mode: Mode;
      readonly flags: readonly string[];
      readonly at: number;
      readonly count: number;
    }
  | { readonly kind: 'fetch'; readonly byUid: boolean; readonly at: number; readonly count: number }
  | { readonly kind: 'search'; readonly byUid: boolean; readonly flag: string }
  | { readonly kind: 'copy' | 'move'; readonly at: number; readonly count: number }
  | { readonly kind: 'uid-expunge'; readonly at: number; readonly count: number }
  | { readonly kind: 'expunge' | 'noop' | 'close' | 'idle' | 'forget' }
  /** The fourth client: in a connection that it has, or in a new one. */
  | { readonly kind: 'return'; readonly cut: boolean }
);

const FLAGS = ['\\Seen', '\\Deleted', '\\Flagged', '$Work'];

interface Message {
  readonly uid: number;
  flags: Set<string>;
}

/** The truth: what is in the mailbox. */
class Model {
  messages: Message[] = [];
  uidNext = 1;
  /** UID -> the opening of the mailbox that it was reported to as recent. */
  readonly recent = new Map<number, number>();

  add(flags: Iterable<string>): void {
    this.messages.push({ uid: this.uidNext++, flags: new Set(flags) });
  }

  find(uid: number): Message | undefined {
    return this.messages.find((message) => message.uid === uid);
  }

  change(uid: number, mode: Mode, flags: readonly string[]): void {
    const message = this.find(uid);
    if (message !== undefined) message.flags = changed(message.flags, mode, flags);
  }

  expunge(uids?: ReadonlySet<number>): void {
    this.messages = this.messages.filter(({ uid, flags }) => !flags.has('\\Deleted') || uids?.has(uid) === false);
  }
}

function changed(before: ReadonlySet<string>, mode: Mode, flags: readonly string[]): Set<string> {
  if (mode === 'replace') return new Set(flags);
  if (mode === 'add') return new Set([...before, ...flags]);
  return new Set([...before].filter((flag) => !flags.includes(flag)));
}

let openings = 0;

/** What one client knows. */
class Client {
  readonly #socket: Socket;
  #isOver = false;
  readonly #model: Model;
  #received = '';
  #arrived: () => void = () => {};
  #tag = 0;
  #opening = 0;
  /** The client's numbering: UID 0 where it has not asked. */
  uids: number[] = [];
  /** True until a moment ago: STORE reports what others did before its own change. */
  before: ReadonlyMap<number, ReadonlySet<string>> = new Map();
  /** Flags by UID, as reported or set. */
  readonly flags = new Map<number, Set<string>>();

  constructor(socket: Socket, model: Model) {
    this.#socket = socket;
    this.#model = model;
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      this.#arrived();
    });
    socket.on('close', () => {
      this.#isOver = true;
      this.#arrived();
    });
  }

  static async open(imap: TestImap, login: string, model: Model): Promise<Client> {
    const client = new Client(connect(imap.port, imap.host), model);
    await client.#line();
    await client.command(`LOGIN ${login} secret`, 'anything');
    await client.select();
    return client;
  }

  async select(): Promise<void> {
    this.uids = [];
    this.flags.clear();
    this.#opening = ++openings;
    await this.command('SELECT INBOX', 'anything');
    await this.catchUp();
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        return line;
      }
      assert.ok(!this.#isOver, `the connection is closed behind ${this.#received}`);
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  /** Sends, and believes every response; gives the numbers of SEARCH. */
  async command(text: string, expunges: 'none' | 'anything'): Promise<number[]> {
    const tag = `t${++this.#tag}`;
    this.#socket.write(`${tag} ${text}\r\n`);
    let found: number[] = [];
    for (;;) {
      const line = await this.#line();
      if (line.startsWith('+ ')) this.#socket.write('DONE\r\n');
      else if (line.startsWith(tag)) {
        assert.match(line, /^\S+ (OK|NO \[EXPUNGEISSUED\])/, text);
        return found;
      } else if (line.startsWith('* SEARCH')) found = line.split(' ').slice(2).map(Number);
      else this.#believe(line, expunges);
    }
  }

  #believe(line: string, expunges: 'none' | 'anything'): void {
    const [, number, what, rest = ''] = /^\* (\d+) (\w+)(.*)$/.exec(line) ?? [];
    if (what === 'EXPUNGE') {
      assert.equal(expunges, 'anything', 'EXPUNGE where numbers are in use');
      const [uid] = this.uids.splice(Number(number) - 1, 1);
      assert.notEqual(uid, undefined, line);
      if (uid !== 0) assert.equal(this.#model.find(uid!), undefined, `${uid} is still there`);
      this.flags.delete(uid!);
    } else if (what === 'EXISTS') {
      assert.ok(Number(number) >= this.uids.length, line);
      while (this.uids.length < Number(number)) this.uids.push(0);
    } else if (what === 'FETCH') this.#believeFetch(Number(number), rest);
  }

  #believeFetch(number: number, rest: string): void {
    assert.ok(number >= 1 && number <= this.uids.length, `FETCH of ${number}`);
    const uid = Number(/UID (\d+)/.exec(rest)?.[1] ?? this.uids[number - 1]);
    const known = this.uids[number - 1];
    assert.ok(known === 0 || known === uid, `number ${number} is UID ${known}, not ${uid}`);
    if (uid === 0) return;
    this.uids[number - 1] = uid;
    const names = /FLAGS \(([^)]*)\)/.exec(rest)?.[1];
    if (names === undefined) return;
    const flags = new Set(names.split(' ').filter((name) => name !== ''));
    if (flags.delete('\\Recent')) {
      const opening = this.#model.recent.get(uid) ?? this.#opening;
      assert.equal(opening, this.#opening, `${uid} is recent for two`);
      this.#model.recent.set(uid, opening);
    }
    const message = this.#model.find(uid);
    const before = this.before.get(uid);
    const wasTrue = before !== undefined && sorted(before).join(' ') === sorted(flags).join(' ');
    if (message !== undefined && !wasTrue) assert.deepEqual(sorted(flags), sorted(message.flags), `flags of ${uid}`);
    this.flags.set(uid, flags);
  }

  /** After it the client knows all. */
  async catchUp(): Promise<void> {
    await this.command('NOOP', 'anything');
    if (this.uids.includes(0)) await this.command('UID FETCH 1:* (FLAGS)', 'anything');
    const { messages } = this.#model;
    assert.deepEqual(
      this.uids,
      messages.map(({ uid }) => uid),
    );
    for (const { uid, flags } of messages)
      assert.deepEqual(sorted(this.flags.get(uid)!), sorted(flags), `flags of ${uid}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A client that knows of the mailbox what QRESYNC has told it. */
class Returning {
  readonly #login: string;
  readonly #model: Model;
  #client: ImapClient | undefined;
  #validity = 0;
  #modseq = 0;
  readonly #flags = new Map<number, ReadonlySet<string>>();

  constructor(login: string, model: Model) {
    this.#login = login;
    this.#model = model;
  }

  /** After it the client has the same mailbox. */
  async catchUp(cut: boolean): Promise<void> {
    if (cut) this.close();
    if (this.#client === undefined) {
      this.#client = await ImapClient.login(imap, this.#login, 'secret');
      await this.#client.command('ENABLE QRESYNC');
      await this.#ask(`SELECT INBOX${this.#validity === 0 ? '' : ` (QRESYNC (${this.#validity} ${this.#modseq}))`}`);
      if (this.#flags.size === 0) await this.#ask('UID FETCH 1:* (FLAGS)');
    } else {
      await this.#ask('NOOP');
      await this.#ask(`UID FETCH ${Math.max(0, ...this.#flags.keys()) + 1}:* (FLAGS)`);
    }
    const expected = this.#model.messages.map(({ uid, flags }) => `${uid} ${sorted(flags).join(' ')}`);
    const known = [...this.#flags].sort(([a], [b]) => a - b).map(([uid, flags]) => `${uid} ${sorted(flags).join(' ')}`);
    assert.deepEqual(known, expected);
  }

  async #ask(command: string): Promise<void> {
    const { untagged } = await this.#client!.command(command);
    for (const { text } of untagged) {
      const validity = /^OK \[UIDVALIDITY (\d+)/.exec(text)?.[1];
      if (validity !== undefined) this.#validity = Number(validity);
      const modseq = /\bHIGHESTMODSEQ (\d+)|MODSEQ \((\d+)\)/.exec(text);
      if (modseq !== null) this.#modseq = Math.max(this.#modseq, Number(modseq[1] ?? modseq[2]));
      const vanished = /^VANISHED (?:\(EARLIER\) )?(\S+)$/.exec(text)?.[1];
      for (const range of vanished?.split(',') ?? []) {
        const [first, last = first] = range.split(':').map(Number);
        for (let uid = first!; uid <= last!; uid++) this.#flags.delete(uid);
      }
      const [, uid, names] = /FETCH \(UID (\d+) FLAGS \(([^)]*)\)/.exec(text) ?? [];
      if (uid === undefined) continue;
      const flags = names!.split(' ').filter((name) => name !== '' && name !== '\\Recent');
      this.#flags.set(Number(uid), new Set(flags));
    }
  }

  close(): void {
    this.#client?.connection.destroy();
    this.#client = undefined;
  }
}

function sorted(flags: Iterable<string>): string[] {
  return [...flags].sort();
}

async function run(step: Step, client: Client, model: Model, returning: Returning): Promise<void> {
  const count = client.uids.length;
  const from = 'at' in step && count > 0 ? (step.at % count) + 1 : 0;
  const to = 'at' in step ? Math.min(count, from + step.count) : 0;
  /** UIDs that the client means; 0 for those that it has not asked for. */
  const meant = client.uids.slice(from - 1, to);
  const byUid = 'byUid' in step && step.byUid;
  if ('at' in step && (count === 0 || (meant.includes(0) && step.kind !== 'fetch'))) return;
  const set = byUid ? meant.filter((uid) => uid > 0).join(',') : `${from}:${to}`;
  const prefix = byUid ? 'UID ' : '';
  const expunges = byUid ? 'anything' : 'none';
  switch (step.kind) {
    case 'append':
      model.add(step.flags);
      await client.command(`APPEND INBOX (${step.flags.join(' ')}) {1+}\r\nx`, 'anything');
      return;
    case 'store': {
      const sign = { replace: '', add: '+', remove: '-' }[step.mode];
      client.before = new Map(model.messages.map((message) => [message.uid, message.flags]));
      for (const uid of meant) model.change(uid, step.mode, step.flags);
      const silent = step.silent ? '.SILENT' : '';
      // What others did is reported before, so the client's own change is applied after it.
      await client.command(`${prefix}STORE ${set} ${sign}FLAGS${silent} (${step.flags.join(' ')})`, expunges);
      client.before = new Map();
      if (step.silent)
        for (const uid of meant) {
          const known = client.flags.get(uid);
          if (known !== undefined) client.flags.set(uid, changed(known, step.mode, step.flags));
        }
      return;
    }
    case 'fetch':
      if (set !== '') await client.command(`${prefix}FETCH ${set} (UID FLAGS)`, expunges);
      return;
    case 'search': {
      const key = step.flag === '$Work' ? 'KEYWORD $Work' : step.flag.slice(1).toUpperCase();
      const known = [...client.uids];
      const found = await client.command(`${prefix}SEARCH ${key}`, expunges);
      const uids = byUid ? found : found.map((number) => known[number - 1]!);
      // Messages whose UID the client does not know are judged by their position alone.
      const expected = model.messages.filter(({ uid, flags }) => flags.has(step.flag) && known.includes(uid));
      assert.deepEqual(
        uids.filter((uid) => known.includes(uid) && uid !== 0),
        expected.map(({ uid }) => uid),
      );
      return;
    }
    case 'copy': {
      for (const uid of meant) {
        const message = model.find(uid);
        if (message !== undefined) model.add(message.flags);
      }
      await client.command(`COPY ${set} INBOX`, 'anything');
      return;
    }
    case 'move': {
      for (const uid of meant) {
        const message = model.find(uid);
        if (message === undefined) continue;
        model.messages.splice(model.messages.indexOf(message), 1);
        model.add(message.flags);
      }
      await client.command(`MOVE ${set} INBOX`, 'anything');
      return;
    }
    case 'uid-expunge':
      model.expunge(new Set(meant));
      await client.command(`UID EXPUNGE ${meant.join(',')}`, 'anything');
      return;
    case 'expunge':
      model.expunge();
      await client.command('EXPUNGE', 'anything');
      return;
    case 'noop':
      return client.catchUp();
    case 'idle':
      await client.command('IDLE', 'anything');
      return;
    case 'close':
      model.expunge();
      await client.command('CLOSE', 'anything');
      return client.select();
    case 'return':
      return returning.catchUp(step.cut);
    case 'forget':
      // No session holds a view between commands: what the next one needs is read again.
      imap.door.views.sweep(Number.POSITIVE_INFINITY);
      return;
    default:
      step satisfies never;
  }
}

const flags = fc.subarray(FLAGS);
const position = { at: fc.nat(20), count: fc.nat(3) };
const session = fc.nat(2);
const steps = fc.oneof(
  { weight: 3, arbitrary: fc.record({ session, kind: fc.constant('append' as const), flags }) },
  {
    weight: 5,
    arbitrary: fc.record({
      session,
      kind: fc.constant('store' as const),
      byUid: fc.boolean(),
      silent: fc.boolean(),
      mode: fc.constantFrom<Mode>('replace', 'add', 'remove'),
      flags,
      ...position,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ session, kind: fc.constant('fetch' as const), byUid: fc.boolean(), ...position }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      session,
      kind: fc.constant('search' as const),
      byUid: fc.boolean(),
      flag: fc.constantFrom(...FLAGS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ session, kind: fc.constantFrom('copy', 'move'), ...position }) },
  { weight: 1, arbitrary: fc.record({ session, kind: fc.constant('uid-expunge' as const), ...position }) },
  {
    weight: 4,
    arbitrary: fc.record({ session, kind: fc.constantFrom('expunge', 'noop', 'close', 'idle', 'forget') }),
  },
  { weight: 2, arbitrary: fc.record({ session, kind: fc.constant('return' as const), cut: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ session, kind: fc.constantFrom('noop' as const, 'forget' as const) }),
  },
) as fc.Arbitrary<Step>;

let imap: TestImap;
before(async () => {
  imap = await openTestImap();
});
after(() => imap?.close());

test('three sessions in one mailbox get true reports, all of them, and only when they are allowed', {
  timeout: 240_000,
}, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 40 }), async (script) => {
      const login = `user${++runs}`;
      await imap.addAccount(login, 'secret');
      const model = new Model();
      const clients = [
        await Client.open(imap, login, model),
        await Client.open(imap, login, model),
        await Client.open(imap, login, model),
      ];
      const returning = new Returning(login, model);
      await returning.catchUp(true);
      try {
        for (const step of script) await run(step, clients[step.session]!, model, returning);
        for (const client of clients) await client.catchUp();
        await returning.catchUp(true);
        await returning.catchUp(false);
      } finally {
        for (const client of clients) client.close();
        returning.close();
      }
    }),
    { numRuns: 200 },
  );
});
