// NOTIFY as a value: of which events in which mailboxes the client wants to hear. RFC 5465 §8
//
// What is malformed, or goes against the rules of §5 and §6.1, is a syntax failure; an event that is not known is none, so that
// it can be answered with the names of those that are

import type { ImapCursor } from '../grammar.ts';
import { type MailboxFilter, parseMailboxFilter } from '../mailbox-filter.ts';
import { type FetchItems, parseFetchItems } from './fetch.ts';

/** What can be told, as the RFC writes it. */
export const notifyEvents = [
  'MessageNew',
  'MessageExpunge',
  'FlagChange',
  'MailboxName',
  'SubscriptionChange',
] as const;
export type NotifyEvent = (typeof notifyEvents)[number];

export interface EventGroup {
  readonly mailboxes: MailboxFilter | { readonly kind: 'SELECTED-DELAYED' };
  /** None: the client wants to hear nothing of them. */
  readonly events: ReadonlySet<NotifyEvent>;
}

export interface NotifyCommand {
  readonly name: 'NOTIFY';
  /** None for NOTIFY NONE. */
  readonly groups: readonly EventGroup[];
  /** SET STATUS: how each mailbox is now. */
  readonly wantsStatus: boolean;
  /** What is told of each new message of the selected mailbox; undefined: that it is there. */
  readonly fetched: FetchItems | undefined;
  /** An event was named that cannot be told. */
  readonly hasUnknown: boolean;
}

const GROUPS_MAX = 100;

export function parseNotify(cursor: ImapCursor): NotifyCommand {
  cursor.space();
  const start = cursor.at;
  const word = cursor.word();
  if (word === 'NONE') {
    cursor.end();
    return { name: 'NOTIFY', groups: [], wantsStatus: false, fetched: undefined, hasUnknown: false };
  }
  if (word !== 'SET') {
    cursor.at = start;
    cursor.fail('SET or NONE');
  }
  cursor.space();
  const wantsStatus = cursor.tryWord('STATUS');
  if (wantsStatus) cursor.space();
  const found: Found = { fetched: undefined, hasUnknown: false };
  const groups: EventGroup[] = [];
  do {
    if (groups.length >= GROUPS_MAX) cursor.fail(`at most ${GROUPS_MAX} kinds of mailboxes`);
    groups.push(parseGroup(cursor, found));
  } while (cursor.trySpace());
  cursor.end();
  if (groups.filter(isSelected).length > 1) cursor.fail('one of SELECTED and SELECTED-DELAYED');
  return { name: 'NOTIFY', groups, wantsStatus, ...found };
}

interface Found {
  fetched: FetchItems | undefined;
  hasUnknown: boolean;
}

export function isSelected({ mailboxes }: Pick<EventGroup, 'mailboxes'>): boolean {
  return mailboxes.kind === 'SELECTED' || mailboxes.kind === 'SELECTED-DELAYED';
}

function parseGroup(cursor: ImapCursor, found: Found): EventGroup {
  cursor.take('(');
  const mailboxes = cursor.tryWord('SELECTED-DELAYED')
    ? ({ kind: 'SELECTED-DELAYED' } as const)
    : parseMailboxFilter(cursor);
  cursor.space();
  const isOfSelected = isSelected({ mailboxes });
  const events = new Set<NotifyEvent>();
  if (!cursor.tryWord('NONE')) {
    const count = cursor.list(() => parseEvent(cursor, { isOfSelected, events, found })).length;
    if (count === 0) cursor.fail('an event');
  }
  // RFC 5465 §5
  if (events.has('MessageNew') !== events.has('MessageExpunge')) cursor.fail('MessageNew and MessageExpunge together');
  if (events.has('FlagChange') && !events.has('MessageNew'))
    cursor.fail('MessageNew and MessageExpunge beside FlagChange');
  cursor.take(')');
  return { mailboxes, events };
}

function parseEvent(
  cursor: ImapCursor,
  {
    isOfSelected,
    events,
    found,
  }: { readonly isOfSelected: boolean; readonly events: Set<NotifyEvent>; readonly found: Found },
): void {
  const word = cursor.word();
  const event = notifyEvents.find((one) => one.toUpperCase() === word);
  if (event === undefined) {
    found.hasUnknown = true;
    return;
  }
  // RFC 5465 §6.1
  if (isOfSelected && (event === 'MailboxName' || event === 'SubscriptionChange'))
    cursor.fail('events of messages for the selected mailbox');
  events.add(event);
  if (event !== 'MessageNew' || !cursor.tryTake(' (')) return;
  if (!isOfSelected) cursor.fail('items to fetch for the selected mailbox alone');
  cursor.at--;
  found.fetched = parseFetchItems(cursor);
}
