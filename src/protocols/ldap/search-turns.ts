// What is asked of a search, and what it may take: the time of its thread in turns, its limits, the attributes of its entries.

import { LDAP_TURN_MS } from '../../base/limits.ts';
import { mayReadAttribute, type Sight } from '../../directory/access/sight.ts';
import type { Dn } from '../../directory/dn.ts';
import type { Attribute, Entry } from '../../directory/entry.ts';
import type { MatchContext } from '../../directory/match.ts';
import { memberPages } from '../../directory/member-values.ts';
import { isWanted, type Selection, selectAttributes } from '../../directory/operational.ts';
import { schema } from '../../directory/schema.ts';
import { searchLimitsOf } from '../../directory/search-limits.ts';
import type { SearchRequest } from '../../wire/ldap/operations/search.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';
import type { LdapConversation, LdapOperation } from './conversation.ts';

/** Others have their turn behind so many members of a list. */
const MEMBERS_A_TURN = 1000;
/** So many of them wait with the other entries. */
const FEW_MEMBERS = 100;

export interface AskedSearch {
  readonly session: LdapConversation;
  readonly operation: LdapOperation;
  readonly request: SearchRequest;
  readonly base: Dn;
  readonly selection: Selection;
  readonly sight: Sight;
}

/** The time that a search takes of its thread, and in all. */
export class Turns {
  readonly #asked: AskedSearch;
  readonly #endsAt: number;
  #turnEndsAt: number;
  #now: number;

  constructor(asked: AskedSearch) {
    this.#asked = asked;
    const { timeLimit } = asked.request;
    this.#now = asked.session.door.clock.monotonic();
    this.#endsAt = timeLimit === 0 ? Number.POSITIVE_INFINITY : this.#now + timeLimit * 1000;
    this.#turnEndsAt = this.#now + LDAP_TURN_MS;
  }

  /** Lets others have their turn, when this one has had its own. */
  async breathe(): Promise<void> {
    const { session } = this.#asked;
    this.#now = session.door.clock.monotonic();
    if (this.#now < this.#turnEndsAt) return;
    await session.turn();
    this.#now = session.door.clock.monotonic();
    this.#turnEndsAt = this.#now + LDAP_TURN_MS;
  }

  /** Why the search may not go on. */
  limit(run: { readonly walked: number; readonly steps: number }): LdapResult | undefined {
    const { request, sight } = this.#asked;
    if (this.#now >= this.#endsAt) return result('timeLimitExceeded', `Not done after ${request.timeLimit} s`);
    const limits = searchLimitsOf(sight.caller);
    if (run.walked > limits.walked)
      return result(
        'adminLimitExceeded',
        'Too many entries would have to be looked at: no index leads to what is asked for',
      );
    if (run.steps > limits.steps)
      return result('adminLimitExceeded', 'The filter looks at too much: ask for less at a time');
    return undefined;
  }
}

export interface GivenEntry {
  readonly context: MatchContext;
  readonly send: (attributes: readonly Attribute[]) => Promise<void>;
}

/**
 * Of an entry as the caller sees it, what the request asks for. One list after the other on a connection: all that is read of it
 * is in memory until it is on its way.
 */
export function giveWanted(entry: Entry, asked: AskedSearch, { context, send }: GivenEntry): Promise<void> {
  const { operation, selection, session } = asked;
  const give = async (): Promise<void> => {
    if (!operation.isAborted) await send(await wantedAttributes(entry, asked, context));
  };
  const isLarge = [...(entry.memberCounts ?? [])].some(
    ([key, { count }]) => count > FEW_MEMBERS && isWanted(key, selection),
  );
  return isLarge && !selection.typesOnly ? session.oneAtATime(give) : give();
}

async function wantedAttributes(
  entry: Entry,
  asked: AskedSearch,
  context: MatchContext,
): Promise<readonly Attribute[]> {
  const { selection, sight, session } = asked;
  const whole = entry.memberCounts === undefined ? entry : await withWantedMembers(entry, selection, session);
  const chosen = selectAttributes(whole, selection, context);
  // Of what the entry has itself `shown` has decided.
  if (sight.caller === undefined || !selection.wantsMade) return chosen;
  return chosen.filter((each) => mayReadAttribute(sight, entry, each));
}

/** Members are read where they are asked for, a page a turn: who comes or goes between two pages may be among them. */
async function withWantedMembers(entry: Entry, selection: Selection, session: LdapConversation): Promise<Entry> {
  const attributes = new Map(entry.attributes);
  for (const key of entry.memberCounts?.keys() ?? []) {
    if (!isWanted(key, selection)) continue;
    const pages: string[][] = [];
    for (const page of selection.typesOnly ? [] : memberPages(session.door.reader, entry.id, key)) {
      pages.push(page);
      if (page.length >= MEMBERS_A_TURN) await session.turn();
    }
    attributes.set(key, { name: schema().attributeType(key)!.name, values: pages.flat() });
  }
  return { ...entry, attributes };
}
