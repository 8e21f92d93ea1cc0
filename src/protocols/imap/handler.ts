// How a command is defined: when it may come, how it is read, what it does.

import type { ImapCommand } from '../../wire/imap/command.ts';
import type { ImapCursor } from '../../wire/imap/grammar.ts';
import type { ImapConversation } from './conversation.ts';
import type { TaggedResponse } from './reply.ts';

export type SessionState = 'not-authenticated' | 'authenticated' | 'selected' | 'logout';

export interface CommandDefinition<C extends ImapCommand> {
  readonly states: readonly SessionState[];
  /** `byUid` for UID FETCH, UID STORE and so on. */
  parse(cursor: ImapCursor, byUid: boolean): C;
  /** Undefined: the client has left in the middle of the command, so there is no reply. */
  run(command: C, session: ImapConversation): Promise<TaggedResponse | undefined> | TaggedResponse;
  /** FETCH, STORE and SEARCH: no EXPUNGE may be sent while they run, but it may for their UID forms. RFC 3501 §7.4.1 */
  readonly usesNumbers?: true;
  /** EXPUNGE, MOVE and REPLACE: the client hears of what they remove, whatever else it wants to hear of. RFC 5465 §3.1 */
  readonly removes?: true;
}

/** A definition of a command; the type of its parsed form stays within it. */
export interface CommandEntry {
  readonly states: readonly SessionState[];
  readonly usesNumbers: boolean;
  readonly removes: boolean;
  /** Parses; the result runs it. */
  prepare(
    cursor: ImapCursor,
    byUid: boolean,
  ): (session: ImapConversation) => Promise<TaggedResponse | undefined> | TaggedResponse;
}

export function entry<C extends ImapCommand>(definition: CommandDefinition<C>): CommandEntry {
  return {
    states: definition.states,
    usesNumbers: definition.usesNumbers ?? false,
    removes: definition.removes ?? false,
    prepare(cursor, byUid) {
      const command = definition.parse(cursor, byUid);
      return (session) => definition.run(command, session);
    },
  };
}

export const ANY_STATE: readonly SessionState[] = ['not-authenticated', 'authenticated', 'selected'];
export const LOGGED_IN: readonly SessionState[] = ['authenticated', 'selected'];
export const LOGGED_OUT: readonly SessionState[] = ['not-authenticated'];
export const SELECTED: readonly SessionState[] = ['selected'];
