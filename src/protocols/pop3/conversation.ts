// What a POP3 command needs of the conversation that it is part of; the session implements it.

import type { LoginClient } from '../../auth/login-client.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { Line } from '../../wire/framer.ts';
import type { Pop3Door } from './door.ts';
import type { Maildrop } from './maildrop.ts';
import type { ReadAhead } from './read-ahead.ts';

export interface Pop3Conversation {
  readonly door: Pop3Door;
  readonly record: ConnectionRecord;
  /** INBOX as it was at login. */
  readonly maildrop: Maildrop;
  readonly readAhead: ReadAhead;
  readonly isLoggedIn: boolean;
  /** Who logs in here. */
  readonly client: LoginClient;
  /** What USER said; PASS takes it. Octets as characters. */
  name: string | undefined;
  /** Octets that have come behind the command that runs. */
  readonly waitingBytes: number;
  /** The peer is gone: what is under way for it may stop. */
  readonly gone: boolean;

  ok(text: string): void;
  /** Answers with what went wrong. A peer that makes too many mistakes, or guesses passwords, has to go. */
  fail(error: unknown): void;
  /** Text in latin1, gathered and written at the end of the turn. */
  write(text: string): void;
  /** The bytes must not change until they are gone. */
  writeBytes(bytes: Uint8Array): void;
  /** Undefined, or a wait: for a peer that does not take what it asked for, or for a turn of other connections. */
  breathe(): Promise<void> | undefined;
  /** Goes on in TLS, and forgets what was said in the clear. Only where the door has it. */
  startTls(): Promise<void>;
  /** The next line, which is no command; undefined when none will come. */
  line(maxBytes: number): Promise<Line | undefined>;
  /** Login has succeeded; the maildrop is ours until `unlock` is called. */
  open(login: StandingLogin<unknown>, maildrop: Maildrop, unlock: () => Promise<void>): void;
  /** Lets the next session have the maildrop; resolves when it may. */
  unlock(): Promise<void>;
  /** Ends the conversation behind what was written; further commands are not read. */
  close(): void;
  /** Cuts the connection: in the middle of a message an error cannot be reported. */
  abort(error: unknown): void;
}
