// A message store for tests: real tables, writer and segment files in a temporary directory, in this thread.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { type AccountId, Ids, idOf, type SegmentId, type Uid } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import { ensureAccount, INBOX } from './accounts.ts';
import { Blobs } from './blobs.ts';
import { checkStore } from './check.ts';
import { closeSegment, openSegment } from './collect.ts';
import { copy, move } from './copy.ts';
import { append, deliverToMailboxes, insertMessage } from './deliver.ts';
import { expunge } from './expunge.ts';
import type { FlagChange, FlagSet } from './flags.ts';
import { storeFlags } from './flags-change.ts';
import { createIntakes, Intake, type IntakeOptions, type Intakes, type TakenMessage } from './intake.ts';
import { ownMailbox, type UidRange } from './mailbox-key.ts';
import { createMailbox, findMailbox } from './mailboxes.ts';
import { flagsBetween, type MessageRow } from './messages.ts';
import { type SegmentHost, SegmentWriter } from './segment.ts';
import { storeUnit } from './tables.ts';

const makeAccount = operation('test.account', (tx, uuid: string) => ensureAccount(tx, { uuid, tenant: 1 }));

interface Delivery {
  readonly message: MessageRow;
  readonly accounts: readonly AccountId[];
}

const deliver = operation('test.deliver', async (tx, { message, accounts }: Delivery) => {
  await insertMessage(tx, message, accounts.length);
  const into = accounts.map((owner) => ({ owner }));
  const found = await deliverToMailboxes(tx, { ...message, size: message.blob.length }, into);
  if (found.includes(false)) throw new Failure('not-found', `no account ${accounts[found.indexOf(false)]}`);
});

export class TestStore {
  readonly database: TestDatabase = openTestDatabase([storeUnit]);
  readonly segmentsPath = join(this.database.directory, 'segments');
  readonly blobs = new Blobs(this.segmentsPath, this.database.reader);
  readonly intakes: Intakes;
  readonly #ids = new Ids(new BigInt64Array(1), 0, systemClock.now);
  /** What the segments could not go on with. */
  readonly fatal: Error[] = [];
  /** While true, no segment gets its row. */
  isFull = false;
  #accounts = 0;

  constructor() {
    mkdirSync(this.segmentsPath);
    const { writer } = this.database;
    const host: SegmentHost = {
      directory: this.segmentsPath,
      nextId: () => this.#ids.next(),
      isSyncSlow: () => false,
      written: () => {},
      opened: async (segment) => {
        if (this.isFull) throw new Failure('full', 'no space');
        await writer.execute(openSegment, { segment, thread: 1, at: 1 });
      },
      closed: (segment, bytes) => writer.execute(closeSegment, { segment, bytes, at: 2 }),
      fatal: (error) => this.fatal.push(error),
    };
    this.intakes = createIntakes(host, new SegmentWriter(host));
  }

  account(): Promise<AccountId> {
    return this.database.writer.execute(makeAccount, `uuid-${++this.#accounts}`);
  }

  nextSegment(): SegmentId {
    return this.#ids.next();
  }

  intake(returnPath = '', fields = '', options: IntakeOptions = {}): Intake {
    return new Intake(this.intakes, this.#ids.next(), () => ({ returnPath, fields }), options);
  }

  async append(account: AccountId, mailbox: string, text: string, flags?: Partial<FlagSet>): Promise<Uid> {
    const intake = this.intake();
    await intake.write(Buffer.from(text, 'latin1'));
    const { row, pending } = await intake.finish(3, 'any');
    try {
      const full = { flags: 0, keywords: [], ...flags };
      const args = { owner: account, mailbox, messages: [{ message: row, flags: full, internalDate: 4 }] };
      return (await this.database.writer.execute(append, args)).firstUid;
    } finally {
      pending.settle();
    }
  }

  /** One copy for the INBOXes of all. */
  async deliver(accounts: readonly AccountId[], text: string): Promise<void> {
    const intake = this.intake('Return-Path: <x@x.example>\r\n');
    await intake.write(Buffer.from(text, 'latin1'));
    await this.place(accounts, await intake.finish(3));
  }

  /** In the INBOX of each. */
  async place(accounts: readonly AccountId[], { row, pending }: TakenMessage): Promise<void> {
    await this.database.writer.execute(deliver, { message: row, accounts }).finally(() => pending.settle());
  }

  count(table: string): number {
    return Number(this.database.reader.get(`SELECT count(*) AS n FROM ${table}`)?.['n']);
  }

  /** What the checker says, every record read. */
  async problems(): Promise<string[]> {
    const found: string[] = [];
    const options = {
      reader: this.database.reader,
      segments: this.segmentsPath,
      bytes: true,
      otherReferences: () => new Map<number, number>(),
    };
    for await (const { problem, where, detail } of checkStore(options)) found.push(`${problem}: ${where}: ${detail}`);
    return found;
  }

  async close(): Promise<void> {
    await this.intakes.segments.close();
    this.blobs.close();
    // Behind this, what the segments have posted to the writer is done.
    await this.database.writer.execute(closeSegment, { segment: idOf<SegmentId>(0), bytes: 0, at: 0 });
    this.database.close();
  }
}

export function uidRange(from: number, to = from): UidRange {
  return [idOf(from), idOf(to)];
}

type Ranges = readonly (readonly [from: number, to: number])[];

/** A store with an account that has so many messages in its INBOX and an empty folder, and what is done to them. */
export async function openTestBox(messages: number) {
  const store = new TestStore();
  const account = await store.account();
  const { reader, writer } = store.database;
  const inbox = ownMailbox(account, INBOX);
  await writer.execute(createMailbox, { owner: account, name: 'Folder' });
  for (let i = 1; i <= messages; i++) await store.append(account, 'INBOX', `Subject: ${i}\r\n\r\n`);
  return {
    store,
    account,
    reader,
    writer,
    inbox: () => findMailbox(reader, account, 'INBOX')!,
    folder: () => findMailbox(reader, account, 'Folder')!,
    /** `uid flags keywords` of each message. */
    flags: (mailbox = INBOX) =>
      flagsBetween(reader, ownMailbox(account, mailbox), uidRange(1, 1e9)).map(({ uid, flags, keywords }) =>
        [uid, flags, ...keywords].join(' '),
      ),
    set: (ranges: Ranges, change: FlagChange, flags: number, ...keywords: string[]) =>
      writer.execute(storeFlags, {
        ...inbox,
        ranges: ranges.map(([from, to]) => uidRange(from, to)),
        change,
        by: { flags, keywords },
      }),
    expunge: (ranges?: Ranges, deletedOnly = true) =>
      writer.execute(expunge, { ...inbox, ranges: ranges?.map(([from, to]) => uidRange(from, to)), deletedOnly }),
    copy: (ranges: Ranges, target: string) =>
      writer.execute(copy, { ...inbox, ranges: ranges.map(([from, to]) => uidRange(from, to)), target }),
    move: (ranges: Ranges, target: string) =>
      writer.execute(move, { ...inbox, ranges: ranges.map(([from, to]) => uidRange(from, to)), target }),
    /** Fails when the store is not as it should be. */
    async close() {
      const problems = await store.problems();
      await store.close();
      assert.deepEqual(problems, []);
    },
  };
}
