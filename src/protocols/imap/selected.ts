// The selected mailbox of one session: what its client knows of it, and the changes that it does not know of yet.
//
// In      the store, read above the session's modseq at moments when changes may be reported
// Out     untagged EXPUNGE, EXISTS, RECENT, FETCH and FLAGS as text
// States  opened -> caught up again and again -> gone. Between commands no view is held: count, modseq and last UID say which
// Never   reports EXPUNGE where sequence numbers are in use (the caller says so); renumbers before it has reported
// RFC 3501 §2.3.1.1, §5.2, §5.5, §7.2.6, §7.3, §7.4.1

import type { Clock } from '../../base/clock.ts';
import { type AccountId, idOf, type MailboxId, type Modseq, type Uid } from '../../base/ids.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { openedState } from '../../store/changes.ts';
import { ALL_FLAGS, type FlagMask, SEEN, systemFlagBits } from '../../store/flags.ts';
import type { MailboxAccess, MailboxKey } from '../../store/mailbox-key.ts';
import { claimRecent, findMailboxById, type Mailbox } from '../../store/mailboxes.ts';
import type { MessageFlags } from '../../store/messages.ts';
import { encodeFlagsItem, encodeModseqItem } from '../../wire/imap/responses/fetch.ts';
import { encodeVanished } from '../../wire/imap/responses/vanished.ts';
import { type NumberRange, type NumberSet, rangesOf, resolveRanges } from '../../wire/imap/values.ts';
import type { EnableName } from './enabled.ts';
import { intersectPositions, type MailboxView, type PositionRange } from './mailbox-view.ts';
import type { SharedChanges, Views } from './views.ts';

export interface OpenedBy {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly views: Views;
  /** What the client has switched on, at each moment. */
  readonly enabled: ReadonlySet<EnableName>;
  /** Lets others have their turn; called between pages. */
  breathe(): Promise<void> | undefined;
}

/** By whom a mailbox is selected, and for what. */
export interface OpenedAs {
  readonly reader: AccountId;
  readonly readOnly: boolean;
  /** How many messages at the end are read at once; NEWEST_MESSAGES where nothing is said. */
  readonly newest?: number;
  /** As in MailboxAccess, of a mailbox of another's; and the flags that may be changed there. */
  readonly status?: MailboxAccess['status'];
  readonly may?: FlagMask;
}

/** Messages at the end that are read at the opening: who opens a mailbox asks for them next, and UNSEEN is found among them. */
const NEWEST_MESSAGES = 100;
/** The store keeps traces by number of changes; even at the highest rate they last longer than this. */
const TRACES_KEPT_MS = 60_000;

/** Of the own changes since the client was last told of any. Beyond them it hears of one again. */
const OWN_CHANGES_MAX = 100_000;

function least(uids: Iterable<Uid>): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const uid of uids) lowest = Math.min(lowest, uid);
  return lowest;
}

/** What may be reported at this moment, and how. */
export interface Allowed {
  readonly expunges: boolean;
  readonly withUid?: boolean;
  /** False: the client wants to hear of no flags. */
  readonly flags?: boolean;
  /** What the command itself has done is among it: that is told to a client, too, that wants to hear of no changes. */
  readonly isOwn?: true;
}

export class SelectedMailbox {
  #access: MailboxAccess;
  readonly uidValidity: number;
  readonly readOnly: boolean;
  /** The UIDs that the last SEARCH has saved, rising pairs of first and last: what `$` means. RFC 5182 §2.1 */
  saved = new Uint32Array(0);
  /** Set: the messages that have come or changed, reported or not, are put into it. */
  touched: Set<Uid> | undefined;
  /** Set: the messages that have come are put into it. */
  arrived: Uid[] | undefined;
  readonly #opener: OpenedBy;
  readonly #may: FlagMask;
  /** What the client knows leads up to this modseq and this UID; it counts so many messages. */
  #modseq: Modseq;
  #lastUid: Uid;
  #count: number;
  /** Undefined between commands, and where no command has asked for a number. */
  #view: MailboxView | undefined;
  /** Only a part of what has happened has been reported; the rest follows in the same command. */
  #isInParts = false;
  #lookedAt: number;
  /** The first message without \Seen, when it was opened; undefined where it stands further back than is looked. */
  readonly firstUnseen: number | undefined;
  /** Expunged by others and not reported yet: still numbered. */
  readonly #vanished = new Set<Uid>();
  /** [from, to) UIDs that are recent for this session. */
  readonly #recent: (readonly [from: number, to: number])[] = [];
  /** How many messages that the client counts are recent. */
  #recentCount = 0;
  /** By lower case. */
  readonly #keywords = new Map<string, string>();
  /** Flags that a command has written itself since the session last caught up: UID -> modseq. */
  readonly #reported = new Map<Uid, Modseq>();
  /** Modseqs of our own silent changes since then. */
  readonly #silent = new Set<Modseq>();

  private constructor(
    opener: OpenedBy,
    mailbox: Mailbox,
    { reader, readOnly, status, may = ALL_FLAGS }: OpenedAs,
    newest: readonly MessageFlags[],
  ) {
    this.#opener = opener;
    this.#access = { owner: mailbox.owner, mailbox: mailbox.id, reader, status };
    this.#may = may;
    this.uidValidity = mailbox.uidValidity;
    this.readOnly = readOnly;
    this.#modseq = mailbox.modseq;
    this.#lastUid = idOf(mailbox.uidNext - 1);
    this.#count = mailbox.messages;
    this.#lookedAt = opener.clock.monotonic();
    const uids = newest.map(({ uid }) => uid);
    this.#view = opener.views.get(this.access, this.#state, uids);
    const unseen = newest.flatMap(({ flags }, at) => ((flags & SEEN) === 0 ? [at] : []));
    const isAll = unseen.length > 0 && unseen.length === mailbox.unseen;
    this.firstUnseen = isAll ? mailbox.messages - newest.length + unseen[0]! + 1 : undefined;
  }

  /** Reads the mailbox's row, and of its messages the last. Undefined when it is gone. */
  static async open(opener: OpenedBy, key: MailboxKey, as: OpenedAs): Promise<SelectedMailbox | undefined> {
    const { reader } = opener;
    const access = { owner: key.owner, mailbox: key.mailbox, reader: as.reader, status: as.status };
    const opened = openedState(reader, access, as.newest ?? NEWEST_MESSAGES);
    if (opened === undefined) return undefined;
    const { mailbox, newest, keywords } = opened;
    const selected = new SelectedMailbox(opener, mailbox, as, newest);
    for (const keyword of keywords) selected.#knowKeyword(keyword);
    await selected.#claim(mailbox.recentFrom);
    return selected;
  }

  get access(): MailboxAccess {
    return this.#access;
  }

  /** Whose flags the client is shown from now on: with the commit that has changed it all messages have changed. */
  setStatus(status: MailboxAccess['status']): void {
    this.#access = { ...this.#access, status };
  }

  get #state() {
    return { modseq: this.#modseq, count: this.#count, lastUid: this.#lastUid };
  }

  /** The numbering as the client knows it. */
  get view(): MailboxView {
    this.#view ??= this.#opener.views.get(this.access, this.#state);
    return this.#view;
  }

  /** Messages, as the client counts them. */
  get count(): number {
    return this.#count;
  }

  /** Loads what a set stands on, or all: a command that asks the view for numbers calls it before, so that others have their turn. */
  async load(set?: NumberSet): Promise<void> {
    if (set === undefined) await this.view.loadFromPosition(0, this.#opener.breathe);
    else await this.view.load(this.#meant(set), this.#opener.breathe);
  }

  /** Loads all from a position on. */
  loadFrom(position: number): Promise<void> {
    return this.view.loadFromPosition(position, this.#opener.breathe);
  }

  /** As MailboxView.positions. */
  positions(set: NumberSet): PositionRange[] {
    return this.view.positions(this.#meant(set));
  }

  /** Of some positions, rising, those that a set means: what is in front of them is not looked at. */
  positionsAmong(set: NumberSet, among: readonly PositionRange[]): PositionRange[] {
    const first = among[0];
    if (first === undefined) return [];
    const meant = this.#meant(set);
    if (meant.unit === 'sequence') return intersectPositions(this.view.positions(meant), among);
    const from = this.view.uidAt(first.from);
    const ranges = resolveRanges(meant, this.view.largestUid)
      .filter(({ last }) => last >= from)
      .map(({ first: low, last }) => ({ first: Math.max(low, from), last }));
    return intersectPositions(this.view.positions({ unit: 'uid', ranges }), among);
  }

  /** As MailboxView.existing. */
  existing(set: NumberSet): PositionRange[] {
    return this.view.existing(this.#meant(set));
  }

  /** The UIDs that a set of UIDs or `$` means, existing or not; rising, none touching the next. */
  uidsOf(set: NumberSet): NumberRange[] {
    return resolveRanges(this.#meant(set), this.view.largestUid);
  }

  /** `$` as UIDs. */
  #meant(set: NumberSet): NumberSet {
    if (set.unit !== 'saved') return set;
    const ranges: NumberRange[] = [];
    for (let i = 0; i < this.saved.length; i += 2) ranges.push({ first: this.saved[i]!, last: this.saved[i + 1]! });
    return { unit: 'uid', ranges };
  }

  /** The client is waited for: memory that a command would need goes. */
  rest(): void {
    if (this.#vanished.size === 0) this.#view = undefined;
  }

  isOf({ owner, mailbox }: MailboxKey): boolean {
    return this.access.owner === owner && this.access.mailbox === mailbox;
  }

  get uidNext(): Uid {
    return idOf(this.#lastUid + 1);
  }

  get recentCount(): number {
    return this.#recentCount;
  }

  /** All that has happened up to it has been told, and nothing above it. */
  get modseq(): Modseq {
    return this.#modseq;
  }

  /** Whether the client hears of what has gone by UID. RFC 7162 §3.2.10, RFC 9586 §3.4 */
  get #saysVanished(): boolean {
    return this.#opener.enabled.has('QRESYNC') || this.#knowsUidsOnly;
  }

  /** Whether the client numbers no messages. RFC 9586 */
  get #knowsUidsOnly(): boolean {
    return this.#opener.enabled.has('UIDONLY');
  }

  /** Whether there are recent messages for the client: IMAP4rev2 knows none. RFC 9051 Appendix E */
  get #hasRecent(): boolean {
    return !this.#opener.enabled.has('IMAP4REV2');
  }

  /** ` EXISTS` and ` RECENT` lines with the counts. */
  countResponses(): string {
    const recent = this.#hasRecent ? `* ${this.#recentCount} RECENT\r\n` : '';
    return `* ${this.#count} EXISTS\r\n${recent}`;
  }

  /** Whether there is something behind a change of the account for this session to look at. */
  isBehind(mailbox: MailboxId, modseq: Modseq): boolean {
    return this.access.mailbox === mailbox && modseq > this.#modseq;
  }

  /** Whether there may be such a one from the first to the last UID. */
  hasRecent(first: Uid, last: Uid): boolean {
    return this.#recent.some(([from, to]) => last >= from && first < to);
  }

  isRecent(uid: Uid): boolean {
    return this.#recent.some(([from, to]) => uid >= from && uid < to);
  }

  /** Gone without the client's knowing. */
  isStillNumbered(uid: Uid): boolean {
    return this.#vanished.has(uid);
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
    if (this.#recent.length > 0 && this.#hasRecent && this.isRecent(uid)) names.push('\\Recent');
    return encodeFlagsItem(names);
  }

  /** ` MODSEQ (n)` for a client that wants it in every FETCH response, else ''. RFC 7162 §3.1 */
  modseqItem({ modseq }: Pick<MessageFlags, 'modseq'>): string {
    return this.#opener.enabled.has('CONDSTORE') ? ` ${encodeModseqItem(modseq)}` : '';
  }

  /** The untagged FLAGS and PERMANENTFLAGS responses. RFC 3501 §7.1, §7.2.6 */
  flagsResponses(): string {
    const names = [...systemFlagBits.map(([, name]) => name), ...this.#keywords.values()].join(' ');
    const permanent = this.readOnly ? '' : this.#permanentNames(names);
    return `* FLAGS (${names})\r\n* OK [PERMANENTFLAGS (${permanent})] ${this.readOnly ? 'No flags can be changed' : 'Flags that are kept'}\r\n`;
  }

  #permanentNames(all: string): string {
    if (this.#may === ALL_FLAGS) return `${all} \\*`;
    const { flags, keywords } = this.#may;
    const names = systemFlagBits.flatMap(([bit, name]) => ((flags & bit) === 0 ? [] : [name]));
    return [...names, ...(keywords ? [...this.#keywords.values(), '\\*'] : [])].join(' ');
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
    if (modseq > this.#modseq && this.#reported.size < OWN_CHANGES_MAX) this.#reported.set(uid, modseq);
  }

  /** A change of our own of which the client wants no response (.SILENT). */
  silence(modseq: Modseq): void {
    if (this.#silent.size < OWN_CHANGES_MAX) this.#silent.add(modseq);
  }

  /**
   * Catches up with the store and gives the responses that report it; undefined when the client has to open a mailbox anew,
   * because this one is gone or its traces do not reach back far enough. Without `expunges` messages that are gone keep
   * their numbers until a call with it.
   */
  async catchUp(allowed: Allowed): Promise<string | undefined> {
    let text = '';
    for (;;) {
      const changes = this.#opener.views.changesSince(this.access, { modseq: this.#modseq, lastUid: this.#lastUid });
      if (changes === undefined) return undefined;
      if (changes.modseq !== this.#modseq || (allowed.expunges && this.#vanished.size > 0))
        text += await this.#report(changes, allowed);
      if (changes.more) await this.#opener.breathe();
      else return this.#hasSleptTooLong(changes.state.messages) ? undefined : text;
    }
  }

  /** Gone, and still numbered. */
  get vanished(): ReadonlySet<Uid> {
    return this.#vanished;
  }

  /** The responses for messages that are gone and still numbered; nothing new is looked at. */
  async reportExpunges(): Promise<string> {
    if (this.#vanished.size === 0) return '';
    const { view } = this;
    const needsNumbers = !this.#saysVanished;
    if (needsNumbers) await view.loadFromUid(least(this.#vanished), this.#opener.breathe);
    const followed = needsNumbers
      ? view.without(this.#vanished, this.#modseq)
      : view.forgetting(this.#vanished, this.#modseq);
    const text = this.#reportVanished(followed.numbers);
    this.#view = followed.view;
    return text;
  }

  /** Traces of expunged messages are not kept for ever: without them the numbers would be wrong from now on. */
  #hasSleptTooLong(messages: number): boolean {
    const now = this.#opener.clock.monotonic();
    const slept = now - this.#lookedAt;
    this.#lookedAt = now;
    return slept > TRACES_KEPT_MS && this.#count - this.#vanished.size !== messages;
  }

  async #report(changes: SharedChanges, allowed: Allowed): Promise<string> {
    const known = this.#lastUid;
    const { modseq, added, more } = changes;
    if (this.touched !== undefined) {
      for (const uid of added) this.touched.add(uid);
      for (const { uid } of changes.changed) this.touched.add(uid);
    }
    if (this.arrived !== undefined) for (const uid of added) this.arrived.push(uid);
    const reportable = allowed.flags === false ? [] : changes.changed;
    const changed = reportable.filter((status) => status.uid <= known && !this.#isKnown(status));
    let gone = changes.vanished.filter((uid) => uid <= known);
    // What they begin at is a state that others have, too, and the front of which can be read; its parts are none.
    if (more || gone.length > 0) this.#view = this.view;
    const needsNumbers = !this.#saysVanished || this.#isInParts;
    const lowest = Math.min(
      this.#knowsUidsOnly ? Number.POSITIVE_INFINITY : (changed[0]?.uid ?? Number.POSITIVE_INFINITY),
      needsNumbers ? least(gone) : Number.POSITIVE_INFINITY,
      needsNumbers ? least(this.#vanished) : Number.POSITIVE_INFINITY,
    );
    if (lowest <= known) await this.view.loadFromUid(lowest, this.#opener.breathe);
    // Between two parts a message may have come and gone unseen.
    if (this.#isInParts) gone = gone.filter((uid) => this.view.numberOf(uid) !== undefined);
    const isShared = this.#vanished.size === 0 && (gone.length === 0 || allowed.expunges) && !this.#isInParts;
    for (const uid of gone) this.#vanished.add(uid);
    let text = '';
    if (isShared && needsNumbers) {
      const followed = this.#view === undefined ? undefined : changes.follow(this.#view);
      text += this.#reportVanished(followed?.numbers ?? []);
      this.#view = followed?.view;
    } else if (this.#view !== undefined || this.#vanished.size > 0) {
      if (allowed.expunges) {
        const { view, numbers } = needsNumbers
          ? this.view.without(this.#vanished, modseq)
          : this.view.forgetting(this.#vanished, modseq);
        text += this.#reportVanished(numbers);
        this.#view = view;
      }
      // Messages that are gone and still numbered are in the view as of its own modseq.
      this.#view = this.view.with(added, this.#vanished.size === 0 ? modseq : undefined);
    }
    const isWhole = !more && this.#vanished.size === 0;
    if (isWhole && this.#view !== undefined) this.#opener.views.keep(this.access, modseq, this.#view);
    this.#count += added.length;
    this.#modseq = modseq;
    this.#isInParts = more;
    if (!more) this.#lastUid = idOf(changes.state.uidNext - 1);
    else if (added.length > 0) this.#lastUid = added[added.length - 1]!;
    if (added.length > 0) {
      this.#recentCount += added.reduce((sum, uid) => sum + (this.isRecent(uid) ? 1 : 0), 0);
      await this.#claim(changes.state.recentFrom);
      text += this.countResponses();
    }
    text += this.#reportFlags(changed, allowed.withUid ?? false);
    if (more) return text;
    this.#reported.clear();
    this.#silent.clear();
    return text;
  }

  /** Whether the client knows of a change because it has made it, or a command has told it. */
  #isKnown({ uid, modseq }: MessageFlags): boolean {
    return this.#silent.has(modseq) || this.#reported.get(uid) === modseq;
  }

  #reportVanished(numbers: readonly number[]): string {
    let text = '';
    if (this.#saysVanished) text = encodeVanished(rangesOf(Uint32Array.from(this.#vanished).sort()));
    else for (const number of numbers) text += `* ${number} EXPUNGE\r\n`;
    if (this.#recent.length > 0) for (const uid of this.#vanished) if (this.isRecent(uid)) this.#recentCount--;
    this.#count -= this.#vanished.size;
    this.#vanished.clear();
    return text;
  }

  /** The FETCH response with a message's flags; '' when the client does not know it. RFC 7162 §3.2.4: with its UID, where QRESYNC is on */
  flagsResponse(status: MessageFlags, withUid: boolean): string {
    const number = this.#knowsUidsOnly ? 0 : this.view.numberOf(status.uid);
    return number === undefined ? '' : this.numberedFlags(number, status, withUid);
  }

  /** How the FETCH response of a message that the client counts begins: `* 7 FETCH (`. RFC 9586 §3.3 */
  responseHead(uid: Uid): string {
    return this.#knowsUidsOnly ? `* ${uid} UIDFETCH (` : `* ${this.view.numberOf(uid)} FETCH (`;
  }

  /** The same where the number is known. */
  numberedFlags(number: number, status: MessageFlags, withUid: boolean): string {
    const uid = withUid || this.#saysVanished ? `UID ${status.uid} ` : '';
    const announcement = this.newKeywords(status.keywords);
    const items = `${uid}${this.flagsItem(status)}${this.modseqItem(status)})\r\n`;
    const head = this.#knowsUidsOnly ? `* ${status.uid} UIDFETCH (` : `* ${number} FETCH (`;
    return `${announcement}${head}${items}`;
  }

  /** New messages come with their flags when the client asks for them. */
  #reportFlags(changed: readonly MessageFlags[], withUid: boolean): string {
    let text = '';
    for (const status of changed) text += this.flagsResponse(status, withUid);
    return text;
  }

  /** A message is recent in one read-write session; read-only ones see it so until then. RFC 3501 §2.3.2 */
  async #claim(recentFrom: Uid): Promise<void> {
    if (recentFrom > this.#lastUid || !this.#hasRecent) return;
    // For who is not the owner they stay the owner's.
    if (this.readOnly || this.access.owner !== this.access.reader)
      return this.#addRecent(recentFrom, this.#lastUid + 1);
    let claimed: { readonly from: Uid; readonly to: Uid };
    try {
      claimed = await this.#opener.writer.execute(claimRecent, this.access);
    } catch {
      // Without room on disk or in the queue nothing is recent, and reading goes on.
      return;
    }
    await this.#addRecent(claimed.from, claimed.to);
  }

  async #addRecent(from: number, to: number): Promise<void> {
    const last = this.#recent[this.#recent.length - 1];
    const start = Math.max(from, last?.[1] ?? 0);
    if (start >= to) return;
    if (last !== undefined && last[1] === start) this.#recent[this.#recent.length - 1] = [last[0], to];
    else this.#recent.push([start, to]);
    if (start > this.#lastUid) return;
    const { view } = this;
    // All of them are counted without a look.
    if (start > 1) await view.loadFromUid(start, this.#opener.breathe);
    this.#recentCount += view.countBetween(start, to);
  }

  /** As it is now, for its counters. */
  row(): Mailbox | undefined {
    return findMailboxById(this.#opener.reader, this.access);
  }
}
