// What an SMTP command needs of the conversation that it is part of; the session implements it.

import type { MailLogin } from '../../auth/login-directory.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import type { MailParameters, Recipient } from '../../message/envelope.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { RouteRequest } from '../../routing/resolve.ts';
import type { Framer, Line } from '../../wire/framer.ts';
import type { ChunkedMessage } from './commands/bdat.ts';
import type { SmtpDoor } from './door.ts';

/** MAIL was accepted; recipients are being named. */
export interface MailTransaction {
  /** How its recipients are resolved. */
  readonly request: RouteRequest;
  /** Those that got 250. */
  readonly recipients: Recipient[];
  /** Domains of theirs that are not ours yet: their mail is kept. */
  readonly custody: Set<string>;
  /** One of them is more than a mailbox here. */
  leaves: boolean;
  /** What MAIL said beside sender and size. */
  readonly parameters: MailParameters;
  /** What has come of the message, between two BDAT. */
  message?: ChunkedMessage | undefined;
}

export interface SmtpConversation {
  readonly door: SmtpDoor;
  readonly record: ConnectionRecord;
  readonly isSubmission: boolean;
  /** A local mail system delivers: each recipient gets its own reply behind the message, and nobody relays. */
  readonly isLmtp: boolean;
  /** The peer may say for whom it speaks. */
  mayIntroduce: boolean;
  /** The name of EHLO or HELO. */
  helloName: string | undefined;
  isExtended: boolean;
  /** The login of the session; undefined before AUTH. */
  readonly login: StandingLogin<MailLogin> | undefined;
  /** Logins that have failed. */
  failedLogins: number;
  /** Set: what had come of a message is given up. */
  transaction: MailTransaction | undefined;
  /** Recipients that were refused for good since the last accepted message. */
  refusedRecipients: number;

  /** 220 and our name. */
  greet(): undefined;
  /** The peer speaks for this client; `closed` is called when the connection is. */
  introduce(client: ConnectionRecord, closed: () => void): void;
  /** From here on the session ends with its login. */
  loggedIn(login: StandingLogin<MailLogin>): void;
  reply(code: number, enhanced: string | undefined, ...lines: readonly string[]): undefined;
  /** A refusal that is the peer's fault: too many of them, and it has to go. */
  error(code: number, enhanced: string, text: string): undefined;
  /** Says it and closes; what is still waiting is not read. */
  close(code: number, enhanced: string, text: string): undefined;

  /** Goes on in TLS, and forgets what was said in the clear: RFC 3207 §4.2. Only where the door has it. */
  startTls(): Promise<void>;

  /** Input that is no command: the message, between 354 and its end. */
  readonly framer: Framer;
  /** Waits for more of it; false when none will come. */
  more(): Promise<boolean>;
  /** The next line, which is no command; undefined when none will come. */
  line(maxBytes: number): Promise<Line | undefined>;
  /** The peer has made progress; `atMostMs` where it has not made enough for a whole period. */
  touch(atMostMs?: number): void;
}
