// The file of one account's index: which trigrams stand in which of its messages.
//
// Tables  `text` is FTS5's, without the texts: columns the decoded header and body, each in blocks, a row a block.
//         `indexed_message` has a row for each message that was looked at: `row` is the first of its rows in `text`, `headers` and
//         `bodies` say how many there are of each kind, `slice` is the number of the transaction that put them in, null where
//         the text is not in: there is too much of it. All are written in one transaction, so what a row claims is so after
//         any end of the process or the machine
//         `index_mark`: what made the file, the last slice, the last row, and the account's modseq at which all was in
// Rows    are numbered as they come, for a trigram's list holds the differences of its rows: by message ids, which are a time in
//         64ths of a millisecond and more, the file is nearly four times as large
// Blocks  of BLOCK_CHARACTERS and what follows them up to NEEDLE_CHARACTERS, so that a text of that length is whole in one: a long
//         message has nearly all common trigrams, and would be a candidate for nearly all words
// Never   tells a message's absence from what another program, another Unicode or another parser has put in: a file whose mark is
//         not MARK is no index to a reader, and its writer makes it anew
// `detail=none` keeps, of a trigram, the rows and nothing more: a question cannot name a column, a row is of one.

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AccountId, idOf, type MessageId, type Modseq } from '../../base/ids.ts';
import { openSideReader, openSideWriter, removeSideFile, type SideFile } from '../../database/side-file.ts';
import { PARSER } from '../../message/structure.ts';
import type { WholeText } from '../message-text.ts';
import { NEEDLE_CHARACTERS } from './trigrams.ts';

/** Goes up with any change of what is put in, or of the tables. */
const VERSION = 2;
const { unicode, icu } = process.versions;
const MARK = `version ${VERSION}, parser ${PARSER}, Unicode ${unicode}, ICU ${icu}`;

const BLOCK_CHARACTERS = 8192;
const VACUUM_PAGES = 4000;

const TABLES = [
  `CREATE TABLE index_mark (mark TEXT NOT NULL, identity INTEGER NOT NULL, slice INTEGER NOT NULL, row INTEGER NOT NULL,
     modseq INTEGER)`,
  `CREATE TABLE indexed_message (row INTEGER PRIMARY KEY, message INTEGER NOT NULL UNIQUE, slice INTEGER,
     headers INTEGER NOT NULL, bodies INTEGER NOT NULL)`,
  `CREATE VIRTUAL TABLE text USING fts5 (header, body, content='', contentless_delete=1, detail=none,
     tokenize='trigram case_sensitive 1')`,
  // What one transaction gathers before it is sorted and written: fewer merges afterwards.
  "INSERT INTO text (text, rank) VALUES ('hashsize', 8388608)",
];

/** `DATA/index/NN/ACCOUNT.db`: NN are the last two digits, so that no folder has too many. */
export function indexPath(directory: string, account: AccountId): string {
  return join(directory, String(account % 100).padStart(2, '0'), `${account}.db`);
}

/** All accounts that have a file. */
export function indexedAccounts(directory: string): AccountId[] {
  const folders = existsSync(directory) ? readdirSync(directory) : [];
  return folders
    .filter((folder) => /^\d\d$/.test(folder))
    .flatMap((folder) => readdirSync(join(directory, folder)))
    .filter((name) => /^\d+\.db$/.test(name))
    .map((name) => idOf(name.slice(0, -3)));
}

/** What a reader has to know of the file's state before it asks anything. */
interface IndexState {
  /** Of this file: another one for the same account has another. */
  readonly identity: number;
  readonly slice: number;
  /** No row is above it. */
  readonly row: number;
}

/** A message's rows: those of its header from `from` on, those of its body from `bodyFrom` on, none from `to` on. */
export interface MessageRows {
  readonly from: number;
  readonly bodyFrom: number;
  readonly to: number;
}

/** For a thread that searches. */
export class IndexReader {
  readonly #file: SideFile;

  private constructor(file: SideFile) {
    this.#file = file;
  }

  /** Undefined: there is none, or it is to be made anew. */
  static open(path: string): IndexReader | undefined {
    const file = openSideReader(path);
    if (file === undefined) return undefined;
    const reader = new IndexReader(file);
    try {
      if (reader.state() !== undefined) return reader;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  }

  isReplaced(): boolean {
    return this.#file.isReplaced();
  }

  /** Undefined: another program's. */
  state(): IndexState | undefined {
    return readState(this.#file);
  }

  /** Rows in (after, to] that have what `query` asks for, ascending, at most `limit`. */
  candidates(query: string, after: number, to: number, limit: number): number[] {
    const sql = 'SELECT rowid FROM text WHERE text MATCH ? AND rowid > ? AND rowid <= ? ORDER BY rowid LIMIT +?';
    return this.#file.arrays(sql, query, after, to, limit).map((row) => Number(row[0]));
  }

  /** Those of `ids` whose text was put in up to this state; none where the file is another one. */
  rowsOf(ids: readonly MessageId[], { identity, slice }: IndexState): Map<MessageId, MessageRows> {
    const sql = `SELECT m.message, m.row, m.headers, m.bodies
      FROM json_each(?) j CROSS JOIN indexed_message m ON m.message = j.value
      WHERE m.slice <= ? AND (SELECT identity FROM index_mark) = ?`;
    const found = new Map<MessageId, MessageRows>();
    for (const [message, row, headers, bodies] of this.#file.arrays(sql, JSON.stringify(ids), slice, identity)) {
      const bodyFrom = Number(row) + Number(headers);
      found.set(idOf(message), { from: Number(row), bodyFrom, to: bodyFrom + Number(bodies) });
    }
    return found;
  }

  close(): void {
    this.#file.close();
  }
}

/** Undefined: no index, or one that another program has made. */
function readState(file: SideFile): IndexState | undefined {
  if (file.arrays("SELECT 1 FROM sqlite_schema WHERE name = 'index_mark'").length === 0) return undefined;
  const [row] = file.arrays('SELECT mark, identity, slice, row FROM index_mark');
  if (row === undefined || row[0] !== MARK) return undefined;
  return { identity: Number(row[1]), slice: Number(row[2]), row: Number(row[3]) };
}

/** What is put in of a message; without a text it is a candidate for whatever is looked for. */
export interface IndexedText {
  readonly id: MessageId;
  readonly text: WholeText | undefined;
}

/** For the one thread that keeps the indexes. */
export class IndexWriter {
  readonly #file: SideFile;

  private constructor(file: SideFile) {
    this.#file = file;
  }

  /** Made where there is none, and anew where another program has made it. `conflict`: it is damaged. */
  static open(path: string): IndexWriter {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSideWriter(path);
    try {
      if (readState(file) !== undefined) return new IndexWriter(file);
      // What has come so far is not to be told apart from another program's file: readers of it see it replaced.
      if (file.arrays('SELECT 1 FROM sqlite_schema LIMIT 1').length > 0) {
        file.close();
        removeSideFile(path);
        return IndexWriter.open(path);
      }
      file.transaction(() => {
        for (const statement of TABLES) file.run(statement);
        const identity = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
        file.run('INSERT INTO index_mark (mark, identity, slice, row) VALUES (?, ?, 0, 0)', MARK, identity);
      });
      return new IndexWriter(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Messages that have been looked at, ascending, at most `limit` above `after`. */
  known(after: number, limit: number): MessageId[] {
    const sql = 'SELECT message FROM indexed_message WHERE message > ? ORDER BY message LIMIT +?';
    return this.#file.arrays(sql, after, limit).map((row) => idOf(row[0]));
  }

  /** Of the account, when all its messages were in; undefined: they never were. */
  completeAt(): Modseq | undefined {
    const modseq = this.#file.arrays('SELECT modseq FROM index_mark')[0]?.[0] ?? undefined;
    return modseq === undefined ? undefined : idOf(modseq);
  }

  /** All are in; pages that merges have left go back. */
  complete(modseq: Modseq): void {
    this.#file.run('UPDATE index_mark SET modseq = ?', modseq);
    this.#file.arrays(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
  }

  isKnown(id: MessageId): boolean {
    return this.#file.arrays('SELECT 1 FROM indexed_message WHERE message = ?', id).length > 0;
  }

  /** One slice. */
  add(messages: readonly IndexedText[]): void {
    const file = this.#file;
    file.transaction(() => {
      const [mark] = file.arrays('SELECT slice, row FROM index_mark');
      const slice = Number(mark![0]) + 1;
      let row = Number(mark![1]) + 1;
      for (const { id, text } of messages) {
        const [headers, bodies] = text === undefined ? [[], []] : [blocks(text.header), blocks(text.body)];
        const sql = 'INSERT INTO indexed_message (row, message, slice, headers, bodies) VALUES (?, ?, ?, ?, ?)';
        file.run(sql, row, id, text === undefined ? null : slice, headers.length, bodies.length);
        // A row for each, also where there is no text: the next message has another.
        let at = row;
        for (const header of headers) file.run('INSERT INTO text (rowid, header) VALUES (?, ?)', at++, header);
        for (const body of bodies) file.run('INSERT INTO text (rowid, body) VALUES (?, ?)', at++, body);
        row = Math.max(row + 1, at);
      }
      file.run('UPDATE index_mark SET slice = ?, row = ?', slice, row - 1);
    });
  }

  remove(ids: readonly MessageId[]): void {
    const file = this.#file;
    file.transaction(() => {
      for (const id of ids) {
        const [found] = file.arrays('SELECT row, headers + bodies FROM indexed_message WHERE message = ?', id);
        const [row, count] = (found ?? [0, 0]).map(Number) as [number, number];
        for (let at = row; at < row + count; at++) file.run('DELETE FROM text WHERE rowid = ?', at);
        file.run('DELETE FROM indexed_message WHERE message = ?', id);
      }
    });
  }

  close(): void {
    this.#file.close();
  }
}

/** A text of up to NEEDLE_CHARACTERS that begins in one of them is whole in it. */
function blocks(text: string): string[] {
  const all: string[] = [];
  for (let at = 0; at < text.length; at += BLOCK_CHARACTERS)
    all.push(text.slice(at, at + BLOCK_CHARACTERS + NEEDLE_CHARACTERS));
  return all;
}
