// What a client hears of without asking, since NOTIFY: messages, names and subscriptions of mailboxes that it has named.
//
// In      groups of mailboxes and events; changes of the accounts that have these mailboxes; rights that move
// Out     STATUS where messages come, go or change; LIST where names and subscriptions do. Of the selected mailbox what is to be
//         told; the session tells it
// States  set -> overflown (NOTIFY NONE) or closed
// Cost    a commit in a mailbox that is meant reads its row, and where it is another's the reader's beside it; elsewhere nothing.
//         Names that change are all read again
// Limits  OTHERS_MAX mailboxes of others: beyond them NOTIFICATIONOVERFLOW. Of each mailbox that can be seen its name and counters
//         are kept
// Never   tells of a mailbox that may not be read now
// RFC 5465

import type { AccountId, Modseq, Uid } from '../../base/ids.ts';
import { asReaderFinds } from '../../store/changes.ts';
import type { MailboxKey } from '../../store/mailbox-key.ts';
import {
  canonicalMailboxName,
  findMailboxById,
  listMailboxes,
  listSubscriptions,
  type Mailbox,
  SEPARATOR,
} from '../../store/mailboxes.ts';
import { type EventGroup, isSelected, type NotifyCommand, type NotifyEvent } from '../../wire/imap/commands/notify.ts';
import type { StatusItem } from '../../wire/imap/commands/status.ts';
import { encodeList, encodeRenamed, encodeStatus } from '../../wire/imap/responses/mailbox.ts';
import { encodeUntagged } from '../../wire/imap/responses/status.ts';
import { levelsAbove } from './commands/list.ts';
import type { ImapConversation, SelectionEvents, SessionNotifications } from './conversation.ts';
import { isOwnName, othersMailboxes, spelledFor } from './named-mailbox.ts';
import { accessTo, rightsIn } from './permitted.ts';

const OTHERS_MAX = 1000;

/** A mailbox as the client was last told of it, or would have been. */
interface Known extends MailboxKey {
  readonly name: string;
  readonly uidValidity: number;
  readonly selectable: boolean;
  counters: Counters;
}

interface Counters {
  readonly messages: number;
  readonly uidNext: Uid;
  readonly unseen: number;
  readonly modseq: Modseq;
}

/** All that can be seen, of others what is meant. */
interface Seen {
  readonly mailboxes: ReadonlyMap<string, Known>;
  readonly subscribed: ReadonlySet<string>;
}

const NOTHING: Seen = { mailboxes: new Map(), subscribed: new Set() };

export class Notifications implements SessionNotifications {
  selected: SelectionEvents;
  readonly #session: ImapConversation;
  #groups: readonly Group[];
  #seen: Seen = NOTHING;
  /** Mailboxes with changes that have not been looked at. */
  readonly #pending = new Map<string, Known>();
  /** Names, subscriptions or rights may have changed. */
  #areNamesStale = false;
  readonly #watched = new Map<AccountId, () => void>();
  #unwatchRights: (() => void) | undefined;

  private constructor(session: ImapConversation, { groups, fetched }: NotifyCommand) {
    this.#session = session;
    const selected = groups.find(isSelected);
    this.selected = {
      messages: selected?.events.has('MessageNew') === true,
      flags: selected?.events.has('FlagChange') === true,
      isImmediate: selected?.mailboxes.kind === 'SELECTED',
      fetched,
    };
    this.#groups = groups.filter(({ events, ...group }) => !isSelected(group) && events.size > 0).map(groupOf);
  }

  /** Takes the place of what the session had before; after it STATUS, where the client has asked for it. */
  static async set(session: ImapConversation, command: NotifyCommand): Promise<void> {
    const made = new Notifications(session, command);
    session.notifications = made;
    if (made.#groups.length === 0) return;
    const seen = made.#look();
    if (seen === undefined) return made.#overflow();
    made.#watch(seen);
    made.#seen = seen;
    await made.#tellAccess(command.wantsStatus);
  }

  get hasNews(): boolean {
    return this.#pending.size > 0 || this.#areNamesStale;
  }

  async tell(): Promise<void> {
    if (this.#areNamesStale) await this.#tellNames();
    for (const [key, known] of this.#pending) {
      this.#pending.delete(key);
      this.#tellMessages(known);
      await this.#session.breathe();
      if (this.#session.gone) return;
    }
  }

  close(): void {
    this.#groups = [];
    this.#seen = NOTHING;
    this.#pending.clear();
    this.#areNamesStale = false;
    for (const unwatch of this.#watched.values()) unwatch();
    this.#watched.clear();
    this.#unwatchRights?.();
    this.#unwatchRights = undefined;
  }

  /** RFC 5465 §5.8 */
  #overflow(): void {
    this.close();
    this.selected = NO_EVENTS;
    const text = `More than ${OTHERS_MAX} mailboxes of others: there is no notification any more`;
    this.#session.write(encodeUntagged('OK', text, 'NOTIFICATIONOVERFLOW'));
  }

  /** Undefined: too many mailboxes of others are meant. */
  #look(): Seen | undefined {
    const { door, owner, reader } = this.#session;
    const mailboxes = new Map<string, Known>();
    const subscribed = new Set(
      this.#groups.some(({ usesSubscriptions }) => usesSubscriptions) ? listSubscriptions(door.reader, reader) : [],
    );
    for (const row of listMailboxes(door.reader, owner))
      mailboxes.set(nameOf(row.owner, row.id), knownOf(row.name, row));
    if (!this.#groups.some(({ meansOthers }) => meansOthers)) return { mailboxes, subscribed };
    const own = mailboxes.size;
    for (const [name, row] of othersMailboxes(this.#session)) {
      if (this.#eventsOf(name, subscribed).size === 0) continue;
      if (mailboxes.size - own >= OTHERS_MAX) return undefined;
      mailboxes.set(nameOf(row.owner, row.id), knownOf(name, this.#asFound(row)));
    }
    return { mailboxes, subscribed };
  }

  #asFound(row: Mailbox): Mailbox {
    const access = accessTo(this.#session, { owner: row.owner, mailbox: row.id });
    return asReaderFinds(this.#session.door.reader, access, row);
  }

  #watch({ mailboxes }: Seen): void {
    const { door } = this.#session;
    const owners = new Set([this.#session.owner]);
    for (const { owner } of mailboxes.values()) owners.add(owner);
    for (const [owner, unwatch] of this.#watched) {
      if (owners.has(owner)) continue;
      unwatch();
      this.#watched.delete(owner);
    }
    for (const owner of owners)
      if (!this.#watched.has(owner))
        this.#watched.set(
          owner,
          door.watch(owner, (change) => this.#note(owner, change)),
        );
    if (this.#groups.some(({ meansOthers }) => meansOthers))
      this.#unwatchRights ??= door.rights.watch(() => this.#note(this.#session.owner, undefined));
  }

  #note(owner: AccountId, change: { readonly mailbox: MailboxKey['mailbox'] } | undefined): void {
    if (change === undefined) this.#areNamesStale = true;
    else {
      const key = nameOf(owner, change.mailbox);
      const known = this.#seen.mailboxes.get(key);
      if (known === undefined || !this.#eventsOf(known.name).has('MessageNew')) return;
      this.#pending.set(key, known);
    }
    this.#session.noteNews();
  }

  /** What is to be told of a mailbox of this name, of all groups that it is in. */
  #eventsOf(name: string, subscribed = this.#seen.subscribed): ReadonlySet<NotifyEvent> {
    const found = new Set<NotifyEvent>();
    for (const group of this.#groups)
      if (means(group, name, subscribed)) for (const one of group.events) found.add(one);
    return found;
  }

  #rightsIn(known: Known): string {
    return rightsIn(this.#session, known).rights;
  }

  #mayRead(known: Known): boolean {
    const rights = this.#rightsIn(known);
    return rights.includes('l') && rights.includes('r');
  }

  /** RFC 5465 §3.1: which mailboxes cannot be watched, and how the others are. */
  async #tellAccess(wantsStatus: boolean): Promise<void> {
    const session = this.#session;
    for (const known of this.#seen.mailboxes.values()) {
      const events = this.#eventsOf(known.name);
      if (!known.selectable || !events.has('MessageNew')) continue;
      if (!this.#mayRead(known)) session.write(encodeList('LIST', ['\\NoAccess'], spelledFor(session, known.name)));
      else if (wantsStatus && session.selected?.isOf(known) !== true) {
        const items: readonly StatusItem[] = ['MESSAGES', 'UIDNEXT', 'UIDVALIDITY'];
        const usesModseq = events.has('FlagChange') || session.enabled.has('CONDSTORE');
        this.#writeStatus(known, usesModseq ? [...items, 'HIGHESTMODSEQ'] : items);
      }
      await session.breathe();
      if (session.gone) return;
    }
  }

  /** RFC 5465 §5.1 to §5.3 */
  #tellMessages(known: Known): void {
    const session = this.#session;
    const row = findMailboxById(session.door.reader, known);
    if (row === undefined || !row.selectable || !this.#mayRead(known)) return;
    const before = known.counters;
    known.counters = countersOf(this.#asFound(row));
    const { messages, uidNext, unseen, modseq } = known.counters;
    // The session tells of it, as far as the client wants.
    if (session.selected?.isOf(known) === true) return;
    const tellsFlags = this.#eventsOf(known.name).has('FlagChange');
    const items: StatusItem[] = [];
    if (messages !== before.messages || uidNext !== before.uidNext) items.push('MESSAGES', 'UIDNEXT', 'UIDVALIDITY');
    else if (!tellsFlags) return;
    if (session.enabled.has('CONDSTORE') && modseq !== before.modseq) items.push('HIGHESTMODSEQ');
    if (tellsFlags && unseen !== before.unseen) items.push('UNSEEN');
    if (items.length === 0) return;
    if (!items.includes('UIDVALIDITY')) items.push('UIDVALIDITY');
    this.#writeStatus(known, items);
  }

  #writeStatus({ name, uidValidity, counters }: Known, items: readonly StatusItem[]): void {
    const values: Partial<Record<StatusItem, number>> = {
      MESSAGES: counters.messages,
      UIDNEXT: counters.uidNext,
      UNSEEN: counters.unseen,
      HIGHESTMODSEQ: counters.modseq,
      UIDVALIDITY: uidValidity,
    };
    const pairs = items.map((item) => [item, values[item]!] as const);
    this.#session.write(encodeStatus(spelledFor(this.#session, name), pairs));
  }

  /** RFC 5465 §5.4, §5.5 */
  async #tellNames(): Promise<void> {
    this.#areNamesStale = false;
    const before = this.#seen;
    const now = this.#look();
    if (now === undefined) return this.#overflow();
    this.#watch(now);
    this.#seen = now;
    for (const [key, known] of now.mailboxes) {
      const old = before.mailboxes.get(key);
      if (old === undefined) continue;
      // What has happened to its messages is found by what was told of them.
      if (hasMoved(known.counters, old.counters) && this.#eventsOf(known.name).has('MessageNew'))
        this.#pending.set(key, known);
      known.counters = old.counters;
    }
    const session = this.#session;
    const parents = levelsAbove([...now.mailboxes.values()].map(({ name }) => name));
    const byName = new Map([...now.mailboxes.values()].map((known) => [known.name, known]));
    for (const [name, oldName] of this.#affected(before, now)) {
      const attributes = attributesOf(byName.get(name), {
        isSubscribed: now.subscribed.has(name),
        hasChildren: parents.has(name),
      });
      const spelled = spelledFor(session, name);
      if (oldName === undefined) session.write(encodeList('LIST', attributes, spelled));
      else session.write(encodeRenamed(attributes, spelled, spelledFor(session, oldName)));
      await session.breathe();
      if (session.gone) return;
    }
  }

  /** The names to be told, with what a mailbox was called before that has another name now. */
  #affected(before: Seen, now: Seen): Map<string, string | undefined> {
    const affected = new Map<string, string | undefined>();
    const wants = (event: NotifyEvent, ...names: readonly string[]): boolean =>
      names.some((name) => this.#eventsOf(name).has(event) || this.#eventsOf(name, before.subscribed).has(event));
    const add = (name: string): void => {
      if (!affected.has(name) && wants('MailboxName', name)) affected.set(name, undefined);
    };
    /** RFC 5465 §5.4: the level above is affected, too. */
    const addWithParent = (name: string): void => {
      add(name);
      const end = name.lastIndexOf(SEPARATOR);
      if (end > 0) add(name.slice(0, end));
    };
    const renamed = new Map<string, string>();
    for (const [key, { name }] of before.mailboxes) {
      const known = now.mailboxes.get(key);
      if (known === undefined) addWithParent(name);
      else if (known.name !== name) renamed.set(name, known.name);
    }
    for (const [key, { name }] of now.mailboxes) if (!before.mailboxes.has(key)) addWithParent(name);
    for (const [from, to] of renamed)
      if (!isRenamedAbove(renamed, from, to) && wants('MailboxName', from, to)) affected.set(to, from);
    for (const [one, other] of [
      [before.subscribed, now.subscribed],
      [now.subscribed, before.subscribed],
    ] as const)
      for (const name of one)
        if (!other.has(name) && !affected.has(name) && wants('SubscriptionChange', name)) affected.set(name, undefined);
    return affected;
  }
}

const NO_EVENTS: SelectionEvents = { messages: false, flags: false, isImmediate: false, fetched: undefined };

/** Mailboxes that are no longer known by name, as what they are told by. */
interface Group {
  readonly kind: EventGroup['mailboxes']['kind'];
  readonly names: ReadonlySet<string>;
  readonly events: ReadonlySet<NotifyEvent>;
  readonly usesSubscriptions: boolean;
  readonly meansOthers: boolean;
}

function groupOf({ mailboxes, events }: EventGroup): Group {
  const names = new Set<string>();
  if ('names' in mailboxes)
    for (const name of mailboxes.names) {
      const canonical = tryCanonical(name);
      if (canonical !== undefined) names.add(comparable(canonical));
    }
  const isSubscribed = mailboxes.kind === 'SUBSCRIBED';
  return {
    kind: mailboxes.kind,
    names,
    events,
    usesSubscriptions: isSubscribed || events.has('SubscriptionChange'),
    meansOthers: isSubscribed || [...names].some((name) => !isOwnName(name)),
  };
}

/** Undefined for what no mailbox can be called: it is passed over. RFC 5465 §3.1 */
function tryCanonical(name: string): string | undefined {
  try {
    return canonicalMailboxName(name);
  } catch {
    return undefined;
  }
}

/** Addresses in names of others' mailboxes are compared without case. */
function comparable(name: string): string {
  if (isOwnName(name)) return name;
  const [first, address = '', ...rest] = name.split(SEPARATOR);
  return [first, ...(address === '' ? [] : [address.toLowerCase()]), ...rest].join(SEPARATOR);
}

function means({ kind, names }: Group, name: string, subscribed: ReadonlySet<string>): boolean {
  switch (kind) {
    case 'SELECTED':
    case 'SELECTED-DELAYED':
      return false;
    case 'INBOXES':
      // Where deliveries go.
      return name === 'INBOX';
    case 'PERSONAL':
      return isOwnName(name);
    case 'SUBSCRIBED':
      return subscribed.has(name);
    case 'MAILBOXES':
      return names.has(comparable(name));
    case 'SUBTREE-ONE':
    case 'SUBTREE': {
      const compared = comparable(name);
      if (names.has(compared)) return true;
      for (let end = compared.lastIndexOf(SEPARATOR); end > 0; end = compared.lastIndexOf(SEPARATOR, end - 1)) {
        if (names.has(compared.slice(0, end))) return true;
        if (kind === 'SUBTREE-ONE') return false;
      }
      return false;
    }
    default:
      return kind satisfies never;
  }
}

/** Whether the mailbox has its new name from a level above it: no word is said of it. RFC 5465 §5.4 */
function isRenamedAbove(renamed: ReadonlyMap<string, string>, from: string, to: string): boolean {
  for (let end = from.lastIndexOf(SEPARATOR); end > 0; end = from.lastIndexOf(SEPARATOR, end - 1)) {
    const above = renamed.get(from.slice(0, end));
    if (above !== undefined && to === above + from.slice(end)) return true;
  }
  return false;
}

function attributesOf(
  known: Known | undefined,
  { isSubscribed, hasChildren }: { readonly isSubscribed: boolean; readonly hasChildren: boolean },
): string[] {
  const attributes: string[] = [];
  if (known === undefined) attributes.push('\\NonExistent');
  else if (!known.selectable) attributes.push('\\Noselect');
  if (isSubscribed) attributes.push('\\Subscribed');
  attributes.push(hasChildren ? '\\HasChildren' : '\\HasNoChildren');
  return attributes;
}

function nameOf(owner: AccountId, mailbox: MailboxKey['mailbox']): string {
  return `${owner} ${mailbox}`;
}

function knownOf(name: string, row: Mailbox): Known {
  const { owner, id, uidValidity, selectable } = row;
  return { owner, mailbox: id, name, uidValidity, selectable, counters: countersOf(row) };
}

function countersOf({ messages, uidNext, unseen, modseq }: Mailbox): Counters {
  return { messages, uidNext, unseen, modseq };
}

function hasMoved(one: Counters, other: Counters): boolean {
  return one.modseq !== other.modseq || one.messages !== other.messages || one.uidNext !== other.uidNext;
}
