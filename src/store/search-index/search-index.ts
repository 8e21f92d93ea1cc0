// What the indexes of accounts say to the searches of one thread: of which messages a text is certainly absent.
//
// In      an account, texts that are looked for, folded as store/message-text.ts folds
// Out     for each text and message `lacks`: true only where the index holds all text of the message, and not all trigrams of the
//         text that is looked for are among it. Who asks reads the bytes of all other messages
// Order   first the number of the last slice, then candidates, then which messages were in by that slice: what is put in or
//         taken out meanwhile is a message that the index does not hold
// Limits  OPEN_MAX files; NEEDLES_MAX texts, CANDIDATES_MAX candidates of all together: a text that has more is one of which
//         nothing is known. Steps of STEP_CANDIDATES, others have their turn between
// Errors  an index that cannot be read is none; a damaged one is reported, and the upkeep thread makes it anew

import type { Clock } from '../../base/clock.ts';
import { asFailure } from '../../base/failure.ts';
import type { AccountId, MessageId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { IndexReader, indexPath, type MessageRows } from './index-file.ts';
import { isSearchNoted, noteIndexDamage, noteSearch } from './searched.ts';
import { trigramQuery } from './trigrams.ts';

const OPEN_MAX = 8;
const NEEDLES_MAX = 100;
const CANDIDATES_MAX = 100_000;
/** A few milliseconds: to find a row costs less than to fetch it. */
const STEP_CANDIDATES = 4000;

export interface IndexAnswers {
  /** The messages that are asked for next, in a few steps of the file and not one by one. */
  look(messages: readonly MessageId[]): void;
  /** Whether `text` is certainly nowhere in this message, one of the last look, or in its headers, or in its body. */
  lacks(message: MessageId, text: string, where: Where): boolean;
}

export type Where = 'header' | 'body' | 'text';

export interface SearchIndexParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the files are. */
  readonly directory: string;
}

export class SearchIndex {
  readonly #parts: SearchIndexParts;
  /** In the order of last use. */
  readonly #open = new Map<AccountId, IndexReader>();
  /** Whose search is being written down. */
  readonly #noting = new Set<AccountId>();

  constructor(parts: SearchIndexParts) {
    this.#parts = parts;
  }

  /** A search of the account's bytes. Undefined: there is no index, or it can say nothing of these texts. */
  async ask(
    account: AccountId,
    texts: ReadonlySet<string>,
    breathe: () => Promise<void> | undefined,
  ): Promise<IndexAnswers | undefined> {
    this.#note(account);
    const state = this.#try(account, (reader) => reader.state());
    if (state === undefined || state.row === 0) return undefined;
    const candidates = new Map<string, ReadonlySet<number>>();
    let left = CANDIDATES_MAX;
    for (const text of texts) {
      const query = trigramQuery(text);
      if (query === undefined) continue;
      const rows = new Set<number>();
      for (let after = 0, more = true; more && rows.size <= left; ) {
        const found = this.#try(account, (reader) => {
          const isSame = reader.state()?.identity === state.identity;
          return isSame ? reader.candidates(query, after, state.row, STEP_CANDIDATES) : undefined;
        });
        if (found === undefined) return undefined;
        for (const row of found) rows.add(row);
        after = found.at(-1) ?? after;
        more = found.length === STEP_CANDIDATES;
        await breathe();
      }
      if (rows.size > left) continue;
      left -= rows.size;
      candidates.set(text, rows);
      if (candidates.size >= NEEDLES_MAX) break;
    }
    if (candidates.size === 0) return undefined;
    let rowsOf: ReadonlyMap<MessageId, MessageRows> = new Map();
    return {
      look: (messages) => {
        rowsOf = this.#try(account, (reader) => reader.rowsOf(messages, state)) ?? new Map();
      },
      lacks(message, text, where) {
        const rows = rowsOf.get(message);
        const found = candidates.get(text);
        if (rows === undefined || found === undefined) return false;
        const from = where === 'body' ? rows.bodyFrom : rows.from;
        const to = where === 'header' ? rows.bodyFrom : rows.to;
        for (let row = from; row < to; row++) if (found.has(row)) return false;
        return true;
      },
    };
  }

  /** The account has an index from now on, and keeps it. */
  #note(account: AccountId): void {
    const { reader, writer, clock, log } = this.#parts;
    const at = clock.now();
    if (this.#noting.has(account) || isSearchNoted(reader, account, at)) return;
    this.#noting.add(account);
    writer
      .execute(noteSearch, { account, at })
      // The next search notes it.
      .catch((error) => log.warn('index.note', { account, detail: String(error) }))
      .finally(() => this.#noting.delete(account));
  }

  #try<T>(account: AccountId, read: (reader: IndexReader) => T | undefined): T | undefined {
    try {
      const reader = this.#reader(account);
      return reader === undefined ? undefined : read(reader);
    } catch (error) {
      const { kind, message, detail = message } = asFailure(error);
      this.#parts.log.warn('index.read', { account, kind, detail });
      this.#close(account);
      if (kind === 'conflict')
        this.#parts.writer.execute(noteIndexDamage, { account, isMended: false }).catch(() => {});
      return undefined;
    }
  }

  #reader(account: AccountId): IndexReader | undefined {
    let reader = this.#open.get(account);
    if (reader?.isReplaced()) {
      this.#close(account);
      reader = undefined;
    }
    this.#open.delete(account);
    reader ??= IndexReader.open(indexPath(this.#parts.directory, account));
    if (reader === undefined) return undefined;
    this.#open.set(account, reader);
    if (this.#open.size > OPEN_MAX) this.#close(this.#open.keys().next().value!);
    return reader;
  }

  #close(account: AccountId): void {
    this.#open.get(account)?.close();
    this.#open.delete(account);
  }

  close(): void {
    for (const account of [...this.#open.keys()]) this.#close(account);
  }
}
