// A shared mailbox under random commands of its owner and of two readers whose rights change, against a naive list with a naive table of
// rights: what each may do is asked of the table at each command, what each sees is the own flags and the folder's \Deleted.
//
// A reader who may not read any more is told BYE, comes back, and is refused until the rights are there again.
// Long: READERS_RUNS=5000
// RFC 4314 §2.1 §4

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ImapClient, ImapRefusal } from '../../demo/clients/imap-client.ts';
import { openTestImap, type TestImap } from './testing.ts';

const RUNS = Number(process.env['READERS_RUNS'] ?? 60);
const FLAGS = ['\\Seen', '\\Deleted', '\\Flagged', '$Work'];
const OWNER = 0;
const READERS = [1, 2];

type Mode = 'replace' | 'add' | 'remove';
type Step = { readonly who: number } & (
  | { readonly kind: 'append'; readonly flags: readonly string[] }
  | { readonly kind: 'store'; readonly mode: Mode; readonly flags: readonly string[]; readonly at: number }
  | { readonly kind: 'expunge' | 'look' | 'status' }
  | { readonly kind: 'rights'; readonly of: number; readonly rights: string; readonly negative: boolean }
);

interface Message {
  readonly uid: number;
  isDeleted: boolean;
  /** Each one's own, by who it is. */
  readonly own: Set<string>[];
}

/** The truth. */
class Model {
  messages: Message[] = [];
  uidNext = 1;
  /** Of the readers: given, and taken. */
  readonly #given = ['', '', ''];
  readonly #taken = ['', '', ''];

  setRights(of: number, rights: string, negative: boolean): void {
    (negative ? this.#taken : this.#given)[of] = rights;
  }

  may(who: number, right: string): boolean {
    return who === OWNER || (this.#given[who]!.includes(right) && !this.#taken[who]!.includes(right));
  }

  mayFlag(who: number, flag: string): boolean {
    return this.may(who, flag === '\\Seen' ? 's' : flag === '\\Deleted' ? 't' : 'w');
  }

  append(who: number, flags: readonly string[]): void {
    const allowed = flags.filter((flag) => this.mayFlag(who, flag));
    const own = [OWNER, ...READERS].map(() => new Set<string>());
    own[who] = new Set(allowed.filter((flag) => flag !== '\\Deleted'));
    this.messages.push({ uid: this.uidNext++, isDeleted: allowed.includes('\\Deleted'), own });
  }

  /** Undefined: refused. */
  store(who: number, { own, isDeleted }: Message, mode: Mode, flags: readonly string[]): Set<string> | undefined {
    const may = FLAGS.filter((flag) => this.mayFlag(who, flag));
    const asked = flags.filter((flag) => may.includes(flag));
    if (may.length === 0 || (asked.length === 0 && flags.length > 0 && mode !== 'replace')) return undefined;
    const now = new Set([...own[who]!, ...(isDeleted ? ['\\Deleted'] : [])]);
    if (mode === 'replace') for (const flag of may) now.delete(flag);
    for (const flag of asked)
      if (mode === 'remove') now.delete(flag);
      else now.add(flag);
    return now;
  }

  seenBy(who: number): string[] {
    return this.messages.map(({ uid, isDeleted, own }) =>
      textOf(uid, [...own[who]!, ...(isDeleted ? ['\\Deleted'] : [])]),
    );
  }
}

function textOf(uid: number, flags: Iterable<string>): string {
  return `${uid} ${[...flags]
    .filter((flag) => flag !== '\\Recent')
    .sort()
    .join(' ')}`;
}

/** One of the three, with what it knows of the mailbox by reports alone. */
class Person {
  readonly who: number;
  readonly login: string;
  readonly name: string;
  readonly #model: Model;
  #client: ImapClient | undefined;
  isSelected = false;
  /** Selected when nothing could be changed there: so it stays until it is selected anew. RFC 4314 §5.2 */
  isReadOnly = false;
  /** UID -> flags, in order; UID 0 where it has not been told. */
  #uids: number[] = [];
  readonly #flags = new Map<number, string>();

  constructor(who: number, logins: readonly string[], model: Model) {
    this.who = who;
    this.login = logins[who]!;
    this.name = who === OWNER ? 'INBOX' : `"Other Users/${logins[OWNER]}"`;
    this.#model = model;
  }

  get #mayRead(): boolean {
    return this.#model.may(this.who, 'r') && this.#model.may(this.who, 'l');
  }

  /** Rights have been set: a session that has lost its mailbox hears so, by itself or with its next command. */
  async hear(): Promise<void> {
    if (!this.isSelected || this.#model.may(this.who, 'r')) return;
    await assert.rejects(this.#command('NOOP'), (error: Error) => !/^t\d+ /.test(error.message));
    this.close();
  }

  /** Selected, where that is allowed. Gives whether it is. */
  async ready(): Promise<boolean> {
    this.#client ??= await ImapClient.login(imap, this.login, 'secret');
    if (this.isSelected) return true;
    this.#uids = [];
    this.#flags.clear();
    if (!this.#mayRead) {
      await assert.rejects(this.#command(`SELECT ${this.name}`), refusalFor(this.#model.may(this.who, 'l')));
      return false;
    }
    await this.#command(`SELECT ${this.name}`);
    this.isReadOnly = ![...'swite'].some((right) => this.#model.may(this.who, right));
    this.isSelected = true;
    return true;
  }

  async #command(text: string, literal?: Uint8Array): Promise<string> {
    const tagged = await this.#client!.command(text, literal);
    for (const { text: said } of tagged.untagged) this.#believe(said);
    return tagged.untagged.map(({ text: said }) => said).join('\n');
  }

  /** OK where it is allowed, else the refusal that the rights have. */
  async act(text: string, isAllowed: boolean, literal?: Uint8Array): Promise<void> {
    if (isAllowed) await this.#command(text, literal);
    else await assert.rejects(this.#command(text, literal), refusalFor(this.#model.may(this.who, 'l')), text);
  }

  #believe(said: string): void {
    const [, number, what, rest = ''] = /^(\d+) (EXISTS|EXPUNGE|FETCH)(.*)$/.exec(said) ?? [];
    const at = Number(number);
    if (what === 'EXISTS') while (this.#uids.length < at) this.#uids.push(0);
    else if (what === 'EXPUNGE') this.#flags.delete(this.#uids.splice(at - 1, 1)[0]!);
    else if (what === 'FETCH') {
      const uid = Number(/UID (\d+)/.exec(rest)?.[1] ?? this.#uids[at - 1]);
      const flags = /FLAGS \(([^)]*)\)/.exec(rest)?.[1];
      this.#uids[at - 1] = uid;
      if (uid !== 0 && flags !== undefined) this.#flags.set(uid, textOf(uid, flags.split(' ').filter(Boolean)));
    }
  }

  /** What it has been told is the truth for it. */
  async look(): Promise<void> {
    await this.#command('NOOP');
    if (this.#uids.includes(0)) await this.#command('UID FETCH 1:* (FLAGS)');
    const known = this.#uids.map((uid) => this.#flags.get(uid));
    assert.deepEqual(known, this.#model.seenBy(this.who), `what ${this.login} has been told`);
    this.#flags.clear();
    await this.#command('UID FETCH 1:* (FLAGS)');
    const read = this.#uids.map((uid) => this.#flags.get(uid));
    assert.deepEqual(read, this.#model.seenBy(this.who), `what ${this.login} reads`);
  }

  /** Of a mailbox that is not selected by this command. */
  async status(): Promise<void> {
    const unseen = this.#model.messages.filter(({ own }) => !own[this.who]!.has('\\Seen')).length;
    if (!this.#mayRead) return this.act(`STATUS ${this.name} (UNSEEN)`, false);
    assert.match(await this.#command(`STATUS ${this.name} (UNSEEN)`), new RegExp(`\\(UNSEEN ${unseen}\\)`));
  }

  close(): void {
    this.#client?.destroy();
    this.#client = undefined;
    this.isSelected = false;
  }
}

function refusalFor(isVisible: boolean): (error: Error) => boolean {
  return (error) =>
    error instanceof ImapRefusal &&
    (isVisible
      ? /NO (\[NOPERM\]|The mailbox was opened read-only)/
      : /NO (\[(NONEXISTENT|NOPERM|TRYCREATE)\]|The mailbox was opened read-only)/
    ).test(error.message);
}

async function run(step: Step, people: readonly Person[], model: Model): Promise<void> {
  const person = people[step.who]!;
  if (step.kind === 'rights') {
    const [owner, reader] = [people[OWNER]!, people[step.of]!];
    await owner.ready();
    await owner.act(`SETACL INBOX ${step.negative ? '-' : ''}${reader.login} "${step.rights}"`, true);
    model.setRights(step.of, step.rights, step.negative);
    // At once: rights that come back do not bring back a session that has been told.
    return reader.hear();
  }
  const isSelected = await person.ready();
  switch (step.kind) {
    case 'append': {
      const isAllowed = model.may(step.who, 'i') && model.may(step.who, 'l');
      if (isAllowed) model.append(step.who, step.flags);
      return person.act(`APPEND ${person.name} (${step.flags.join(' ')})`, isAllowed, Buffer.from('x'));
    }
    case 'store': {
      if (!isSelected || model.messages.length === 0) return;
      await person.look();
      const message = model.messages[step.at % model.messages.length]!;
      const after = person.isReadOnly ? undefined : model.store(step.who, message, step.mode, step.flags);
      const sign = { replace: '', add: '+', remove: '-' }[step.mode];
      await person.act(`UID STORE ${message.uid} ${sign}FLAGS (${step.flags.join(' ')})`, after !== undefined);
      if (after === undefined) return;
      message.isDeleted = after.delete('\\Deleted');
      message.own[step.who] = after;
      return;
    }
    case 'expunge': {
      if (!isSelected) return;
      const isAllowed = model.may(step.who, 'e') && !person.isReadOnly;
      await person.act('EXPUNGE', isAllowed);
      if (isAllowed) model.messages = model.messages.filter(({ isDeleted }) => !isDeleted);
      return;
    }
    case 'look':
      return isSelected ? person.look() : undefined;
    case 'status':
      return person.status();
    default:
      step satisfies never;
  }
}

const who = fc.nat(2);
const flags = fc.subarray(FLAGS);
const rights = fc.oneof(
  { weight: 3, arbitrary: fc.subarray([...'swite']).map((more) => `lr${more.join('')}`) },
  { weight: 1, arbitrary: fc.subarray([...'lrswite']).map((some) => some.join('')) },
);
const steps = fc.oneof(
  { weight: 3, arbitrary: fc.record({ who, kind: fc.constant('append' as const), flags }) },
  {
    weight: 6,
    arbitrary: fc.record({
      who,
      kind: fc.constant('store' as const),
      mode: fc.constantFrom<Mode>('replace', 'add', 'remove'),
      flags,
      at: fc.nat(20),
    }),
  },
  { weight: 5, arbitrary: fc.record({ who, kind: fc.constantFrom('expunge', 'look', 'look', 'status') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      who: fc.constant(OWNER),
      kind: fc.constant('rights' as const),
      of: fc.constantFrom(...READERS),
      rights,
      negative: fc.constant(false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      who: fc.constant(OWNER),
      kind: fc.constant('rights' as const),
      of: fc.constantFrom(...READERS),
      rights: fc.subarray([...'lrswite']).map((some) => some.join('')),
      negative: fc.constant(true),
    }),
  },
) as fc.Arbitrary<Step>;

let imap: TestImap;
before(async () => {
  imap = await openTestImap();
});
after(() => imap?.close());

test('each of three sees the own flags, and may at each command what the rights are then', {
  timeout: 1_200_000,
}, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 40 }), async (script) => {
      runs++;
      const logins = ['owner', 'one', 'two'].map((name) => `${name}${runs}@acme.example`);
      for (const login of logins) await imap.addAccount(login, 'secret');
      const model = new Model();
      const people = [OWNER, ...READERS].map((each) => new Person(each, logins, model));
      try {
        for (const reader of READERS)
          await run({ who: OWNER, kind: 'rights', of: reader, rights: 'lrswite', negative: false }, people, model);
        for (const step of script) await run(step, people, model);
        for (const person of people) if (await person.ready()) await person.look();
      } finally {
        for (const person of people) person.close();
      }
    }),
    { numRuns: RUNS },
  );
});
