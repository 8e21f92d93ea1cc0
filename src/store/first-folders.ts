// The folders that an account gets at its first login: once, and only where it has nothing but INBOX.
//
// In      the account of who has logged in; canonical names of folders (the configuration's `first-folders`)
// Out     these folders, subscribed, each with the special use that its name says; a mark on the account
// States  unmarked -> marked, for good: who deletes them all does not get them again
// Limits  KNOWN_MAX accounts that a thread knows to be marked; of these a login looks at no row
// RFC 6154 §2

import type { AccountId } from '../base/ids.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { INBOX } from './accounts.ts';
import { makeMailbox } from './mailboxes.ts';

const KNOWN_MAX = 100_000;

interface FirstFoldersArguments {
  readonly owner: AccountId;
  readonly names: readonly string[];
}

/** Does nothing at an account that is marked already, or is gone. */
export const makeFirstFolders = operation(
  'store.makeFirstFolders',
  async (tx, { owner, names }: FirstFoldersArguments) => {
    const isMarked = await tx.run('UPDATE account SET furnished = 1 WHERE id = ? AND furnished = 0', owner);
    if (isMarked === 0) return;
    const other = await tx.get('SELECT 1 FROM mailbox WHERE account = ? AND id <> ? LIMIT 1', owner, INBOX);
    if (other !== undefined) return;
    for (const name of names) {
      await makeMailbox(tx, { owner, name });
      await tx.run('INSERT OR IGNORE INTO subscription (account, name) VALUES (?, ?)', owner, name);
    }
    tx.afterCommit({ kind: 'mailboxes', account: owner });
  },
);

export class FirstFolders {
  readonly #names: readonly string[];
  readonly #reader: Pick<Reader, 'get'>;
  readonly #writer: Writer;
  readonly #known = new Set<AccountId>();

  constructor(names: readonly string[], parts: { readonly reader: Pick<Reader, 'get'>; readonly writer: Writer }) {
    this.#names = names;
    this.#reader = parts.reader;
    this.#writer = parts.writer;
  }

  /** Of an account whose owner logs in. Undefined: there is nothing to wait for. */
  make(owner: AccountId): Promise<void> | undefined {
    if (this.#names.length === 0 || this.#known.has(owner)) return undefined;
    if (this.#reader.get('SELECT furnished FROM account WHERE id = ?', owner)?.['furnished'] !== 0) {
      this.#know(owner);
      return undefined;
    }
    return this.#writer.execute(makeFirstFolders, { owner, names: this.#names }).then(() => this.#know(owner));
  }

  #know(owner: AccountId): void {
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.add(owner);
  }
}
