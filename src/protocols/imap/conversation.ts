// What an IMAP command needs of the conversation that it is part of; the session implements it.

import type { StandingLogin } from '../../auth/standing-login.ts';
import type { AccountId, Uid } from '../../base/ids.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { Quota } from '../../store/quota.ts';
import type { Line } from '../../wire/framer.ts';
import type { ImapFrame } from '../../wire/imap/command-framer.ts';
import type { FetchItems } from '../../wire/imap/commands/fetch.ts';
import type { ImapDoor } from './door.ts';
import type { EnableName } from './enabled.ts';
import type { SectionOutput } from './fetched-section.ts';
import type { Allowed, SelectedMailbox } from './selected.ts';

/** The message that an APPEND announced; it waits to be taken, skipped or refused. */
export interface AnnouncedMessage {
  readonly sizeBytes: number;
  readonly synchronizing: boolean;
  /** It may hold NUL. */
  readonly isBinary: boolean;
}

/** What a session knows of who has logged in. */
export interface ImapLogin {
  readonly account: AccountId;
  readonly quota?: Quota | undefined;
  /** The primary one first. */
  readonly addresses: readonly string[];
  /** The account is a list's, which a member reads. */
  readonly isOfList?: true;
}

/** What is told of the selected mailbox beside its changes. */
export interface SelectionUpdates {
  /** New messages and flags have been reported; messages that are gone still have their numbers. */
  update(): Promise<void>;
  /** Whether something is to be told of messages that arrive. */
  readonly wantsArrivals: boolean;
  /** Those that the last update has found, each time once. */
  takeArrivals(): readonly ArrivedResults[];
}

/** New messages among the results of a search, and what is to be told of them. RFC 5465 §7 */
export interface ArrivedResults {
  readonly uids: readonly Uid[];
  readonly fetched: FetchItems;
}

/** Of which changes of the selected mailbox the client wants to hear. RFC 5465 §6.1 */
export interface SelectionEvents {
  /** What comes and goes; without it nothing else. */
  readonly messages: boolean;
  readonly flags: boolean;
  /** Also what goes, when no command runs; else what goes is told as before NOTIFY. */
  readonly isImmediate: boolean;
  /** Of each new message. */
  readonly fetched: FetchItems | undefined;
}

/** What the client hears of without asking, since NOTIFY. */
export interface SessionNotifications {
  readonly selected: SelectionEvents;
  /** There is something to look at in other mailboxes. */
  readonly hasNews: boolean;
  /** Writes the responses that tell of it. */
  tell(): Promise<void>;
  /** Nothing more is told. */
  close(): void;
}

export interface ImapConversation extends SectionOutput {
  readonly door: ImapDoor;
  readonly record: ConnectionRecord;
  /** Of the command that runs. */
  readonly tag: string;
  /** Octets that have come behind the command that runs. */
  readonly waitingBytes: number;
  /** What CAPABILITY says at this moment. */
  capabilities(): string;
  /** A password was right. Throws `denied` when the login is over already. */
  loggedIn(login: StandingLogin<ImapLogin>): void;
  /** What the client has switched on. */
  readonly enabled: ReadonlySet<EnableName>;
  /** Whether it was off until now. */
  enable(name: EnableName): boolean;
  /** The account that has logged in: the reader, whose flags are shown and changed. */
  readonly reader: AccountId;
  /** Its primary address, '' where it has none. */
  readonly address: string;
  /** What its mailboxes may hold. */
  readonly quota: Quota | undefined;
  /** The account whose mailboxes are named in commands: the reader's own. */
  readonly owner: AccountId;
  /** The login is over, and another may come. */
  unauthenticate(): void;
  /** COMPRESS has been answered with OK on this connection. */
  hasCompressed: boolean;
  /** Calls the listener once, when the connection has been closed. */
  onClose(listener: () => void): void;
  /** No command runs behind this one. */
  logOut(): void;

  readonly selected: SelectedMailbox | undefined;
  /** Undefined: the client has not asked for any. */
  notifications: SessionNotifications | undefined;
  /** There is something to tell when no command runs. */
  noteNews(): void;
  /** Goes with the selected mailbox. */
  updates: SelectionUpdates | undefined;
  /** The selected mailbox of a command that is allowed in the selected state only. */
  readonly mailbox: SelectedMailbox;
  /** The same, if it may be changed; else Failure `read-only`. */
  readonly writableMailbox: SelectedMailbox;
  open(mailbox: SelectedMailbox | undefined): void;
  /** Whether something has been committed for this account since the last call. */
  takeChanged(): boolean;
  /** Writes the untagged responses for what has happened in the selected mailbox, as far as they are allowed now. */
  reportChanges(allowed: Allowed): Promise<void>;
  /** The same to a client that has asked for nothing now, unless its login has ended meanwhile: then it is told that. */
  pushChanges(): Promise<void>;

  /** Set while an APPEND runs and its message has not been dealt with. */
  announced: AnnouncedMessage | undefined;
  /** The next bytes of the message; undefined when it is complete, or no more come. */
  messageBytes(): Promise<Buffer | undefined>;
  /** The next frame; undefined when none will come. */
  frame(): Promise<ImapFrame | undefined>;
  /** The next line, which is no command, if it is here. */
  nextLine(): Line | undefined;
  /** The next line, which is no command; undefined when none will come. */
  line(): Promise<Line | undefined>;
  /** Waits for input, or for a change of the account; false when neither will be looked at any more. */
  more(): Promise<boolean>;
  /** The `+` that a client waits for. */
  continuation(text: string): void;
}
