// One IMAP conversation: which command may come when, in what order things are said, and how it ends.
//
// In      frames of the input
// Out     replies; before each the news of the selected mailbox that the client may be told
// States  not-authenticated -> authenticated <-> selected -> logout
// Limits  one minute to log in, thirty of silence, 20 bad commands in a row, OUTPUT_HIGH_BYTES written ahead of the peer
// Never   runs two commands of one connection at once; holds the event loop for longer than SLICE_MS
// RFC 3501 §3 §5.2 §5.4 §7.1

import type { Socket } from 'node:net';
import { asFailure, Failure } from '../../base/failure.ts';
import { type ConnectionRecord, Deadline, Output } from '../../net/connection.ts';
import { type ImapFrame, SESSION_FRAMER_LIMITS } from '../../wire/imap/command-framer.ts';
import { ImapCursor, tagOf } from '../../wire/imap/grammar.ts';
import { encodeContinuation, encodeTagged, encodeUntagged } from '../../wire/imap/responses/status.ts';
import { capabilityText } from './capability.ts';
import { commands, uidCommands } from './commands.ts';
import type { ImapDoor } from './door.ts';
import { replyOf } from './errors.ts';
import type { SessionState } from './handler.ts';
import { ImapInput } from './input.ts';
import { bad, type Reply } from './reply.ts';
import type { Allowed, SelectedMailbox } from './selected.ts';

/** The message that an APPEND announced; it waits to be taken, skipped or refused. */
export interface AnnouncedMessage {
  readonly sizeBytes: number;
  readonly synchronizing: boolean;
}

const SLICE_MS = 8;
const OUTPUT_HIGH_BYTES = 256 * 1024;
/** A peer that has not taken our output for so long is gone. */
const STALLED_MS = 300_000;
/** Swallowed before login, so that the client reads our answer. */
const STRANGER_SKIP_BYTES = 64 * 1024;

export class ImapSession {
  readonly door: ImapDoor;
  readonly connection: ConnectionRecord;
  readonly input: ImapInput;
  readonly output: Output;
  state: SessionState = 'not-authenticated';
  selected: SelectedMailbox | undefined;
  /** IDLE waits: the session may end at any moment. */
  idling = false;
  /** Set while an APPEND runs and its message has not been dealt with. */
  announced: AnnouncedMessage | undefined;
  readonly #socket: Socket;
  readonly #deadline: Deadline;
  #account: number | undefined;
  #unwatch: (() => void) | undefined;
  #news = false;
  #running = false;
  #farewell: string | undefined;
  #badCommands = 0;
  #sliceStart = 0;

  constructor(socket: Socket, connection: ConnectionRecord, door: ImapDoor) {
    this.door = door;
    this.connection = connection;
    this.#socket = socket;
    this.output = new Output(socket);
    this.#deadline = new Deadline(() => this.#expired());
    this.#deadline.set(door.limits.loginTimeoutMs);
    this.input = new ImapInput(socket, () => this.#touch());
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#deadline.clear();
      this.#unwatch?.();
    });
  }

  /** From greeting to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    try {
      this.write(encodeUntagged('OK', `${this.door.hostname()} Waypost ready`, this.capabilities()));
      while (this.state !== 'logout') {
        const frame = await this.input.frame();
        if (frame === undefined) break;
        this.#running = true;
        await this.#answer(frame);
        this.#running = false;
        if (this.#farewell !== undefined) this.#bye(this.#farewell);
        await this.breathe();
      }
    } catch (error) {
      this.door.log.error('imap.bug', { peer: this.connection.peerAddress, detail: asFailure(error).detail });
    }
    this.output.end();
  }

  /** Ends the session from outside, the server stops: what is under way is answered first. */
  close(text: string): void {
    if (!this.#running || this.idling) this.#bye(text);
    else this.#farewell = text;
  }

  #bye(text: string): void {
    if (this.state === 'logout') return;
    this.state = 'logout';
    this.write(encodeUntagged('BYE', text));
    this.output.end();
    this.input.wake();
  }

  get account(): number {
    if (this.#account === undefined) throw new Error('no account before login');
    return this.#account;
  }

  get passwordsAllowed(): boolean {
    return this.connection.isPrivate;
  }

  /** The selected mailbox of a command that is allowed in the selected state only. */
  get mailbox(): SelectedMailbox {
    if (this.selected === undefined) throw new Error('no mailbox is selected');
    return this.selected;
  }

  /** The selected mailbox, if it may be changed. */
  get writableMailbox(): SelectedMailbox {
    const { mailbox } = this;
    if (mailbox.readOnly) throw new Failure('read-only', 'The mailbox was opened read-only');
    return mailbox;
  }

  capabilities(): string {
    const authenticated = this.#account !== undefined;
    return capabilityText({ authenticated, passwordsAllowed: this.passwordsAllowed });
  }

  /** Text in latin1, gathered and written at the end of the turn. */
  write(text: string): void {
    this.output.write(text);
  }

  continuation(text: string): void {
    this.write(encodeContinuation(text));
  }

  loggedIn(account: number): void {
    this.#account = account;
    this.state = 'authenticated';
    this.input.framer.limits = SESSION_FRAMER_LIMITS;
    this.#deadline.clear();
    // The peer may have gone while its password was looked at.
    if (this.#socket.destroyed) return;
    this.#deadline.set(this.door.limits.idleTimeoutMs);
    this.#unwatch = this.door.watch(account, () => {
      this.#news = true;
      this.input.wake();
    });
    this.door.log.info('imap.login', { account, peer: this.connection.peerAddress });
  }

  open(mailbox: SelectedMailbox | undefined): void {
    this.selected = mailbox;
    this.state = mailbox === undefined ? 'authenticated' : 'selected';
  }

  /** Something has been committed for this account since the last call. */
  takeNews(): boolean {
    const news = this.#news;
    this.#news = false;
    return news;
  }

  /** Tells what has happened in the selected mailbox, as far as it may be told now. */
  async tellNews(allowed: Allowed): Promise<void> {
    if (this.selected === undefined) return;
    const text = await this.selected.look(allowed);
    if (text !== undefined) this.write(text);
    // RFC 2180 §3.3: nobody can go on in a mailbox that is no more.
    else this.#bye('The selected mailbox was deleted, or must be opened again');
  }

  /** Waits for a peer that does not take what it asked for, and lets other connections have their turn. */
  async breathe(): Promise<void> {
    if (this.output.waitingBytes > OUTPUT_HIGH_BYTES) {
      const stalled = setTimeout(() => this.#socket.destroy(), STALLED_MS);
      await this.output.drained();
      clearTimeout(stalled);
      this.#touch();
    }
    if (performance.now() - this.#sliceStart < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#sliceStart = performance.now();
  }

  /** Cuts the connection where nothing true can be said any more: in the middle of a literal. */
  abort(error: unknown): void {
    this.#failed(error);
    this.state = 'logout';
    this.#socket.destroy();
  }

  /** The peer is gone: what is under way may stop. */
  get gone(): boolean {
    return this.#socket.destroyed || this.state === 'logout';
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
        return this.#reply(tagOf(frame.head), bad(BAD_FRAMES[frame.reason]));
      case 'fatal':
        return this.#bye('Literal too large');
      case 'message-end':
        throw new Error('a message ended that nobody took');
      default:
        frame satisfies never;
    }
  }

  async #command(text: string): Promise<void> {
    const cursor = new ImapCursor(text);
    let tag: string | undefined;
    let reply: Reply;
    let byUid = false;
    try {
      tag = cursor.tag();
      cursor.space();
      let name = cursor.word();
      if (name === 'UID') {
        byUid = true;
        cursor.space();
        name = cursor.word();
        if (!uidCommands.has(name)) throw new Failure('syntax', `There is no command UID ${name}`);
      }
      const command = commands.get(name);
      if (command === undefined) throw new Failure('syntax', `There is no command ${name}`);
      if (!command.states.includes(this.state)) throw new Failure('syntax', WRONG_STATE[this.state]);
      const run = command.prepare(cursor, byUid);
      reply = await run(this);
      await this.tellNews({ expunges: byUid || !command.usesNumbers, withUid: byUid });
    } catch (error) {
      reply = this.#failed(error);
    }
    if (this.announced !== undefined) await this.dropMessage();
    this.#reply(tag, reply);
  }

  #failed(error: unknown): Reply {
    const failure = asFailure(error);
    if (failure.detail !== undefined || failure.kind === 'unavailable') {
      const whose = this.#account === undefined ? {} : { account: this.#account };
      const peer = this.connection.peerAddress;
      this.door.log.warn('imap.failure', { ...whose, peer, kind: failure.kind, detail: failure.detail });
    }
    return replyOf(failure);
  }

  #reply(tag: string | undefined, { status, text, code }: Reply): void {
    this.write(tag === undefined ? encodeUntagged(status, text, code) : encodeTagged(tag, status, text, code));
    this.door.countReply(this.connection.listener, status);
    if (status !== 'BAD') this.#badCommands = 0;
    else if (++this.#badCommands >= this.door.limits.badCommandsMax) this.#bye('Too many bad commands');
  }

  /** Gets rid of an announced message that will not be stored, so that the next command can be read. */
  async dropMessage(): Promise<void> {
    const { announced } = this;
    if (announced === undefined) return;
    this.announced = undefined;
    if (announced.synchronizing) {
      this.input.framer.refuseMessage();
      return;
    }
    const most = this.#account === undefined ? STRANGER_SKIP_BYTES : 2 * this.door.limits.messageSizeBytes;
    if (announced.sizeBytes > most) return this.#bye('Message too large');
    this.input.framer.skipMessage();
    await this.input.frame();
  }

  #touch(): void {
    if (this.#account !== undefined && !this.#socket.destroyed) this.#deadline.set(this.door.limits.idleTimeoutMs);
  }

  #expired(): void {
    // In the middle of a literal nothing can be said.
    if (this.selected !== undefined && this.#running && !this.idling) this.#socket.destroy();
    else this.#bye(this.#account === undefined ? 'Too slow to log in' : 'Idle for too long');
  }
}

const BAD_FRAMES = {
  'too-long': 'Line too long',
  'bare-lf': 'Line feed without carriage return',
  'bare-cr': 'Carriage return without line feed',
  nul: 'NUL in a command',
  'literal-too-large': 'Literal too large',
} satisfies Record<(ImapFrame & { kind: 'bad' })['reason'], string>;

const WRONG_STATE = {
  'not-authenticated': 'Log in first',
  authenticated: 'Not in this state',
  selected: 'Not in this state',
  logout: 'Logged out already',
} satisfies Record<SessionState, string>;
