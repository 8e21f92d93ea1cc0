// The index never changes an answer: SEARCH says what each message says by itself, while messages come and go, whatever of them
// is in the index, and after a kill in the middle of a slice.
//
// In      random mail (messages.ts) and random keys over texts that stand in it; a server's door, its index as far as it is
// Out     the UIDs of SEARCH are those of the messages that match one by one, by the text that no index has seen
// Length  INDEX_RUNS worlds, a quarter as many with kills
// Red     with words for trigrams (tokenize=unicode61, a word a term): texts within words are missed; with a row of
//         `indexed_message` that is written before the slice's transaction; without the characters that two blocks share

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { systemClock } from '../../src/base/clock.ts';
import { type AccountId, idOf, type Uid } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { fold } from '../../src/message/unicode-casemap.ts';
import { openTestImap, type TestImap } from '../../src/protocols/imap/testing.ts';
import { INBOX } from '../../src/store/accounts.ts';
import { append } from '../../src/store/deliver.ts';
import { Intake } from '../../src/store/intake.ts';
import { ownMailbox } from '../../src/store/mailbox-key.ts';
import { MessageText } from '../../src/store/message-text.ts';
import { type MailboxMessage, messagesBetween } from '../../src/store/messages.ts';
import { IndexUpkeep } from '../../src/store/search-index/index-upkeep.ts';
import { indexFigures, isSearchNoted } from '../../src/store/search-index/searched.ts';
import { type Draw, drawing, message, pick, WORDS } from './messages.ts';

const RUNS = Number(process.env['INDEX_RUNS'] ?? 12);
const STEPS = 14;

type Key =
  | { readonly kind: 'text' | 'body'; readonly text: string }
  | { readonly kind: 'header'; readonly field: string; readonly text: string }
  | { readonly kind: 'seen' }
  | { readonly kind: 'not'; readonly of: Key }
  | { readonly kind: 'or'; readonly of: readonly [Key, Key] }
  | { readonly kind: 'and'; readonly of: readonly Key[] };

class World {
  readonly imap: TestImap;
  readonly client: ImapClient;
  readonly account: AccountId;
  readonly draw: Draw;
  upkeep: IndexUpkeep;
  #login: string;

  private constructor(imap: TestImap, client: ImapClient, account: AccountId, login: string, draw: Draw) {
    this.imap = imap;
    this.client = client;
    this.account = account;
    this.#login = login;
    this.draw = draw;
    this.upkeep = this.newUpkeep();
  }

  static async open(imap: TestImap, login: string, draw: Draw): Promise<World> {
    const account = await imap.addAccount(login, 'secret');
    const client = await ImapClient.login(imap, login, 'secret');
    await client.command('SELECT INBOX');
    return new World(imap, client, account, login, draw);
  }

  get directory(): string {
    return join(this.imap.database.directory, 'index');
  }

  newUpkeep(): IndexUpkeep {
    const { database, door } = this.imap;
    return new IndexUpkeep({
      ...{ reader: database.reader, writer: database.writer, blobs: door.blobs, log: silentLog, clock: systemClock },
      directory: this.directory,
      isOwned: () => true,
      count: () => {},
    });
  }

  /** As a delivery does it: APPEND takes no NUL. */
  async deliver(): Promise<void> {
    const { door, database } = this.imap;
    const intake = new Intake(door.intakes, door.nextId(), () => ({ returnPath: '', fields: '' }));
    await intake.write(message(this.draw));
    const { row, pending } = await intake.finish(3, 'any');
    const flags = { flags: this.draw(2), keywords: [] };
    const args = { owner: this.account, mailbox: 'INBOX', messages: [{ message: row, flags, internalDate: 4 }] };
    await database.writer.execute(append, args).finally(() => pending.settle());
    await this.client.command('NOOP');
  }

  messages(): MailboxMessage[] {
    const everything = [idOf<Uid>(1), idOf<Uid>(2 ** 32)] as const;
    return messagesBetween(this.imap.database.reader, ownMailbox(this.account, INBOX), everything, 5000);
  }

  async expungeSome(): Promise<void> {
    const uids = this.messages()
      .filter(() => this.draw(4) === 0)
      .map(({ uid }) => uid);
    if (uids.length === 0) return;
    await this.client.command(`UID STORE ${uids.join(',')} +FLAGS.SILENT (\\Deleted)`);
    await this.client.command('EXPUNGE');
  }

  /** A part of a text that is there, or a word. */
  async needle(): Promise<string> {
    const row = pick(this.draw, [undefined, ...this.messages()]);
    if (row === undefined || this.draw(3) === 0) return pick(this.draw, WORDS);
    const text = new MessageText(row, this.imap.door.blobs, { body: new Set(), text: new Set() }, () => undefined);
    const whole = await text.whole();
    const all = pick(this.draw, [whole!.header, whole!.body]);
    const border = all.length > 8192 && this.draw(2) === 0;
    const from = border ? 8192 - this.draw(14) : this.draw(Math.max(1, all.length));
    const cut = all.slice(from, from + 1 + this.draw(14)).replaceAll('\0', '');
    const one = cut.isWellFormed() ? cut : cut.toWellFormed();
    return this.draw(2) === 0 ? one.toLowerCase() : one;
  }

  async key(depth = 2): Promise<Key> {
    switch (depth === 0 ? this.draw(4) : this.draw(7)) {
      case 0:
        return {
          kind: 'header',
          field: pick(this.draw, ['subject', 'from', 'to', 'x-note']),
          text: await this.needle(),
        };
      case 1:
        return { kind: 'body', text: await this.needle() };
      case 2:
      case 3:
        return { kind: 'text', text: await this.needle() };
      case 4:
        return { kind: 'not', of: await this.key(depth - 1) };
      case 5:
        return { kind: 'or', of: [await this.key(depth - 1), await this.key(depth - 1)] };
      default:
        return {
          kind: 'and',
          of: [await this.key(depth - 1), this.draw(2) === 0 ? { kind: 'seen' } : await this.key(0)],
        };
    }
  }

  async matches(row: MailboxMessage, key: Key): Promise<boolean> {
    switch (key.kind) {
      case 'seen':
        return (row.flags & 1) !== 0;
      case 'not':
        return !(await this.matches(row, key.of));
      case 'or':
        return (await this.matches(row, key.of[0])) || (await this.matches(row, key.of[1]));
      case 'and':
        for (const one of key.of) if (!(await this.matches(row, one))) return false;
        return true;
      default: {
        const needles = new Set([fold(key.text)]);
        const both = { body: needles, text: needles };
        const text = new MessageText(row, this.imap.door.blobs, both, () => undefined);
        if (key.kind === 'header') return text.hasHeader(key.field, key.text);
        return key.kind === 'body' ? text.bodyHas(fold(key.text)) : text.messageHas(fold(key.text));
      }
    }
  }

  async search(): Promise<void> {
    const key = await this.key();
    const wanted: number[] = [];
    for (const row of this.messages()) if (await this.matches(row, key)) wanted.push(row.uid);
    assert.deepEqual(await this.found(key), wanted, `${this.#login}: ${JSON.stringify(key)}`);
  }

  async found(key: Key): Promise<number[]> {
    const { untagged } = await this.client.command(`UID SEARCH CHARSET UTF-8 ${inImap(key)}`);
    const line = untagged.find(({ text }) => text.startsWith('SEARCH'))!.text;
    return line.split(' ').slice(1).map(Number);
  }

  /** Another process, which is killed at some statement of its work: three messages are always more than eight. */
  async killed(): Promise<void> {
    for (let i = 0; i < 3; i++) await this.deliver();
    await this.search();
    while (!isSearchNoted(this.imap.database.reader, this.account, systemClock.now())) await sleep(1);
    await this.upkeep.end();
    const load = join(import.meta.dirname, '../../src/server/load-sources.ts');
    const child = join(import.meta.dirname, 'child.ts');
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--import', load, child, this.imap.database.directory, String(1 + this.draw(8))],
      { encoding: 'utf8', timeout: 60_000 },
    );
    assert.equal(signal, 'SIGKILL', stderr);
    this.upkeep = this.newUpkeep();
  }

  async index(slices: number): Promise<void> {
    for (let slice = 0; slice < slices; slice++) await this.upkeep.run();
  }

  /** Until nothing is behind. */
  async indexAll(): Promise<void> {
    do await this.index(3);
    while (indexFigures(this.imap.database.reader, systemClock.now()).messagesBehind > 0);
  }

  close(): void {
    this.client.connection.end();
  }
}

function inImap(key: Key): string {
  switch (key.kind) {
    case 'seen':
      return 'SEEN';
    case 'not':
      return `NOT ${inImap(key.of)}`;
    case 'or':
      return `OR ${inImap(key.of[0])} ${inImap(key.of[1])}`;
    case 'and':
      return `(${key.of.map(inImap).join(' ')})`;
    case 'header':
      return `HEADER ${key.field} ${literal(key.text)}`;
    default:
      return `${key.kind.toUpperCase()} ${literal(key.text)}`;
  }
}

function literal(text: string): string {
  const bytes = Buffer.from(text);
  return `{${bytes.length}+}\r\n${bytes.toString('latin1')}`;
}

async function withImap(work: (imap: TestImap) => Promise<void>): Promise<void> {
  const imap = await openTestImap();
  try {
    await work(imap);
  } finally {
    await imap.close();
  }
}

let worlds = 0;

async function live(imap: TestImap, seed: number, kills: boolean): Promise<void> {
  const world = await World.open(imap, `u${++worlds}`, drawing(seed));
  try {
    for (let step = 0; step < STEPS; step++) {
      const kind = world.draw(10);
      if (kind < 3) for (let i = world.draw(6); i >= 0; i--) await world.deliver();
      else if (kind === 3) await world.expungeSome();
      else if (kind < 6) await world.index(1 + world.draw(3));
      else if (kind === 6 && kills) await world.killed();
      for (let i = 0; i < 3; i++) await world.search();
    }
    await world.indexAll();
    for (let i = 0; i < 12; i++) await world.search();
  } finally {
    await world.upkeep.end();
    world.close();
  }
}

test('SEARCH with an index finds what each message says by itself, while messages come and go', async () => {
  await withImap(async (imap) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => live(imap, seed, false)),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
});

test('likewise after kills in the middle of a slice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => withImap((imap) => live(imap, seed, true))),
    { numRuns: Math.ceil(RUNS / 4), endOnFailure: true },
  );
});
