// One POP3 conversation, from greeting to QUIT: which command may come when, and what is answered.
//
// In      command lines
// Out     responses in the order of the commands
// States  authorization -> transaction -> (update) -> closed
// Limits  a line of POP3_LINE_BYTES, one minute to log in, ten of silence, 20 errors, OUTPUT_HIGH_BYTES written ahead of the peer
// Never   removes anything before QUIT; runs two commands of one connection at once; says anything when time is up (§3)
// RFC 1939 §3 §4 §5 §6, RFC 2449 §6.6

import type { Socket } from 'node:net';
import { asFailure, Failure } from '../../base/failure.ts';
import { POP3_IDLE_TIMEOUT_MS, POP3_LINE_BYTES } from '../../base/limits.ts';
import { type ConnectionRecord, Deadline, Output } from '../../net/connection.ts';
import type { BadLine } from '../../wire/framer.ts';
import { type Pop3Command, parseCommand } from '../../wire/pop3/commands.ts';
import { encodeOk } from '../../wire/pop3/responses.ts';
import { authenticate } from './commands/auth.ts';
import { capa } from './commands/capa.ts';
import { dele } from './commands/dele.ts';
import { list } from './commands/list.ts';
import { noop } from './commands/noop.ts';
import { pass } from './commands/pass.ts';
import { quit } from './commands/quit.ts';
import { retr } from './commands/retr.ts';
import { rset } from './commands/rset.ts';
import { stat } from './commands/stat.ts';
import { top } from './commands/top.ts';
import { uidl } from './commands/uidl.ts';
import { user } from './commands/user.ts';
import type { Pop3Door } from './door.ts';
import { failureReply } from './errors.ts';
import { Pop3Input } from './input.ts';
import type { Maildrop } from './maildrop.ts';
import { ReadAhead } from './read-ahead.ts';

type SessionState = 'authorization' | 'transaction' | 'closed';

const SLICE_MS = 8;
const OUTPUT_HIGH_BYTES = 128 * 1024;
/** For a slow peer to take the rest of what it asked for before it said QUIT. */
const END_MS = 60_000;

export class Pop3Session {
  readonly door: Pop3Door;
  readonly connection: ConnectionRecord;
  readonly input: Pop3Input;
  readonly #socket: Socket;
  readonly #output: Output;
  readonly #deadline: Deadline;
  #state: SessionState = 'authorization';
  #running = false;
  #shutsDown = false;
  #errors = 0;
  #sliceStart = 0;
  #maildrop: Maildrop | undefined;
  #readAhead: ReadAhead | undefined;
  #unlock: (() => Promise<void>) | undefined;
  /** What USER said; PASS takes it. Octets as characters. */
  name: string | undefined;

  constructor(socket: Socket, connection: ConnectionRecord, door: Pop3Door) {
    this.door = door;
    this.connection = connection;
    this.#socket = socket;
    // A peer that has said all still hears our answers.
    socket.allowHalfOpen = true;
    this.#output = new Output(socket);
    this.#deadline = new Deadline(() => socket.destroy());
    this.#deadline.set(door.limits.loginTimeoutMs);
    this.input = new Pop3Input(socket, () => this.#touch());
    socket.on('error', () => {});
    socket.on('close', () => this.#deadline.clear());
  }

  /** From greeting to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    try {
      this.ok(`${this.door.hostname()} Waypost ready`);
      while (this.#state !== 'closed') {
        const line = await this.input.line(POP3_LINE_BYTES);
        if (line === undefined) break;
        this.#running = true;
        await this.#answer(line.kind === 'line' ? line.text : line);
        this.#running = false;
        if (this.#shutsDown) this.#sayGoodbye();
        await this.breathe();
      }
    } catch (error) {
      this.door.log.error('pop3.bug', { peer: this.connection.peerAddress, detail: asFailure(error).detail });
    }
    this.close();
    await this.unlock();
  }

  async #answer(line: string | BadLine): Promise<void> {
    try {
      if (typeof line !== 'string') throw new Failure('syntax', BAD_LINES[line.reason]);
      const command = parseCommand(line);
      if (!ALLOWED[command.verb].includes(this.#state)) throw new Failure('syntax', WRONG_STATE[this.#state]);
      await this.#run(command);
    } catch (error) {
      this.fail(error);
    }
  }

  #run(command: Pop3Command): Promise<void> | void {
    switch (command.verb) {
      case 'USER':
        return user(this, command.name);
      case 'PASS':
        return pass(this, command.password);
      case 'AUTH':
        return authenticate(this, command.mechanism, command.initial);
      case 'CAPA':
        return capa(this);
      case 'STAT':
        return stat(this);
      case 'LIST':
        return list(this, command.message);
      case 'UIDL':
        return uidl(this, command.message);
      case 'RETR':
        return retr(this, command.message);
      case 'TOP':
        return top(this, command.message, command.lines);
      case 'DELE':
        return dele(this, command.message);
      case 'NOOP':
        return noop(this);
      case 'RSET':
        return rset(this);
      case 'QUIT':
        return quit(this);
      case 'unknown':
        throw new Failure('syntax', 'There is no such command');
      default:
        return command satisfies never;
    }
  }

  /** INBOX as it was at login. */
  get maildrop(): Maildrop {
    if (this.#maildrop === undefined) throw new Error('no maildrop before login');
    return this.#maildrop;
  }

  get readAhead(): ReadAhead {
    this.#readAhead ??= new ReadAhead(this.door.reader, this.door.blobs, this.maildrop);
    return this.#readAhead;
  }

  get isLoggedIn(): boolean {
    return this.#maildrop !== undefined;
  }

  /** Passwords in the clear only where nobody can listen, until TLS is offered. */
  get passwordsAllowed(): boolean {
    return this.connection.isLoopback;
  }

  /** Login has succeeded; the maildrop is ours until `unlock` is called. */
  open(maildrop: Maildrop, unlock: () => Promise<void>): void {
    this.#maildrop = maildrop;
    this.#unlock = unlock;
    this.#state = 'transaction';
    this.#deadline.clear();
    this.#touch();
    this.door.log.info('pop3.login', { account: maildrop.account, peer: this.connection.peerAddress });
  }

  /** Lets the next session have the maildrop; resolves when it may. */
  async unlock(): Promise<void> {
    const unlock = this.#unlock;
    this.#unlock = undefined;
    await unlock?.();
  }

  ok(text: string): void {
    this.door.countReply(this.connection.listener, 'ok');
    this.write(encodeOk(text));
  }

  /** Answers with what went wrong. A peer that makes too many mistakes, or guesses passwords, has to go. */
  fail(error: unknown): void {
    const failure = asFailure(error);
    if (failure.detail !== undefined || failure.kind === 'unavailable') {
      const whose = this.#maildrop === undefined ? {} : { account: this.#maildrop.account };
      const peer = this.connection.peerAddress;
      this.door.log.warn('pop3.failure', { ...whose, peer, kind: failure.kind, detail: failure.detail });
    }
    this.door.countReply(this.connection.listener, 'err');
    const isMistake = failure.kind === 'syntax' || failure.kind === 'unauthenticated';
    const isLast = isMistake && ++this.#errors >= this.door.limits.badCommandsMax;
    this.write(failureReply(isLast ? new Failure(failure.kind, 'Too many errors') : failure));
    if (isLast) this.close();
  }

  /** Text in latin1, gathered and written at the end of the turn. */
  write(text: string): void {
    this.#output.write(text);
  }

  /** The bytes must not change until they are gone. */
  writeBytes(bytes: Uint8Array): void {
    this.#output.writeBytes(bytes);
  }

  /** Waits for a peer that does not take what it asked for, and lets other connections have their turn. */
  async breathe(): Promise<void> {
    if (this.#output.waitingBytes > OUTPUT_HIGH_BYTES) {
      await this.#output.drained();
      this.#touch();
    }
    if (performance.now() - this.#sliceStart < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#sliceStart = performance.now();
  }

  /** The peer is gone: what is under way for it may stop. */
  get gone(): boolean {
    return this.#socket.destroyed;
  }

  /** Ends the conversation behind what was written; further commands are not read. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.input.discard();
    this.#output.end(END_MS);
  }

  /** The server stops: a command that runs gets its answer first. */
  shutDown(): void {
    this.#shutsDown = true;
    if (!this.#running) this.#sayGoodbye();
  }

  #sayGoodbye(): void {
    if (this.#state === 'closed') return;
    this.write(failureReply(new Failure('unavailable', 'The server is shutting down')));
    this.close();
  }

  /** Cuts the connection where nothing true can be said any more: in the middle of a message. */
  abort(error: unknown): void {
    const { kind, detail } = asFailure(error);
    this.door.log.warn('pop3.abort', { peer: this.connection.peerAddress, kind, detail });
    this.#socket.destroy();
  }

  #touch(): void {
    if (this.#maildrop === undefined || this.#state === 'closed' || this.gone) return;
    this.#deadline.set(Math.min(this.door.limits.idleTimeoutMs, POP3_IDLE_TIMEOUT_MS));
  }
}

const BEFORE: readonly SessionState[] = ['authorization'];
const AFTER: readonly SessionState[] = ['transaction'];
const ALWAYS: readonly SessionState[] = ['authorization', 'transaction'];

const ALLOWED = {
  USER: BEFORE,
  PASS: BEFORE,
  AUTH: BEFORE,
  CAPA: ALWAYS,
  STAT: AFTER,
  LIST: AFTER,
  UIDL: AFTER,
  RETR: AFTER,
  TOP: AFTER,
  DELE: AFTER,
  NOOP: AFTER,
  RSET: AFTER,
  QUIT: ALWAYS,
  unknown: ALWAYS,
} satisfies Record<Pop3Command['verb'], readonly SessionState[]>;

const WRONG_STATE = {
  authorization: 'Log in first',
  transaction: 'You are logged in already',
  closed: 'The session has ended',
} satisfies Record<SessionState, string>;

const BAD_LINES = {
  'too-long': 'Line too long',
  'bare-lf': 'Line feed without carriage return',
  'bare-cr': 'Carriage return without line feed',
  nul: 'NUL in a command',
} satisfies Record<BadLine['reason'], string>;
