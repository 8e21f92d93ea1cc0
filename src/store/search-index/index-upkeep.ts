// Keeps the indexes of all accounts that search: new messages are put in, gone ones taken out, the newest first.
//
// In      rows of searched accounts (searched.ts), of their mailboxes and messages; bytes
// Out     an index file an account (index-file.ts), how far it is
// States  of an account: unknown -> looked through -> behind <-> complete. What has come since is found by the mailboxes'
//         uidnext; all of its messages are compared with all that the index knows when it is seen first, and FULL_MS after the
//         last time where anything has changed
// Limits  a slice puts in SLICE_MESSAGES messages, or SLICE_BYTES of text and READ_MESSAGES more, or takes out REMOVED_A_SLICE; PAUSE times its processor time others
//         have the core. Of messages there are numbers in memory, of one account at a time
// Errors  a damaged file, or another program's, is made anew. A message that an older parser has read, or that cannot be read
//         now, is left out and tried again at the next full look: who searches reads it
// Never   takes a message for indexed whose bytes were gone when they were read

import type { Clock } from '../../base/clock.ts';
import { HOUR_MS } from '../../base/duration.ts';
import { asFailure } from '../../base/failure.ts';
import { type AccountId, idOf, idText, type MailboxId, type MessageId, type Modseq, type Uid } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { UpkeepTask } from '../../base/upkeep.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { removeSideFile } from '../../database/side-file.ts';
import { PARSER } from '../../message/structure.ts';
import type { Blobs } from '../blobs.ts';
import { MessageText, NO_NEEDLES } from '../message-text.ts';
import { messagesById } from '../messages.ts';
import { accountMessagesAfter, lastModseq, type MailboxHeight, mailboxHeights } from './account-messages.ts';
import { type IndexedText, IndexWriter, indexedAccounts, indexPath } from './index-file.ts';
import {
  forgetSearched,
  highestIndexedId,
  noteIndexDamage,
  noteIndexProgress,
  raiseIndexedId,
  type SearchedAccount,
  searchedAccounts,
} from './searched.ts';

const SLICE_MESSAGES = 64;
const SLICE_BYTES = 1024 * 1024;
/** Read at once: what came together lies together. */
const READ_MESSAGES = 8;
/** Of four parts of a core others have three. */
const PAUSE = 3;
const LOOK_MS = 5000;
/** A look at nothing new takes a fortieth of the time. */
const LOOK_PAUSE = 40;
const FULL_MS = HOUR_MS;
const CLEAN_MS = 24 * HOUR_MS;
/** More new messages than this are found by a full look. */
const NEW_MAX = 1000;
/** Slices of one account while others wait. */
const TURN_SLICES = 50;
const PROGRESS_MS = 5000;
const PAGE_ROWS = 5000;
const REMOVED_A_SLICE = 500;

export interface IndexUpkeepParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly clock: Clock;
  /** Where the files are. */
  readonly directory: string;
  /** Whether anybody has this account. */
  readonly isOwned: (account: AccountId) => boolean;
  readonly count: (what: 'message' | 'removed' | 'rebuilt', count: number) => void;
}

/** What is known of an account's index. */
interface Known {
  /** At the last look. */
  modseq: Modseq;
  /** Of each mailbox, at the last look. */
  uidNext: ReadonlyMap<MailboxId, Uid>;
  fullAt: number;
  /** Anything has changed since the last full look, or was left out by it. */
  isStale: boolean;
  since: number | undefined;
}

/** The account that is worked on. */
interface Work {
  readonly account: AccountId;
  readonly known: Known;
  readonly file: IndexWriter;
  /** Ascending: the next ones are at the end. */
  readonly missing: MessageId[];
  /** In the index, and no more in the account. */
  readonly gone: MessageId[];
  left: number;
  slices: number;
  notedAt: number;
}

export class IndexUpkeep implements UpkeepTask {
  readonly name = 'index';
  readonly #parts: IndexUpkeepParts;
  readonly #known = new Map<AccountId, Known>();
  /** Accounts that have something to be done, in the order in which they were found. */
  readonly #waiting = new Set<AccountId>();
  readonly #rebuiltAt = new Map<AccountId, number>();
  #work: Work | undefined;
  #lookedAt: Modseq | undefined;
  #searched: readonly SearchedAccount[] = [];
  #cleanedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: IndexUpkeepParts) {
    this.#parts = parts;
  }

  async run(): Promise<number> {
    const before = process.threadCpuUsage();
    const isBusy = await this.#slice();
    const { user, system } = process.threadCpuUsage(before);
    const usedMs = (user + system) / 1000;
    return isBusy ? Math.max(1, PAUSE * usedMs) : Math.max(LOOK_MS, LOOK_PAUSE * usedMs);
  }

  async end(): Promise<void> {
    this.#leave();
  }

  /** Whether there is more to do. */
  async #slice(): Promise<boolean> {
    if (this.#work === undefined) {
      if (this.#waiting.size === 0) await this.#look();
      const [account] = this.#waiting;
      if (account === undefined) return false;
      await this.#guarded(account, () => this.#begin(account));
      return true;
    }
    const { account } = this.#work;
    await this.#guarded(account, () => this.#goOn(this.#work!));
    return true;
  }

  /** A file that is damaged is made anew; one that is so again within the hour rests for a while. */
  async #guarded(account: AccountId, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#leave();
      this.#known.delete(account);
      const isWorn = this.#parts.clock.now() - (this.#rebuiltAt.get(account) ?? 0) < HOUR_MS;
      if (asFailure(error).kind !== 'conflict' || isWorn) {
        this.#waiting.delete(account);
        // At the next look it is found again.
        this.#lookedAt = undefined;
        throw error;
      }
      this.#rebuild(account);
    }
  }

  #rebuild(account: AccountId): void {
    this.#parts.log.warn('index.rebuild', { account });
    this.#parts.count('rebuilt', 1);
    this.#rebuiltAt.set(account, this.#parts.clock.now());
    removeSideFile(indexPath(this.#parts.directory, account));
    this.#known.delete(account);
    this.#waiting.add(account);
  }

  /** Which accounts search, and which of these have changed. */
  async #look(): Promise<void> {
    const { reader, writer, clock } = this.#parts;
    await this.#clean();
    const modseq = lastModseq(reader);
    const searched = allSearched(reader);
    const isSame = modseq === this.#lookedAt && searched.length === this.#searched.length;
    this.#searched = searched;
    for (const { account, isDamaged } of searched) {
      if (!isDamaged) continue;
      this.#rebuild(account);
      await writer.execute(noteIndexDamage, { account, isMended: true });
    }
    const now = clock.now();
    for (const { account } of searched) {
      const known = this.#known.get(account);
      const isDue = known?.isStale === true && now - known.fullAt >= FULL_MS;
      if (isDue || known === undefined || (!isSame && highestModseq(mailboxHeights(reader, account)) !== known.modseq))
        this.#waiting.add(account);
    }
    this.#lookedAt = modseq;
  }

  /** Once a day: accounts that do not search any more, or are nobody's, and files that are no account's. */
  async #clean(): Promise<void> {
    const { reader, writer, clock, directory, isOwned } = this.#parts;
    const now = clock.now();
    if (now - this.#cleanedAt < CLEAN_MS) return;
    this.#cleanedAt = now;
    this.#rebuiltAt.clear();
    const accounts = allSearched(reader).map(({ account }) => account);
    await writer.execute(forgetSearched, { now, accounts: accounts.filter((account) => !isOwned(account)) });
    const searched = new Set(allSearched(reader).map(({ account }) => account));
    for (const account of indexedAccounts(directory)) {
      if (!searched.has(account)) removeSideFile(indexPath(directory, account));
    }
    for (const account of this.#known.keys()) if (!searched.has(account)) this.#known.delete(account);
  }

  async #begin(account: AccountId): Promise<void> {
    const { reader, directory, clock } = this.#parts;
    this.#waiting.delete(account);
    const heights = mailboxHeights(reader, account);
    const modseq = highestModseq(heights);
    const uidNext = new Map(heights.map(({ mailbox, uidNext }) => [mailbox, uidNext]));
    const now = clock.now();
    const file = IndexWriter.open(indexPath(directory, account));
    const before = this.#known.get(account);
    const since = before?.since ?? this.#searched.find((one) => one.account === account)?.since;
    this.#work = {
      account,
      known: { modseq, uidNext, fullAt: before?.fullAt ?? now, isStale: true, since },
      ...{ file, missing: [], gone: [], left: 0, slices: 0, notedAt: 0 },
    };
    const work = this.#work;
    if (before === undefined && file.completeAt() === modseq) work.known.isStale = false;
    else if (before === undefined || now - before.fullAt >= FULL_MS || !this.#findNew(work, before, heights)) {
      await this.#findAll(work);
      work.known.fullAt = now;
      work.known.isStale = false;
    }
    this.#known.set(account, work.known);
    if (work.missing.length > 0) work.known.since ??= now;
    if (isDone(work)) await this.#complete(work);
    else await this.#note(work);
  }

  /** What has come since; false where that is too much. */
  #findNew(work: Work, before: Known, heights: readonly MailboxHeight[]): boolean {
    const { reader } = this.#parts;
    const { account, file, missing } = work;
    for (const { mailbox, uidNext } of heights) {
      const from = before.uidNext.get(mailbox) ?? idOf<Uid>(1);
      if (from >= uidNext) continue;
      const page = accountMessagesAfter(reader, account, { mailbox, uid: idOf<Uid>(from - 1) }, NEW_MAX);
      for (const one of page) if (one.mailbox === mailbox && !file.isKnown(one.message)) missing.push(one.message);
      if (page.length === NEW_MAX && page.at(-1)!.mailbox === mailbox) return false;
    }
    sortAndUnite(missing);
    return true;
  }

  /** All messages of the account beside all that the index knows. */
  async #findAll({ account, file, missing, gone }: Work): Promise<void> {
    const { reader } = this.#parts;
    const there: MessageId[] = [];
    for (let after = { mailbox: idOf<MailboxId>(0), uid: idOf<Uid>(0) }; ; ) {
      const page = accountMessagesAfter(reader, account, after, PAGE_ROWS);
      for (const { message } of page) there.push(message);
      if (page.length < PAGE_ROWS) break;
      after = page.at(-1)!;
      await turn();
    }
    sortAndUnite(there);
    let at = 0;
    missing.length = 0;
    for (let after = 0; ; ) {
      const page = file.known(after, PAGE_ROWS);
      for (const id of page) {
        while (at < there.length && there[at]! < id) missing.push(there[at++]!);
        if (there[at] === id) at++;
        else gone.push(id);
      }
      if (page.length < PAGE_ROWS) break;
      after = page.at(-1)!;
      await turn();
    }
    for (; at < there.length; at++) missing.push(there[at]!);
  }

  /** One slice: the newest of what is missing, then what is gone. */
  async #goOn(work: Work): Promise<void> {
    const { account, missing, gone, file } = work;
    if (missing.length > 0) await this.#add(work);
    else {
      const some = gone.splice(-REMOVED_A_SLICE);
      file.remove(some);
      this.#parts.count('removed', some.length);
    }
    work.slices++;
    if (isDone(work)) return this.#complete(work);
    if (this.#parts.clock.monotonic() - work.notedAt >= PROGRESS_MS) await this.#note(work);
    if (work.slices < TURN_SLICES || this.#waiting.size === 0) return;
    // Others have waited: this one is looked through again when its turn comes.
    this.#leave();
    this.#known.delete(account);
    this.#waiting.add(account);
  }

  async #add(work: Work): Promise<void> {
    const { writer, reader, count } = this.#parts;
    const { file, missing } = work;
    const texts: IndexedText[] = [];
    let bytes = 0;
    while (missing.length > 0 && texts.length < SLICE_MESSAGES && bytes < SLICE_BYTES) {
      for (const one of await this.#texts(missing.splice(-READ_MESSAGES), work)) {
        texts.push(one);
        bytes += one.text === undefined ? 0 : one.text.header.length + one.text.body.length;
      }
    }
    const id = texts.reduce((highest, one) => Math.max(highest, one.id), 0);
    if (id > highestIndexedId(reader)) await writer.execute(raiseIndexedId, { id: idOf<MessageId>(id) });
    file.add(texts);
    count('message', texts.length);
  }

  async #texts(ids: readonly MessageId[], work: Work): Promise<IndexedText[]> {
    const { reader, blobs, log } = this.#parts;
    const rows = messagesById(reader, ids);
    const texts = await Promise.all(
      rows.map(async (row) => {
        if (row.parser !== PARSER) return 'later';
        const message = new MessageText(row, blobs, NO_NEEDLES, () => undefined);
        if (message.isTooLong) return { id: row.id, text: undefined };
        try {
          const text = await message.whole();
          return text === undefined ? 'gone' : { id: row.id, text };
        } catch (error) {
          const { kind, message: words, detail = words } = asFailure(error);
          // Nobody can read it: searches that come to it say so.
          if (kind === 'damaged') return { id: row.id, text: undefined };
          log.warn('index.message', { message: idText(row.id), kind, detail });
          return 'later';
        }
      }),
    );
    const left = texts.filter((text) => text === 'later').length;
    if (left > 0) work.known.isStale = true;
    work.left += left;
    return texts.filter((text) => text !== 'later' && text !== 'gone');
  }

  async #complete(work: Work): Promise<void> {
    if (work.left === 0 && !work.known.isStale) work.file.complete(work.known.modseq);
    if (work.left === 0) work.known.since = undefined;
    await this.#note(work);
    this.#leave();
  }

  async #note(work: Work): Promise<void> {
    const { writer, clock } = this.#parts;
    work.notedAt = clock.monotonic();
    const behind = work.missing.length + work.left;
    await writer.execute(noteIndexProgress, { account: work.account, behind, since: work.known.since ?? null });
  }

  #leave(): void {
    this.#work?.file.close();
    this.#work = undefined;
  }
}

function isDone({ missing, gone }: Work): boolean {
  return missing.length === 0 && gone.length === 0;
}

const ACCOUNTS_A_PAGE = 1000;

function allSearched(reader: Reader): SearchedAccount[] {
  const all: SearchedAccount[] = [];
  for (let after = idOf<AccountId>(0); ; ) {
    const page = searchedAccounts(reader, after, ACCOUNTS_A_PAGE);
    all.push(...page);
    if (page.length < ACCOUNTS_A_PAGE) return all;
    after = page.at(-1)!.account;
  }
}

function highestModseq(heights: readonly MailboxHeight[]): Modseq {
  return idOf(heights.reduce((highest, { modseq }) => Math.max(highest, modseq), 0));
}

/** A copy in two mailboxes is one message. */
function sortAndUnite(ids: MessageId[]): void {
  const sorted = Float64Array.from(ids).sort();
  let kept = 0;
  for (let at = 0; at < sorted.length; at++)
    if (at === 0 || sorted[at] !== sorted[at - 1]) ids[kept++] = idOf(sorted[at]);
  ids.length = kept;
}

/** What else the thread has to do comes between. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
