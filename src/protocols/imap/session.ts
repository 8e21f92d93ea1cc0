// One IMAP conversation: which command may come when, in what order things are said, and how it ends.
//
// In      frames of the input
// Out     replies; before each the changes of the selected mailbox that may be reported
// States  not-authenticated -> authenticated <-> selected -> logout
// Limits  one minute to log in, thirty of silence, 20 bad commands in a row; net/connection.ts
// Login   worth at each command what the directory says then; its end is told by the commit, in IDLE and in silence too
// Never   runs two commands of one connection at once
// RFC 3501 §3 §5.2 §5.4 §7.1

import type { Duplex } from 'node:stream';
import type { StandingLogin } from '../../auth/standing-login.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import type { AccountId, Uid } from '../../base/ids.ts';
import { FAILED_LOGINS_MAX, LOGIN_END_MS } from '../../base/limits.ts';
import { LOGIN_IS_OVER } from '../../directory/caller.ts';
import { compress, endCompression } from '../../net/compression.ts';
import { Connection, type ConnectionRecord } from '../../net/connection.ts';
import { startTls } from '../../net/start-tls.ts';
import type { Quota } from '../../store/quota.ts';
import type { Line } from '../../wire/framer.ts';
import {
  CommandFramer,
  type ImapFrame,
  LOGIN_FRAMER_LIMITS,
  sessionFramerLimits,
} from '../../wire/imap/command-framer.ts';
import type { FetchItems } from '../../wire/imap/commands/fetch.ts';
import { ImapCursor, tagOf } from '../../wire/imap/grammar.ts';
import { startsMessage } from '../../wire/imap/message-start.ts';
import { encodeContinuation, encodeTagged, encodeUntagged } from '../../wire/imap/responses/status.ts';
import { rangesOf } from '../../wire/imap/values.ts';
import { capabilityText } from './capability.ts';
import { fetch } from './commands/fetch.ts';
import { commands, numberCommands, uidCommands } from './commands.ts';
import type {
  AnnouncedMessage,
  ArrivedResults,
  ImapConversation,
  ImapLogin,
  SelectionUpdates,
  SessionNotifications,
} from './conversation.ts';
import type { ImapDoor } from './door.ts';
import type { EnableName } from './enabled.ts';
import { badFrame, ImapFailure, replyOf } from './errors.ts';
import type { SessionState } from './handler.ts';
import { ViewLost } from './mailbox-view.ts';
import { namesAreUtf8 } from './named-mailbox.ts';
import { accessTo, rightsIn } from './permitted.ts';
import type { TaggedResponse } from './reply.ts';
import type { Allowed, SelectedMailbox } from './selected.ts';

/** For a slow peer to take the rest of what it asked for before it had said all. */
const END_MS = 60_000;
/** Swallowed before login, so that the client reads our answer. */
const STRANGER_SKIP_BYTES = 64 * 1024;

export class ImapSession implements ImapConversation {
  readonly door: ImapDoor;
  readonly connection: Connection<CommandFramer>;
  selected: SelectedMailbox | undefined;
  announced: AnnouncedMessage | undefined;
  tag = '';
  hasCompressed = false;
  updates: SelectionUpdates | undefined;
  notifications: SessionNotifications | undefined;
  readonly enabled = new Set<EnableName>();
  #state: SessionState = 'not-authenticated';
  #login: StandingLogin<ImapLogin> | undefined;
  #account: AccountId | undefined;
  #unwatch: (() => void) | undefined;
  #unwatchLogin: (() => void) | undefined;
  /** Of a selected mailbox of another's: its changes, and the rights in it. */
  #unwatchOther: (() => void) | undefined;
  #hasChanged = false;
  /** A command runs; with #isWaiting it waits for the client: in IDLE, or for the rest of a message. */
  #isRunning = false;
  #isWaiting = false;
  #farewell: string | undefined;
  #badCommands = 0;
  #failedLogins = 0;

  constructor(door: ImapDoor, socket: Duplex, record: ConnectionRecord) {
    this.door = door;
    this.connection = new Connection(socket, record, () => this.#createFramer());
    this.connection.deadline(door.limits.loginTimeoutMs, this.#late);
  }

  /** Before login the framer keeps its small limits. */
  #createFramer(): CommandFramer {
    const framer = new CommandFramer((text) => startsMessage(text, namesAreUtf8(this.enabled)));
    if (this.#account !== undefined) framer.limits = sessionFramerLimits(this.door.limits.messageSizeBytes);
    return framer;
  }

  /** From greeting to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    try {
      this.write(encodeUntagged('OK', `${this.door.hostname(this.record)} Waypost ready`, this.capabilities()));
      do {
        for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
          this.#isRunning = true;
          await this.#answer(frame);
          this.#isRunning = false;
          const turn = this.breathe();
          if (turn !== undefined) await turn;
        }
        await this.#notify();
        this.selected?.rest();
      } while (!this.#isOver && (await this.connection.more()));
    } catch (error) {
      this.door.log.error('imap.bug', { peer: this.record.peerAddress, detail: asFailure(error).detail });
    }
    if (this.#farewell !== undefined) this.#bye(this.#farewell);
    this.connection.end(END_MS);
    this.#unwatch?.();
    this.#unwatchLogin?.();
    this.#unwatchOther?.();
    this.notifications?.close();
  }

  /** Ends the session from outside, the server stops: what is under way is answered first. */
  close(text: string): void {
    this.#farewell ??= text;
    this.connection.wake();
  }

  #bye(text: string): void {
    if (this.#state === 'logout') return;
    this.#state = 'logout';
    this.write(encodeUntagged('BYE', text));
    this.connection.end();
  }

  /** Nothing more is read. */
  get #isOver(): boolean {
    return this.#farewell !== undefined || this.#state === 'logout';
  }

  #nextFrame(): ImapFrame | undefined {
    if (this.#isOver) return undefined;
    const frame = this.connection.framer.next();
    if (frame !== undefined) this.#touch();
    return frame;
  }

  async frame(): Promise<ImapFrame | undefined> {
    for (;;) {
      const frame = this.#nextFrame();
      if (frame !== undefined || !(await this.more())) return frame;
    }
  }

  nextLine(): Line | undefined {
    if (this.#isOver) return undefined;
    const line = this.connection.framer.line();
    if (line !== undefined) this.#touch();
    return line;
  }

  async line(): Promise<Line | undefined> {
    for (;;) {
      const line = this.nextLine();
      if (line !== undefined || !(await this.more())) return line;
    }
  }

  async messageBytes(): Promise<Buffer | undefined> {
    const { framer } = this.connection;
    for (;;) {
      const chunk = framer.takeMessage();
      if (chunk !== undefined) this.#touch();
      if (chunk !== undefined || framer.messageComplete() || !(await this.more())) return chunk;
    }
  }

  async more(): Promise<boolean> {
    if (this.#isOver) return false;
    this.#isWaiting = true;
    this.selected?.rest();
    const more = await this.connection.more();
    this.#isWaiting = false;
    return more && !this.#endsWithLogin();
  }

  /** Whether nothing more is done because the entry is gone, or a status keeps it out: then the client knows. */
  #endsWithLogin(): boolean {
    if (this.#login === undefined || this.#login.now() !== undefined) return false;
    this.#bye(LOGIN_IS_OVER);
    return true;
  }

  get record(): ConnectionRecord {
    return this.connection.record;
  }

  get waitingBytes(): number {
    return this.connection.framer.waitingBytes;
  }

  get reader(): AccountId {
    if (this.#account === undefined) throw new Error('no account before login');
    return this.#account;
  }

  get address(): string {
    return this.#login?.now()?.addresses[0] ?? '';
  }

  get quota(): Quota | undefined {
    return this.#login?.now()?.quota;
  }

  get owner(): AccountId {
    return this.reader;
  }

  get mailbox(): SelectedMailbox {
    if (this.selected === undefined) throw new Error('no mailbox is selected');
    return this.selected;
  }

  get writableMailbox(): SelectedMailbox {
    const { mailbox } = this;
    if (mailbox.readOnly) throw new Failure('read-only', 'The mailbox was opened read-only');
    return mailbox;
  }

  capabilities(): string {
    const authenticated = this.#account !== undefined;
    const mechanisms = authenticated ? [] : this.door.logins.mechanisms({ door: 'imap', record: this.record });
    const offersTls = this.door.tls !== undefined && this.record.tls === undefined;
    const { messageSizeBytes, imapMessagesMax: messagesMax } = this.door.limits;
    return capabilityText({ authenticated, mechanisms, offersTls, messageSizeBytes, messagesMax });
  }

  write(text: string): void {
    this.connection.output.write(text);
  }

  writeBytes(bytes: Uint8Array): void {
    this.connection.output.writeBytes(bytes);
  }

  continuation(text: string): void {
    this.write(encodeContinuation(text));
  }

  loggedIn(login: StandingLogin<ImapLogin>): void {
    const account = login.now()?.account;
    // BYE may have been said while the password was looked at: then the commands behind it must not run.
    if (account === undefined || this.gone) throw new Failure('denied', LOGIN_IS_OVER);
    this.#login = login;
    this.#account = account;
    this.#state = 'authenticated';
    this.connection.framer.limits = sessionFramerLimits(this.door.limits.messageSizeBytes);
    this.#touch();
    this.#unwatch = this.#watch(account);
    this.#unwatchLogin = login.watch(() => {
      this.#farewell ??= LOGIN_IS_OVER;
      this.connection.endWithin(LOGIN_END_MS);
    });
    this.door.log.info('imap.login', { account, peer: this.record.peerAddress });
  }

  #watch(account: AccountId): () => void {
    return this.door.watch(account, (change) => {
      const { selected } = this;
      if (selected === undefined || selected.access.owner !== account) return;
      if (change !== undefined && !selected.isBehind(change.mailbox, change.modseq)) return;
      this.#hasChanged = true;
      this.connection.wake();
    });
  }

  /** A mailbox of another's may go without a change in it. */
  #watchOther({ access }: SelectedMailbox): () => void {
    const unwatch = this.#watch(access.owner);
    const unwatchRights = this.door.rights.watch(() => {
      if (this.#mayRead()) return;
      this.#farewell ??= LOST_MAILBOX;
      this.connection.endWithin(LOGIN_END_MS);
    });
    return () => {
      unwatch();
      unwatchRights();
    };
  }

  /** Readers of a mailbox of another's may have one status from now on, or their own. */
  #followStatus(): void {
    const { selected } = this;
    if (selected === undefined || selected.access.owner === this.reader) return;
    const { status } = accessTo(this, selected.access);
    if (status !== selected.access.status) selected.setStatus(status);
  }

  /** The right to read the selected mailbox may end while it is open. */
  #mayRead(): boolean {
    return this.selected === undefined || rightsIn(this, this.selected.access).rights.includes('r');
  }

  #endsWithRights(): boolean {
    if (this.#mayRead()) return false;
    this.#bye(LOST_MAILBOX);
    return true;
  }

  enable(name: EnableName): boolean {
    if (this.enabled.has(name)) return false;
    this.enabled.add(name);
    // RFC 7162 §3.2.3
    if (name === 'QRESYNC') this.enabled.add('CONDSTORE');
    return true;
  }

  unauthenticate(): void {
    this.open(undefined);
    this.#unwatch?.();
    this.#unwatchLogin?.();
    this.#unwatch = this.#unwatchLogin = undefined;
    this.notifications?.close();
    this.notifications = this.#login = this.#account = undefined;
    this.enabled.clear();
    this.#state = 'not-authenticated';
    this.connection.framer.limits = LOGIN_FRAMER_LIMITS;
    this.connection.deadline(this.door.limits.loginTimeoutMs, this.#late);
  }

  onClose(listener: () => void): void {
    this.connection.onClose(listener);
  }

  logOut(): void {
    this.open(undefined);
    this.#state = 'logout';
  }

  open(mailbox: SelectedMailbox | undefined): void {
    this.#unwatchOther?.();
    const isOther = mailbox !== undefined && mailbox.access.owner !== this.reader;
    this.#unwatchOther = isOther ? this.#watchOther(mailbox) : undefined;
    this.selected = mailbox;
    this.updates = undefined;
    this.#state = mailbox === undefined ? 'authenticated' : 'selected';
  }

  noteNews(): void {
    this.connection.wake();
  }

  takeChanged(): boolean {
    const hasChanged = this.#hasChanged || this.notifications?.hasNews === true;
    this.#hasChanged = false;
    return hasChanged;
  }

  async reportChanges(allowed: Allowed): Promise<void> {
    if (this.selected !== undefined) this.#report(await this.#catchUp(this.selected, this.#wanted(allowed)));
    if (!this.gone) await this.notifications?.tell();
  }

  /** Undefined: the client wants to hear of no changes of the selected mailbox. RFC 5465 §3.1 */
  #wanted(allowed: Allowed): Allowed | undefined {
    if (this.notifications === undefined) return allowed;
    const { messages, flags } = this.notifications.selected;
    // RFC 5465 §5.1: with its UID.
    return messages || allowed.isOwn === true ? { ...allowed, flags, withUid: true } : undefined;
  }

  /**
   * Of searches that the client keeps it hears behind what came or changed, and before numbers shift; of what it wants to know of
   * new messages between them and that.
   */
  async #catchUp(selected: SelectedMailbox, allowed: Allowed | undefined): Promise<string | undefined> {
    if (allowed === undefined) return selected.row() === undefined ? undefined : '';
    const fetched = this.notifications?.selected.fetched;
    if (this.updates === undefined && fetched === undefined) return selected.catchUp(allowed);
    const wantsArrivals = this.updates?.wantsArrivals === true;
    selected.arrived = fetched !== undefined || wantsArrivals ? [] : undefined;
    const text = await selected.catchUp({ ...allowed, expunges: false });
    if (text === undefined) return undefined;
    this.write(text);
    await this.updates?.update();
    const arrived = { uids: selected.arrived ?? [], fetched };
    selected.arrived = undefined;
    for (const one of arrivals(arrived, this.updates?.takeArrivals() ?? [])) await this.#tellArrived(one);
    return allowed.expunges ? selected.reportExpunges() : '';
  }

  async #tellArrived({ uids, fetched }: ArrivedResults): Promise<void> {
    const ranges = rangesOf(uids);
    if (ranges.length === 0 || this.gone) return;
    const modifiers = { partial: undefined, changedSince: undefined, vanished: false };
    try {
      await fetch.run({ name: 'FETCH', messages: { unit: 'uid', ranges }, ...fetched, ...modifiers }, this);
    } catch (error) {
      // The client finds out when it asks for the message itself.
      if (!(error instanceof Failure)) throw error;
      this.#failed(error);
    }
  }

  async pushChanges(): Promise<void> {
    await this.#push({ expunges: true });
  }

  async #push(allowed: Allowed): Promise<void> {
    if (this.selected !== undefined) {
      if (this.#endsWithRights()) return;
      this.#followStatus();
      const text = await this.#catchUp(this.selected, this.#wanted(allowed));
      if (!this.#endsWithLogin()) this.#report(text);
    }
    if (!this.gone && !this.#endsWithLogin()) await this.notifications?.tell();
  }

  /** No command runs: what a client wants to hear at all times. */
  async #notify(): Promise<void> {
    while (this.notifications !== undefined && !this.#isOver && !this.gone && this.takeChanged()) {
      this.#isRunning = true;
      try {
        await this.#push({ expunges: this.notifications.selected.isImmediate });
      } catch (error) {
        if (error instanceof ViewLost) this.#report(undefined);
        else this.#failed(error);
      }
      this.#isRunning = false;
      await this.breathe();
    }
  }

  #report(text: string | undefined): void {
    if (text !== undefined) this.write(text);
    // RFC 2180 §3.3: the selected mailbox has been deleted.
    else this.#bye(LOST_MAILBOX);
  }

  breathe(): Promise<void> | undefined {
    // While the peer takes output it is not counted as silent.
    return this.connection.breathe()?.then(() => this.#touch());
  }

  abort(error: unknown): void {
    this.#failed(error);
    this.#state = 'logout';
    this.connection.destroy();
  }

  get gone(): boolean {
    return this.connection.gone || this.#state === 'logout';
  }

  async #answer(frame: ImapFrame): Promise<void> {
    switch (frame.kind) {
      case 'command':
        return this.#command(frame.text);
      case 'continue':
        this.continuation('Ready for literal data');
        return;
      case 'message':
        this.announced = frame;
        await this.#command(frame.text);
        return;
      case 'bad':
        return this.#reply(tagOf(frame.head), replyOf(badFrame(frame.reason, frame.head)));
      case 'fatal':
        return this.#bye('Literal too large');
      default:
        frame satisfies never;
    }
  }

  async #command(text: string): Promise<void> {
    const cursor = new ImapCursor(text);
    cursor.allowsUtf8 = namesAreUtf8(this.enabled);
    let tag: string | undefined;
    let reply: TaggedResponse | undefined;
    let byUid = false;
    try {
      tag = cursor.tag();
      this.tag = tag;
      cursor.space();
      let name = cursor.word();
      if (name === 'UID') {
        byUid = true;
        cursor.space();
        name = cursor.word();
        if (!uidCommands.has(name)) throw new Failure('syntax', `There is no command UID ${name}`);
      }
      if (!byUid && this.enabled.has('UIDONLY') && numberCommands.has(name))
        throw new ImapFailure('syntax', `UID ${name} is the command, since UIDONLY is enabled`, 'UIDREQUIRED');
      const command = commands.get(name);
      if (command === undefined) throw new Failure('syntax', `There is no command ${name}`);
      if (!command.states.includes(this.#state)) throw new Failure('syntax', WRONG_STATE[this.#state]);
      if (this.#endsWithLogin() || this.#endsWithRights()) return;
      this.#followStatus();
      const run = command.prepare(cursor, byUid);
      reply = await run(this);
      if (reply === undefined) return;
      const own = command.removes ? { isOwn: true as const } : {};
      await this.reportChanges({ expunges: byUid || !command.usesNumbers, withUid: byUid, ...own });
    } catch (error) {
      if (error instanceof ViewLost) return this.#report(undefined);
      reply = this.#failed(error);
    }
    if (this.connection.framer.isWithinMessages) await this.#dropMessages();
    this.#reply(tag, reply);
    if (reply.next === 'tls') await startTls(this.connection, this.door.tls!, this.door.log);
    else if (reply.next === 'deflate') await compress(this.connection);
    else if (reply.next === 'plain') await endCompression(this.connection);
    else if (reply.next === 'end') this.#bye(reply.text);
    else if (this.#failedLogins >= FAILED_LOGINS_MAX) this.#bye('Too many failed logins');
  }

  #failed(error: unknown): TaggedResponse {
    const failure = asFailure(error);
    if (failure.kind === 'unauthenticated') this.#failedLogins++;
    if (failure.detail !== undefined || failure.kind === 'unavailable') {
      const whose = this.#account === undefined ? {} : { account: this.#account };
      const peer = this.record.peerAddress;
      this.door.log.warn('imap.failure', { ...whose, peer, kind: failure.kind, detail: failure.detail });
    }
    return replyOf(failure);
  }

  #reply(tag: string | undefined, { status, text, code }: TaggedResponse): void {
    this.write(tag === undefined ? encodeUntagged(status, text, code) : encodeTagged(tag, status, text, code));
    this.door.countReply(this.record.listener, status);
    if (status !== 'BAD') this.#badCommands = 0;
    else if (++this.#badCommands >= this.door.limits.badCommandsMax) this.#bye('Too many bad commands');
  }

  /** Gets rid of messages that will not be stored, up to the end of their command, so that the next one can be read. */
  async #dropMessages(): Promise<void> {
    const { framer } = this.connection;
    let left = this.#account === undefined ? STRANGER_SKIP_BYTES : 2 * this.door.limits.messageSizeBytes;
    let { announced } = this;
    this.announced = undefined;
    while (framer.isWithinMessages) {
      if (announced !== undefined) {
        if (announced.synchronizing) return framer.refuse();
        left -= announced.sizeBytes;
        if (left < 0) return this.#bye('Message too large');
        framer.skipMessage();
      }
      const frame = await this.frame();
      if (frame === undefined) return;
      if (frame.kind === 'fatal') return this.#bye('Literal too large');
      if (frame.kind === 'continue') return framer.refuse();
      announced = frame.kind === 'message' ? frame : undefined;
    }
  }

  #touch(): void {
    if (this.#account !== undefined) this.connection.deadline(this.door.limits.idleTimeoutMs, this.#late);
  }

  readonly #late = (): void => {
    // In the middle of a literal nothing can be said.
    if (this.selected !== undefined && this.#isRunning && !this.#isWaiting) this.connection.destroy();
    else this.#bye(this.#account === undefined ? 'Too slow to log in' : 'Idle for too long');
  };
}

/** Of each new message one response, with all that is asked of it. RFC 5465 §5.2 */
function arrivals(
  { uids, fetched }: { readonly uids: readonly Uid[]; readonly fetched: FetchItems | undefined },
  found: readonly ArrivedResults[],
): ArrivedResults[] {
  const among = found.map((one) => new Set(one.uids));
  const sets = new Map<string, { uids: Uid[]; fetched: FetchItems }>();
  for (const uid of uids) {
    const items = among.flatMap((those, at) => (those.has(uid) ? [at] : []));
    const all = [...(fetched === undefined ? [] : [fetched]), ...items.map((at) => found[at]!.fetched)];
    if (all.length === 0) continue;
    const set = sets.get(items.join()) ?? { uids: [], fetched: united(all) };
    sets.set(items.join(), set);
    set.uids.push(uid);
  }
  return [...sets.values()];
}

function united(all: readonly FetchItems[]): FetchItems {
  const sections = new Map(all.flatMap((items) => items.sections).map((one) => [JSON.stringify(one), one]));
  return { attributes: new Set(all.flatMap((items) => [...items.attributes])), sections: [...sections.values()] };
}

/** Also where it cannot be read any more: nobody is told that it is still there. */
const LOST_MAILBOX = 'The selected mailbox was deleted, or must be opened again';

const WRONG_STATE = {
  'not-authenticated': 'Log in first',
  authenticated: 'Not in this state',
  selected: 'Not in this state',
  logout: 'Logged out already',
} satisfies Record<SessionState, string>;
