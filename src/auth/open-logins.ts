// The logins of one thread that are in use: each learns from the commit that it is over, also where its session is idle.
//
// In      notifications of commits: what lets an entry in has changed, what lets in who is of a domain
// Out     a call to the session of a login that is over by it; none to any other
// Ends    with its entry, its place in the group whose mailbox it reads, by a status or an access rule of entry or domain, with its token, with a changed password but in
//         the session that changed it, and when its user is suspended; at the time at which its token expires
// Limits  password changes remembered for logins that are under way: 1000; TURN logins asked in one turn; groups are looked at once in
//         GROUPS_MS, however many of their members come and go
// Never   reads anything for a login whose entry and domain have not changed; nor, where it reads a group's mailbox, a group

import { setImmediate as nextTurn } from 'node:timers/promises';
import { HOUR_MS } from '../base/duration.ts';
import type { PublishedRevision, Revision } from '../base/ids.ts';
import type { Notification } from '../database/operation.ts';
import { keepBelow } from './bounds.ts';

export interface OpenLogin {
  /** Of the session, in changes that it makes. */
  readonly id: string;
  /** The entry's. */
  readonly uuid: string;
  /** The revision before its password was looked at. */
  readonly readAt: PublishedRevision;
  /** Whose statuses and rules count for it, as it was last read. */
  domains(): readonly string[];
  /** Reads the directory where that has changed. Throws `unavailable`. */
  isOver(): boolean;
  /** It reads the mailbox of a group. */
  readonly isShared?: true;
  /** Milliseconds until it ends without any change; absent where it does not. */
  readonly msLeft?: (() => number) | undefined;
  /** The password of its entry has changed, in another session. */
  passwordChanged(): void;
  /** For good, whatever the directory says: somebody who should not have may know the password. */
  end(): void;
}

interface PasswordChange {
  readonly revision: Revision;
  /** The session that made it. */
  readonly session: string | undefined;
  /** No session stays open, and none by another proof than the password. */
  readonly ends: boolean;
}

const CHANGES_MAX = 1000;
const TURN = 100;
/** The clock may be set: a time that is far off is looked at again. */
const LOOK_AGAIN_MS = HOUR_MS;
const GROUPS_MS = 200;

export class OpenLogins {
  readonly #byEntry = new Map<string, Map<OpenLogin, () => void>>();
  readonly #changes = new Map<string, PasswordChange>();
  readonly #timers = new WeakMap<OpenLogin, NodeJS.Timeout>();
  #groups: NodeJS.Timeout | undefined;

  constructor(writer: { onNotification(listener: (notification: Notification) => void): unknown }) {
    writer.onNotification((notification) => {
      if (notification.kind === 'login') this.#entryChanged(notification);
      else if (notification.kind === 'domain') void this.#domainChanged(notification.domain);
      else if (notification.kind === 'group')
        this.#groups ??= setTimeout(() => void this.#groupsChanged(), GROUPS_MS).unref();
    });
  }

  /** Calls `over` once, when the login is over by a commit. Gives the function that ends the watching. */
  watch(login: OpenLogin, over: () => void): () => void {
    const { uuid } = login;
    const ofEntry = this.#byEntry.get(uuid) ?? new Map<OpenLogin, () => void>();
    this.#byEntry.set(uuid, ofEntry);
    ofEntry.set(login, over);
    // What was committed while its password was looked at.
    const change = this.#changes.get(uuid);
    if (change !== undefined) this.#passwordChanged(login, change);
    this.#ask(login);
    this.#awaitItsTime(login);
    return () => this.#forget(login);
  }

  #entryChanged(notification: Extract<Notification, { kind: 'login' }>): void {
    const { uuid, revision, isPassword, session, submits } = notification;
    const ends = submits === 'suspended';
    const change = { revision, session, ends };
    if (isPassword || ends) {
      keepBelow(this.#changes, CHANGES_MAX);
      this.#changes.delete(uuid);
      this.#changes.set(uuid, change);
    }
    for (const login of [...(this.#byEntry.get(uuid)?.keys() ?? [])]) {
      if (isPassword || ends) this.#passwordChanged(login, change);
      this.#ask(login);
    }
  }

  #passwordChanged(login: OpenLogin, { revision, session, ends }: PasswordChange): void {
    // Published revisions are the low 32 bits. A password that was looked at later was the new one.
    const isLater = ((revision | 0) - login.readAt) | 0;
    if (isLater <= 0) return;
    if (ends) login.end();
    else if (login.id !== session) login.passwordChanged();
  }

  #domainChanged(domain: string): Promise<void> {
    return this.#askAll((login) => login.domains().includes(domain));
  }

  async #groupsChanged(): Promise<void> {
    this.#groups = undefined;
    await this.#askAll(({ isShared }) => isShared === true);
  }

  async #askAll(isConcerned: (login: OpenLogin) => boolean): Promise<void> {
    const logins = [...this.#byEntry.values()].flatMap((ofEntry) => [...ofEntry.keys()]);
    const concerned = logins.filter(isConcerned);
    for (let at = 0; at < concerned.length; at += TURN) {
      if (at > 0) await nextTurn();
      for (const login of concerned.slice(at, at + TURN)) this.#ask(login);
    }
  }

  #ask(login: OpenLogin): void {
    const over = this.#byEntry.get(login.uuid)?.get(login);
    if (over === undefined || !isOver(login)) return;
    this.#forget(login);
    over();
  }

  #awaitItsTime(login: OpenLogin): void {
    if (login.msLeft === undefined || this.#byEntry.get(login.uuid)?.has(login) !== true) return;
    const timer = setTimeout(
      () => {
        this.#ask(login);
        this.#awaitItsTime(login);
      },
      Math.max(1, Math.min(login.msLeft(), LOOK_AGAIN_MS)),
    );
    this.#timers.set(login, timer.unref());
  }

  #forget(login: OpenLogin): void {
    clearTimeout(this.#timers.get(login));
    const ofEntry = this.#byEntry.get(login.uuid);
    if (ofEntry?.delete(login) === true && ofEntry.size === 0) this.#byEntry.delete(login.uuid);
  }
}

/** What cannot be found out is found out at the next command. */
function isOver(login: OpenLogin): boolean {
  try {
    return login.isOver();
  } catch {
    return false;
  }
}
