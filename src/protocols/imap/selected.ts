// The selected mailbox of one session: its numbering, and the changes that the client does not know of yet.
//
// In      the store, read above the session's modseq at moments when changes may be reported
// Out     untagged EXPUNGE, EXISTS, RECENT, FETCH and FLAGS as text
// States  opened -> caught up again and again -> gone
// Never   reports EXPUNGE where sequence numbers are in use (the caller says so); renumbers before it has reported
// RFC 3501 §2.3.1.1, §5.2, §5.5, §7.2.6, §7.3, §7.4.1

import type { Clock } from '../../base/clock.ts';
import { type AccountId, idOf, type Modseq, type Uid } from '../../base/ids.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { systemFlagBits } from '../../store/flags.ts';
import type { MailboxAccess, MailboxKey } from '../../store/mailbox-key.ts';
import { claimRecent, findMailboxById, listKeywords, type Mailbox } from '../../store/mailboxes.ts';
import { changesSince, type MailboxChanges, type MessageFlags, PAGE_ROWS, uidsAfter } from '../../store/messages.ts';
import { encodeFlagsItem } from '../../wire/imap/responses/fetch.ts';
import { MailboxView, type PositionRange } from './mailbox-view.ts';

export interface OpenedBy {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  /** Lets others have their turn; called between pages. */
  breathe(): Promise<void> | undefined;
}

/** By whom a mailbox is selected, and for what. */
export interface OpenedAs {
  readonly reader: AccountId;
  readonly readOnly: boolean;
}

/** The store keeps traces by number of changes; even at the highest rate they last longer than this. */
const TRACES_KEPT_MS = 60_000;

/** What may be reported at this moment, and how. */
export interface Allowed {
  readonly expunges: boolean;
  readonly withUid?: boolean;
}

export class SelectedMailbox {
  readonly access: MailboxAccess;
  readonly uidValidity: number;
  readonly readOnly: boolean;
  readonly view = new MailboxView();
  readonly #opener: OpenedBy;
  /** What the client knows leads up to this modseq and this UID. */
  #modseq: Modseq;
  #lastUid = idOf<Uid>(0);
  #lookedAt: number;
  /** Expunged by others and not reported yet: still numbered. */
  readonly #vanished = new Set<Uid>();
  /** [from, to) UIDs that are recent for this session. */
  readonly #recent: (readonly [from: number, to: number])[] = [];
  /** By lower case. */
  readonly #keywords = new Map<string, string>();
  /** Flags that a command has written itself since the session last caught up: UID -> modseq. */
  readonly #reported = new Map<Uid, Modseq>();
  /** Modseqs of our own silent changes since then. */
  readonly #silent = new Set<Modseq>();

  private constructor(opener: OpenedBy, mailbox: Mailbox, { reader, readOnly }: OpenedAs) {
    this.#opener = opener;
    this.access = { owner: mailbox.owner, mailbox: mailbox.id, reader };
    this.uidValidity = mailbox.uidValidity;
    this.readOnly = readOnly;
    this.#modseq = mailbox.modseq;
    this.#lookedAt = opener.clock.monotonic();
  }

  /** Reads the numbering page by page; what changes meanwhile is caught up at the end. Undefined when it is gone. */
  static async open(opener: OpenedBy, mailbox: Mailbox, as: OpenedAs): Promise<SelectedMailbox | undefined> {
    const selected = new SelectedMailbox(opener, mailbox, as);
    const { reader } = opener;
    await selected.#claim(mailbox.recentFrom, mailbox.uidNext);
    for (const keyword of listKeywords(reader, selected.access)) selected.#knowKeyword(keyword);
    for (;;) {
      const page = uidsAfter(reader, selected.access, selected.#lastUid);
      selected.#append(page);
      if (page.length < PAGE_ROWS) break;
      await opener.breathe();
    }
    selected.#lastUid = idOf(Math.max(selected.#lastUid, mailbox.uidNext - 1));
    return (await selected.catchUp({ expunges: true })) === undefined ? undefined : selected;
  }

  isOf({ owner, mailbox }: MailboxKey): boolean {
    return this.access.owner === owner && this.access.mailbox === mailbox;
  }

  get uidNext(): Uid {
    return idOf(this.#lastUid + 1);
  }

  get recentCount(): number {
    return this.#recent.reduce((sum, [from, to]) => sum + this.view.countBetween(from, to), 0);
  }

  isRecent(uid: Uid): boolean {
    return this.#recent.some(([from, to]) => uid >= from && uid < to);
  }

  /** How many messages at these positions are gone without the client's knowing. */
  countVanished(positions: readonly PositionRange[]): number {
    let count = 0;
    for (const uid of this.#vanished) {
      const position = this.view.positionFrom(uid);
      if (positions.some(({ from, to }) => position >= from && position < to)) count++;
    }
    return count;
  }

  /** `FLAGS (\Seen ...)` of a message. */
  flagsItem({ uid, flags, keywords }: Pick<MessageFlags, 'uid' | 'flags' | 'keywords'>): string {
    const names: string[] = [];
    for (const [bit, name] of systemFlagBits) if ((flags & bit) !== 0) names.push(name);
    names.push(...keywords);
    if (this.#recent.length > 0 && this.isRecent(uid)) names.push('\\Recent');
    return encodeFlagsItem(names);
  }

  /** The untagged FLAGS and PERMANENTFLAGS responses. RFC 3501 §7.1, §7.2.6 */
  flagsResponses(): string {
    const names = [...systemFlagBits.map(([, name]) => name), ...this.#keywords.values()].join(' ');
    const permanent = this.readOnly ? '' : `${names} \\*`;
    return `* FLAGS (${names})\r\n* OK [PERMANENTFLAGS (${permanent})] ${this.readOnly ? 'No flags can be changed' : 'Flags that are kept'}\r\n`;
  }

  /** The FLAGS response that must precede these keywords in a FETCH response; '' when they are known. */
  newKeywords(keywords: readonly string[]): string {
    let isNew = false;
    for (const keyword of keywords) isNew = this.#knowKeyword(keyword) || isNew;
    return isNew ? this.flagsResponses() : '';
  }

  #knowKeyword(keyword: string): boolean {
    const key = keyword.toLowerCase();
    if (this.#keywords.has(key)) return false;
    this.#keywords.set(key, keyword);
    return true;
  }

  /** A command has written this message's flags: they are not reported again. */
  reported({ uid, modseq }: Pick<MessageFlags, 'uid' | 'modseq'>): void {
    if (modseq > this.#modseq) this.#reported.set(uid, modseq);
  }

  /** A change of our own of which the client wants no response (.SILENT). */
  silence(modseq: Modseq): void {
    this.#silent.add(modseq);
  }

  /**
   * Catches up with the store and gives the responses that report it; undefined when the client has to open a mailbox anew,
   * because this one is gone or its traces do not reach back far enough. Without `expunges` messages that are gone keep
   * their numbers until a call with it.
   */
  async catchUp(allowed: Allowed): Promise<string | undefined> {
    let text = '';
    for (;;) {
      const changes = changesSince(this.#opener.reader, this.access, { modseq: this.#modseq, lastUid: this.#lastUid });
      if (changes === undefined) return undefined;
      if (changes.modseq !== this.#modseq || (allowed.expunges && this.#vanished.size > 0))
        text += await this.#report(changes, allowed);
      if (changes.more) await this.#opener.breathe();
      else return this.#hasSleptTooLong(changes.messages) ? undefined : text;
    }
  }

  /** Traces of expunged messages are not kept for ever: without them the numbers would be wrong from now on. */
  #hasSleptTooLong(messages: number): boolean {
    const now = this.#opener.clock.monotonic();
    const slept = now - this.#lookedAt;
    this.#lookedAt = now;
    return slept > TRACES_KEPT_MS && this.view.count - this.#vanished.size !== messages;
  }

  async #report(changes: MailboxChanges, allowed: Allowed): Promise<string> {
    for (const uid of changes.vanished) if (this.view.numberOf(uid) !== undefined) this.#vanished.add(uid);
    let text = allowed.expunges ? this.#reportVanished() : '';
    const known = this.#lastUid;
    if (changes.added.length > 0) {
      this.#append(changes.added);
      await this.#claim(changes.recentFrom, this.uidNext);
      text += `* ${this.view.count} EXISTS\r\n* ${this.recentCount} RECENT\r\n`;
    }
    text += this.#reportFlags(changes, known, allowed.withUid ?? false);
    this.#modseq = changes.modseq;
    if (changes.more) return text;
    this.#reported.clear();
    this.#silent.clear();
    return text;
  }

  #reportVanished(): string {
    if (this.#vanished.size === 0) return '';
    let text = '';
    for (const number of this.view.remove(this.#vanished)) text += `* ${number} EXPUNGE\r\n`;
    this.#vanished.clear();
    return text;
  }

  #reportFlags(changes: MailboxChanges, known: number, withUid: boolean): string {
    let text = '';
    for (const status of changes.changed) {
      const { uid, modseq } = status;
      // New messages come with their flags when the client asks for them.
      if (uid > known || this.#silent.has(modseq) || this.#reported.get(uid) === modseq) continue;
      const number = this.view.numberOf(uid);
      if (number === undefined) continue;
      const item = withUid ? `UID ${uid} ${this.flagsItem(status)}` : this.flagsItem(status);
      text += `${this.newKeywords(status.keywords)}* ${number} FETCH (${item})\r\n`;
    }
    return text;
  }

  #append(uids: readonly Uid[]): void {
    if (uids.length === 0) return;
    this.view.append(uids);
    this.#lastUid = this.view.largestUid;
  }

  /** A message is recent in one read-write session; read-only ones see it so until then. RFC 3501 §2.3.2 */
  async #claim(recentFrom: Uid, uidNext: Uid): Promise<void> {
    if (recentFrom >= uidNext) return;
    if (this.readOnly) return this.#addRecent(recentFrom, uidNext);
    try {
      const { from, to } = await this.#opener.writer.execute(claimRecent, this.access);
      this.#addRecent(from, to);
    } catch {
      // Without room on disk or in the queue nothing is recent, and reading goes on.
    }
  }

  #addRecent(from: number, to: number): void {
    const last = this.#recent[this.#recent.length - 1];
    const start = Math.max(from, last?.[1] ?? 0);
    if (start >= to) return;
    if (last !== undefined && last[1] === start) this.#recent[this.#recent.length - 1] = [last[0], to];
    else this.#recent.push([start, to]);
  }

  /** As it is now, for its counters. */
  row(): Mailbox | undefined {
    return findMailboxById(this.#opener.reader, this.access);
  }
}
