// One POP3 conversation, from greeting to QUIT: which command may come when, and what is answered.
//
// In      command lines
// Out     responses in the order of the commands
// States  authorization -> transaction -> (update) -> closed
// Limits  a line of POP3_LINE_BYTES, one minute to log in, ten of silence, 20 errors; net/connection.ts
// Login   worth at each command, QUIT too, what the directory says then; over by a commit: closed without a word
// Never   removes anything before QUIT; runs two commands of one connection at once; says anything when time is up (§3)
// RFC 1939 §3 §4 §5 §6, RFC 2449 §6.6

import type { Duplex } from 'node:stream';
import type { LoginClient } from '../../auth/login-client.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { FAILED_LOGINS_MAX, LOGIN_END_MS, POP3_IDLE_TIMEOUT_MS, POP3_LINE_BYTES } from '../../base/limits.ts';
import { LOGIN_IS_OVER } from '../../directory/caller.ts';
import { Connection, type ConnectionRecord } from '../../net/connection.ts';
import { startTls } from '../../net/start-tls.ts';
import { type BadLine, Framer, type Line } from '../../wire/framer.ts';
import { type Pop3Command, parseCommand } from '../../wire/pop3/commands.ts';
import { encodeOk } from '../../wire/pop3/responses.ts';
import { authenticate } from './commands/auth.ts';
import { capa } from './commands/capa.ts';
import { dele } from './commands/dele.ts';
import { lang } from './commands/lang.ts';
import { list } from './commands/list.ts';
import { noop } from './commands/noop.ts';
import { pass } from './commands/pass.ts';
import { quit } from './commands/quit.ts';
import { retr } from './commands/retr.ts';
import { rset } from './commands/rset.ts';
import { stat } from './commands/stat.ts';
import { stls } from './commands/stls.ts';
import { top } from './commands/top.ts';
import { uidl } from './commands/uidl.ts';
import { user } from './commands/user.ts';
import { utf8 } from './commands/utf8.ts';
import type { Pop3Conversation } from './conversation.ts';
import type { Pop3Door } from './door.ts';
import { failureReply } from './errors.ts';
import type { Maildrop } from './maildrop.ts';
import { ReadAhead } from './read-ahead.ts';

type SessionState = 'authorization' | 'transaction' | 'closed';

/** For a slow peer to take the rest of what it asked for before it said QUIT. */
const END_MS = 60_000;

export class Pop3Session implements Pop3Conversation {
  readonly door: Pop3Door;
  readonly connection: Connection<Framer>;
  #state: SessionState = 'authorization';
  #shutsDown = false;
  #errors = 0;
  #failedLogins = 0;
  #login: StandingLogin<unknown> | undefined;
  #loginIsOver = false;
  #maildrop: Maildrop | undefined;
  #readAhead: ReadAhead | undefined;
  #unlock: (() => Promise<void>) | undefined;
  name: string | undefined;

  constructor(door: Pop3Door, socket: Duplex, record: ConnectionRecord) {
    this.door = door;
    this.connection = new Connection(socket, record, () => new Framer());
    this.connection.deadline(door.limits.loginTimeoutMs, this.#late);
  }

  /** From greeting to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    try {
      this.ok(`${this.door.hostname(this.connection.record)} Waypost ready`);
      do {
        for (let line = this.#nextLine(POP3_LINE_BYTES); line !== undefined; line = this.#nextLine(POP3_LINE_BYTES)) {
          const pending = this.#answer(line.kind === 'line' ? line.text : line);
          if (pending !== undefined) await pending;
          const turn = this.breathe();
          if (turn !== undefined) await turn;
        }
      } while (!this.#isOver && (await this.connection.more()));
    } catch (error) {
      this.door.log.error('pop3.bug', { peer: this.record.peerAddress, detail: asFailure(error).detail });
    }
    if (this.#shutsDown) this.#sayGoodbye();
    this.close();
    await this.unlock();
  }

  #nextLine(maxBytes: number): Line | undefined {
    if (this.#isOver) return undefined;
    const line = this.connection.framer.line(maxBytes);
    if (line !== undefined) this.#touch();
    return line;
  }

  /** Nothing more is read: the server stops, or the conversation has come to its end. */
  get #isOver(): boolean {
    return this.#shutsDown || this.#loginIsOver || this.#state === 'closed';
  }

  async line(maxBytes: number): Promise<Line | undefined> {
    for (;;) {
      const line = this.#nextLine(maxBytes);
      if (line !== undefined || this.#isOver || !(await this.connection.more())) return line;
    }
  }

  #answer(line: string | BadLine): Promise<void> | undefined {
    try {
      if (typeof line !== 'string') throw new Failure('syntax', BAD_LINES[line.reason]);
      const command = parseCommand(line);
      if (!ALLOWED[command.verb].includes(this.#state)) throw new Failure('syntax', WRONG_STATE[this.#state]);
      if (this.#login !== undefined && this.#login.now() === undefined) {
        this.fail(new Failure('denied', LOGIN_IS_OVER));
        this.close();
        return undefined;
      }
      return this.#run(command)?.catch((error: unknown) => this.fail(error));
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  #run(command: Pop3Command): Promise<void> | undefined {
    switch (command.verb) {
      case 'USER':
        return user(this, command.name);
      case 'PASS':
        return pass(this, command.password);
      case 'AUTH':
        return authenticate(this, command.mechanism, command.initial);
      case 'CAPA':
        return capa(this);
      case 'STLS':
        return stls(this);
      case 'UTF8':
        return utf8(this);
      case 'LANG':
        return lang(this, command.range);
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

  get record(): ConnectionRecord {
    return this.connection.record;
  }

  get waitingBytes(): number {
    return this.connection.framer.waitingBytes;
  }

  async startTls(): Promise<void> {
    if (await startTls(this.connection, this.door.tls!, this.door.log)) this.name = undefined;
  }

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

  get client(): LoginClient {
    return { door: 'pop3', record: this.record };
  }

  open(login: StandingLogin<unknown>, maildrop: Maildrop, unlock: () => Promise<void>): void {
    this.#login = login;
    this.#maildrop = maildrop;
    this.#unlock = unlock;
    this.#state = 'transaction';
    this.#touch();
    // RFC 1939 has no way to say anything that was not asked for.
    const over = (): void => {
      this.#loginIsOver = true;
      this.connection.endWithin(LOGIN_END_MS);
    };
    this.connection.onClose(login.watch(over));
    this.door.log.info('pop3.login', { account: maildrop.access.owner, peer: this.record.peerAddress });
  }

  async unlock(): Promise<void> {
    const unlock = this.#unlock;
    this.#unlock = undefined;
    await unlock?.();
  }

  ok(text: string): void {
    this.door.countReply(this.record.listener, 'ok');
    this.write(encodeOk(text));
  }

  fail(error: unknown): void {
    const failure = asFailure(error);
    if (failure.detail !== undefined || failure.kind === 'unavailable') {
      const whose = this.#maildrop === undefined ? {} : { account: this.#maildrop.access.owner };
      const peer = this.record.peerAddress;
      this.door.log.warn('pop3.failure', { ...whose, peer, kind: failure.kind, detail: failure.detail });
    }
    this.door.countReply(this.record.listener, 'err');
    const isMistake = failure.kind === 'syntax' || failure.kind === 'unauthenticated';
    const isGuessing = failure.kind === 'unauthenticated' && ++this.#failedLogins >= FAILED_LOGINS_MAX;
    const isLast = isMistake && ++this.#errors >= this.door.limits.badCommandsMax;
    const text = isGuessing ? 'Too many failed logins' : isLast ? 'Too many errors' : undefined;
    this.write(failureReply(text === undefined ? failure : new Failure(failure.kind, text)));
    if (text !== undefined) this.close();
  }

  write(text: string): void {
    this.connection.output.write(text);
  }

  writeBytes(bytes: Uint8Array): void {
    this.connection.output.writeBytes(bytes);
  }

  breathe(): Promise<void> | undefined {
    // While the peer takes output it is not counted as silent.
    return this.connection.breathe()?.then(() => this.#touch());
  }

  get gone(): boolean {
    return this.connection.gone;
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.connection.end(END_MS);
  }

  /** The server stops: a command that runs gets its answer first. */
  shutDown(): void {
    this.#shutsDown = true;
    this.connection.wake();
  }

  #sayGoodbye(): void {
    if (this.#state === 'closed') return;
    this.write(failureReply(new Failure('unavailable', 'The server is shutting down')));
    this.close();
  }

  abort(error: unknown): void {
    const { kind, detail } = asFailure(error);
    this.door.log.warn('pop3.abort', { peer: this.record.peerAddress, kind, detail });
    this.connection.destroy();
  }

  #touch(): void {
    if (this.#maildrop === undefined) return;
    this.connection.deadline(Math.min(this.door.limits.idleTimeoutMs, POP3_IDLE_TIMEOUT_MS), this.#late);
  }

  /** RFC 1939 §3: closed without a response, and nothing is removed. */
  readonly #late = (): void => this.connection.destroy();
}

const BEFORE: readonly SessionState[] = ['authorization'];
const AFTER: readonly SessionState[] = ['transaction'];
const ALWAYS: readonly SessionState[] = ['authorization', 'transaction'];

const ALLOWED = {
  USER: BEFORE,
  PASS: BEFORE,
  AUTH: BEFORE,
  CAPA: ALWAYS,
  STLS: BEFORE,
  UTF8: BEFORE,
  LANG: ALWAYS,
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
