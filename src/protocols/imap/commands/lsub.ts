// LSUB. RFC 3501 §6.3.9: subscribed names, whether or not a mailbox is there; with `%` also the levels above them.

import { listSubscriptions, SEPARATOR } from '../../../store/mailboxes.ts';
import { type LsubCommand, parseLsub } from '../../../wire/imap/commands/list.ts';
import { encodeList } from '../../../wire/imap/responses/mailbox.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { ListPattern } from '../list-pattern.ts';
import { findNamed, spelledFor } from '../named-mailbox.ts';
import { ok } from '../reply.ts';

export const lsub: CommandDefinition<LsubCommand> = {
  states: LOGGED_IN,
  parse: parseLsub,
  async run({ reference, pattern }, session) {
    const wanted = new ListPattern(reference + pattern);
    const matches = (name: string): boolean => wanted.matches(spelledFor(session, name));
    const found = new Map<string, readonly string[]>();
    const { reader } = session.door;
    for (const name of listSubscriptions(reader, session.reader)) {
      await session.breathe();
      if (matches(name)) {
        const isThere = findNamed(session, name)?.selectable === true;
        found.set(name, isThere ? [] : ['\\Noselect']);
      } else if (pattern.endsWith('%')) {
        const above = levelAbove(name, matches);
        if (above !== undefined && !found.has(above)) found.set(above, ['\\Noselect']);
      }
    }
    for (const [name, attributes] of found) session.write(encodeList('LSUB', attributes, spelledFor(session, name)));
    return ok('LSUB completed');
  },
};

/** The lowest level above a name that the pattern matches. */
function levelAbove(name: string, matches: (name: string) => boolean): string | undefined {
  for (let end = name.lastIndexOf(SEPARATOR); end > 0; end = name.lastIndexOf(SEPARATOR, end - 1)) {
    const above = name.slice(0, end);
    if (matches(above)) return above;
  }
  return undefined;
}
