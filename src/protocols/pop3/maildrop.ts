// The maildrop of one session: INBOX as it was at login, numbered from 1, and what is marked as deleted.
//
// In      UIDs and sizes, page by page; nothing that arrives later
// Out     messages by number; the marked ones as UID ranges
// Never   renumbers; knows whether a message is still there: that shows when it is read
// RFC 1939 §5 §7

import { Failure } from '../../base/failure.ts';
import { type AccountId, idOf, type Uid } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import { INBOX } from '../../store/accounts.ts';
import { type MailboxAccess, ownMailbox, type UidRange } from '../../store/mailbox-key.ts';
import { findMailboxById } from '../../store/mailboxes.ts';
import { PAGE_ROWS, sizesAfter } from '../../store/messages.ts';

export interface DropMessage {
  readonly number: number;
  readonly uid: Uid;
  /** Octets with every line ended in CRLF; without doubled dots, and without the CRLF that a message lacks at its end. */
  readonly size: number;
}

export class Maildrop {
  readonly access: MailboxAccess;
  readonly #uidValidity: number;
  /** By number - 1. */
  readonly #uids: Uid[] = [];
  readonly #sizes: number[] = [];
  /** By number - 1: 1 for a message that is marked. */
  #marks = new Uint8Array();
  #count = 0;
  #octets = 0;

  private constructor(access: MailboxAccess, uidValidity: number) {
    this.access = access;
    this.#uidValidity = uidValidity;
  }

  /** `breathe` gives other connections a turn; called between pages. */
  static async open(reader: Reader, account: AccountId, breathe: () => Promise<void> | undefined): Promise<Maildrop> {
    const access = ownMailbox(account, INBOX);
    const inbox = findMailboxById(reader, access);
    if (inbox === undefined) throw new Failure('unavailable', 'There is no maildrop', { detail: 'no INBOX' });
    const maildrop = new Maildrop(access, inbox.uidValidity);
    for (let after = idOf<Uid>(0); ; await breathe()) {
      const page = sizesAfter(reader, access, after);
      for (const { uid, size } of page) {
        if (uid >= inbox.uidNext) break;
        maildrop.#uids.push(uid);
        maildrop.#sizes.push(size);
      }
      after = page.at(-1)?.uid ?? inbox.uidNext;
      if (page.length < PAGE_ROWS || after >= inbox.uidNext) break;
    }
    maildrop.unmarkAll();
    return maildrop;
  }

  /** The highest number. */
  get length(): number {
    return this.#uids.length;
  }

  /** How many messages are not marked. */
  get count(): number {
    return this.#count;
  }

  /** Of the messages that are not marked. */
  get octets(): number {
    return this.#octets;
  }

  /** Undefined where there is none, and for one that is marked. */
  find(number: number): DropMessage | undefined {
    const uid = this.#uids[number - 1];
    if (uid === undefined || this.#marks[number - 1] === 1) return undefined;
    return { number, uid, size: this.#sizes[number - 1]! };
  }

  get(number: number): DropMessage {
    return this.find(number) ?? noSuchMessage();
  }

  /** The same in every session as long as the message exists, never another's. RFC 1939 §7 UIDL */
  uniqueId({ uid }: DropMessage): string {
    return `${this.#uidValidity}.${uid}`;
  }

  mark(number: number): void {
    const { size } = this.get(number);
    this.#marks[number - 1] = 1;
    this.#count--;
    this.#octets -= size;
  }

  unmarkAll(): void {
    this.#marks = new Uint8Array(this.#uids.length);
    this.#count = this.#uids.length;
    this.#octets = this.#sizes.reduce((sum, size) => sum + size, 0);
  }

  /**
   * The marked messages as ascending ranges, at most `most` messages a slice. Marked neighbours make one range, whatever
   * lies between their UIDs: that was gone at login, and UIDs are never used again.
   */
  *markedSlices(most: number): Generator<readonly UidRange[]> {
    let slice: [from: Uid, to: Uid][] = [];
    let messages = 0;
    for (let at = this.#marks.indexOf(1); at >= 0; at = this.#marks.indexOf(1, at + 1)) {
      const uid = this.#uids[at]!;
      const last = slice.at(-1);
      if (last !== undefined && this.#marks[at - 1] === 1) last[1] = uid;
      else slice.push([uid, uid]);
      if (++messages < most) continue;
      yield slice;
      slice = [];
      messages = 0;
    }
    if (messages > 0) yield slice;
  }
}

export function noSuchMessage(): never {
  throw new Failure('not-found', 'No such message');
}
