// LIST, plain and extended. A plain one tells of children and special uses unasked; an extended one what RETURN names.
//
// RECURSIVEMATCH  a level above a mailbox that was asked for is told where that one itself is not
// RFC 3501 §6.3.8, RFC 3348 §4, RFC 5258 §3 §4, RFC 5819 §2, RFC 6154 §2, RFC 8440, RFC 9590

import { listMailboxes, listSubscriptions, type Mailbox, SEPARATOR } from '../../../store/mailboxes.ts';
import { type ListCommand, type ListReturn, parseList } from '../../../wire/imap/commands/list.ts';
import { encodeList } from '../../../wire/imap/responses/mailbox.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ListPattern } from '../list-pattern.ts';
import { othersMailboxes, spelledFor } from '../named-mailbox.ts';
import { ok } from '../reply.ts';
import { myRightsOf } from './getacl.ts';
import { metadataOf } from './getmetadata.ts';
import { writeStatus } from './status.ts';

/** What there is under a name: a mailbox, or a subscription alone. */
interface Listed {
  readonly mailbox: Mailbox | undefined;
  readonly isSubscribed: boolean;
  /** A level above mailboxes of others. */
  readonly isLevel?: true;
}

const PLAIN: ReadonlySet<ListReturn> = new Set(['CHILDREN', 'SPECIAL-USE']);
const NOTHING: ReadonlySet<ListReturn> = new Set();

export const list: CommandDefinition<ListCommand> = {
  states: LOGGED_IN,
  parse: parseList,
  async run(command, session) {
    if (!command.isExtended && command.patterns[0] === '') {
      // A question about the separator and the root of the reference, which is always the same here.
      session.write(encodeList('LIST', ['\\Noselect'], ''));
      return ok('LIST completed');
    }
    const { select, status, metadata } = command;
    const names = namesFor(command, session);
    const asked = select.has('SUBSCRIBED') ? new Set([...(command.returns ?? NOTHING), 'SUBSCRIBED']) : command.returns;
    const returns: ReadonlySet<string> = asked ?? (command.isExtended ? NOTHING : PLAIN);
    const parents = returns.has('CHILDREN') ? levelsAbove(names.keys()) : undefined;
    const matching = await matchingNames(command, names, session);
    const below = select.has('RECURSIVEMATCH') ? wantedBelow(command, names, matching) : undefined;
    const childInfo = [...select].filter((one) => one === 'SUBSCRIBED' || one === 'SPECIAL-USE');
    for (const name of matching) {
      const listed = names.get(name)!;
      const isWanted = isSelected(command, listed);
      if (!isWanted && below?.unlisted.has(name) !== true) continue;
      const attributes = attributesOf(listed, returns, parents?.has(name) === true);
      session.write(
        encodeList('LIST', attributes, spelledFor(session, name), below?.all.has(name) === true ? childInfo : []),
      );
      if (returns.has('MYRIGHTS') && isWanted && listed.mailbox !== undefined)
        session.write(myRightsOf(session, listed.mailbox, spelledFor(session, name)));
      if (status.length > 0 && isWanted && listed.mailbox?.selectable === true)
        await writeStatus(session, listed.mailbox, name, status);
      if (metadata.length > 0 && isWanted && listed.mailbox !== undefined)
        session.write(metadataOf(session, listed.mailbox, spelledFor(session, name), metadata));
      await session.breathe();
    }
    return ok('LIST completed');
  },
};

/** By name, in its order; subscriptions where they are asked for, and levels that are no mailboxes where those may be told. */
function namesFor({ select, returns }: ListCommand, session: ImapConversation): Map<string, Listed> {
  const { door, owner, reader } = session;
  const usesSubscriptions = select.has('SUBSCRIBED') || returns?.has('SUBSCRIBED') === true;
  const subscribed = new Set(usesSubscriptions ? listSubscriptions(door.reader, reader) : []);
  const names = new Map<string, Listed>();
  for (const mailbox of listMailboxes(door.reader, owner))
    names.set(mailbox.name, { mailbox, isSubscribed: subscribed.has(mailbox.name) });
  const own = names.size;
  const others = othersMailboxes(session);
  for (const [name, mailbox] of others) names.set(name, { mailbox, isSubscribed: subscribed.has(name) });
  for (const name of levelsAbove(others.keys()))
    if (!names.has(name)) names.set(name, { mailbox: undefined, isSubscribed: subscribed.has(name), isLevel: true });
  if (!select.has('SUBSCRIBED')) return names.size === own ? names : sorted(names);
  const known = own;
  for (const name of subscribed) if (!names.has(name)) names.set(name, { mailbox: undefined, isSubscribed: true });
  if (names.size === known) return names;
  if (select.has('RECURSIVEMATCH'))
    for (const name of levelsAbove(subscribed))
      if (!names.has(name)) names.set(name, { mailbox: undefined, isSubscribed: false });
  return sorted(names);
}

function sorted(names: ReadonlyMap<string, Listed>): Map<string, Listed> {
  return new Map([...names].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function matchingNames(
  { reference, patterns }: ListCommand,
  names: ReadonlyMap<string, Listed>,
  session: ImapConversation,
): Promise<Set<string>> {
  const wanted = patterns.map((pattern) => new ListPattern(pattern === '' ? '' : reference + pattern));
  const matching = new Set<string>();
  for (const name of names.keys()) {
    const spelled = spelledFor(session, name);
    if (wanted.some((pattern) => pattern.matches(spelled))) matching.add(name);
    await session.breathe();
  }
  return matching;
}

function isSelected({ select }: ListCommand, { mailbox, isSubscribed, isLevel }: Listed): boolean {
  if (select.has('SUBSCRIBED') ? !isSubscribed : mailbox === undefined && isLevel !== true) return false;
  return !select.has('SPECIAL-USE') || mailbox?.specialUse !== undefined;
}

/** Levels above all that is selected, and above what of it is not listed itself. */
function wantedBelow(
  command: ListCommand,
  names: ReadonlyMap<string, Listed>,
  matching: ReadonlySet<string>,
): { readonly all: ReadonlySet<string>; readonly unlisted: ReadonlySet<string> } {
  const selected = [...names].filter(([, listed]) => isSelected(command, listed)).map(([name]) => name);
  return {
    all: levelsAbove(selected),
    unlisted: levelsAbove(selected.filter((name) => !matching.has(name))),
  };
}

export function levelsAbove(names: Iterable<string>): Set<string> {
  const above = new Set<string>();
  for (const name of names)
    for (let end = name.lastIndexOf(SEPARATOR); end > 0; end = name.lastIndexOf(SEPARATOR, end - 1)) {
      const level = name.slice(0, end);
      if (above.has(level)) break;
      above.add(level);
    }
  return above;
}

function attributesOf({ mailbox, isSubscribed }: Listed, returns: ReadonlySet<string>, hasChildren: boolean): string[] {
  const attributes: string[] = [];
  if (mailbox === undefined) attributes.push('\\NonExistent');
  else if (!mailbox.selectable) attributes.push('\\Noselect');
  if (isSubscribed && returns.has('SUBSCRIBED')) attributes.push('\\Subscribed');
  if (returns.has('CHILDREN')) attributes.push(hasChildren ? '\\HasChildren' : '\\HasNoChildren');
  if (mailbox?.specialUse !== undefined && returns.has('SPECIAL-USE')) attributes.push(mailbox.specialUse);
  return attributes;
}
