// What routing asks the directory about lists: their members, which lists somebody is in, whether an entry matches a URL. And
// who answers for a domain without mail.
//
// In      a question; a reader with the generation that answers, or a transaction
// Out     the answer, read at once: nothing of it is remembered, so that no change of a member makes a thread forget a row
// Limits  a page of members; of those whom URLs find some (list-source.ts); SENDER_LISTS_MAX + 1 lists, also where URLS_LOOKED_AT lists with URLs are too few to be sure

import type { Reader, Transaction } from '../database/operation.ts';
import { entryById, entryByIdIn, findEntry, findEntryIn } from '../directory/entries.ts';
import { memberTotal } from '../directory/entry.ts';
import { fits, type LdapUrl, liesIn } from '../directory/ldap-url.ts';
import { matchContext, matchContextIn } from '../directory/match-context.ts';
import {
  entriesNaming,
  entriesNamingIn,
  type MemberValue,
  memberValuesIn,
  readMemberValues,
  withAllMembersIn,
} from '../directory/member-values.ts';
import { effortOf } from '../directory/search-limits.ts';
import { authorityIn, authorityOf } from '../zones/authority.ts';
import { zoneNames } from '../zones/names.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { SENDER_LISTS_MAX } from './list-access.ts';
import { type FoundByUrl, readFoundByUrl } from './list-source.ts';
import type { GroupRow, RecipientRow } from './rows.ts';
import { dynamicListsIn, readDynamicLists, readRecipient, recipientIn } from './tables.ts';

/** Lists with URLs that are looked at for one sender. */
const URLS_LOOKED_AT = 10_000;

/** Undefined: not loaded. */
export interface ListTables {
  /** In order, with ids above `after`, at most `limit`. `list` is the entry's id. */
  members(list: number, after: number, limit: number): readonly MemberValue[] | undefined;
  memberCount(list: number): number | undefined;
  /** Whom its URLs find now, for people; null: that is not known, of the past or in a transaction. */
  foundByUrl(list: number, limit: number): FoundByUrl | null | undefined;
  /** See list-access.ts. */
  listsWith(member: string): readonly GroupRow[] | undefined;
  dynamicListsOver(dn: string): readonly GroupRow[] | undefined;
  matches(dn: string, url: LdapUrl): boolean | undefined;
  /** Whether somebody else's name servers have the domain, where `[dns] mode` leaves names to this host. */
  isTheirs(domain: string): boolean | undefined;
}

export type ListQuestion =
  | { readonly ask: 'members'; readonly list: number; readonly after: number; readonly limit: number }
  | { readonly ask: 'memberCount'; readonly list: number }
  | { readonly ask: 'foundByUrl'; readonly list: number; readonly limit: number }
  | { readonly ask: 'listsWith'; readonly member: string }
  | { readonly ask: 'dynamicListsOver'; readonly dn: string }
  | { readonly ask: 'matches'; readonly dn: string; readonly url: LdapUrl }
  | { readonly ask: 'isTheirs'; readonly domain: string };

/** Whose zones are whose does not depend on this host's name; a host without DNS of its own asks nobody. */
const NO_SITE = { hostname: '', mode: 'embedded' } as const;

/** Each question is asked once: lists in a list ask about the same sender. */
function once<T>(read: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    if (!known.has(key)) known.set(key, read(key));
    return known.get(key)!;
  };
}

/** For one resolution, in one snapshot. `count` is called for each row that is read. */
export function listTables(reader: Reader, generation: number, count: (rows: number) => void): ListTables {
  const rowsOf = (dns: readonly string[]): GroupRow[] => {
    count(dns.length);
    return dns.map((dn) => readRecipient(reader, generation, dn)).filter(isGroup);
  };
  return {
    members(list, after, limit) {
      const values = readMemberValues(reader, list, after, limit);
      count(values.length);
      return values;
    },
    memberCount(list) {
      count(1);
      return memberTotal(entryById(reader, list) ?? {});
    },
    foundByUrl(list, limit) {
      const found = readFoundByUrl(reader, list, limit);
      count(found.count);
      return found;
    },
    listsWith: once((member) => rowsOf(entriesNaming(reader, member, SENDER_LISTS_MAX + 1))),
    dynamicListsOver: once((dn) => {
      const rows = readDynamicLists(reader, generation, URLS_LOOKED_AT + 1);
      count(rows.length);
      return over(rows, dn);
    }),
    matches(dn, url) {
      count(1);
      const entry = findEntry(reader, dn);
      return entry !== undefined && fits(url, entry, matchContext(reader, effortOf(undefined)));
    },
    isTheirs(domain) {
      count(1);
      return authorityOf(domain, zoneNames(reader), readZoneSettings(reader, NO_SITE)).authority === 'theirs';
    },
  };
}

/** Nothing is known. */
export class UnknownLists implements ListTables {
  members(): undefined {}
  memberCount(): undefined {}
  foundByUrl(): undefined {}
  listsWith(): undefined {}
  dynamicListsOver(): undefined {}
  matches(): undefined {}
  isTheirs(): undefined {}
}

/** Answers that have been asked for in a transaction. */
export class LoadedLists implements ListTables {
  readonly #answers = new Map<string, unknown>();

  members(list: number, after: number, limit: number): readonly MemberValue[] | undefined {
    return this.#known({ ask: 'members', list, after, limit });
  }

  memberCount(list: number): number | undefined {
    return this.#known({ ask: 'memberCount', list });
  }

  listsWith(member: string): readonly GroupRow[] | undefined {
    return this.#known({ ask: 'listsWith', member });
  }

  foundByUrl(list: number, limit: number): FoundByUrl | null | undefined {
    return this.#known({ ask: 'foundByUrl', list, limit });
  }

  dynamicListsOver(dn: string): readonly GroupRow[] | undefined {
    return this.#known({ ask: 'dynamicListsOver', dn });
  }

  matches(dn: string, url: LdapUrl): boolean | undefined {
    return this.#known({ ask: 'matches', dn, url });
  }

  isTheirs(domain: string): boolean | undefined {
    return this.#known({ ask: 'isTheirs', domain });
  }

  async load(tx: Transaction, generation: number, question: ListQuestion): Promise<void> {
    this.#answers.set(JSON.stringify(question), await answerIn(tx, generation, question));
  }

  #known<T>(question: ListQuestion): T | undefined {
    return this.#answers.get(JSON.stringify(question)) as T | undefined;
  }
}

async function answerIn(tx: Transaction, generation: number, question: ListQuestion): Promise<unknown> {
  switch (question.ask) {
    case 'members':
      return memberValuesIn(tx, question.list, question.after, question.limit);
    case 'memberCount':
      return memberTotal((await entryByIdIn(tx, question.list)) ?? {});
    case 'foundByUrl':
      return null;
    case 'listsWith': {
      const rows: (RecipientRow | null)[] = [];
      for (const dn of await entriesNamingIn(tx, question.member, SENDER_LISTS_MAX + 1))
        rows.push(await recipientIn(tx, generation, dn));
      return rows.filter(isGroup);
    }
    case 'dynamicListsOver':
      return over(await dynamicListsIn(tx, generation, URLS_LOOKED_AT + 1), question.dn);
    case 'matches':
      return matchesIn(tx, question.dn, question.url);
    case 'isTheirs':
      return (await authorityIn(tx, question.domain, NO_SITE)).authority === 'theirs';
    default:
      return question satisfies never;
  }
}

async function matchesIn(tx: Transaction, dn: string, url: LdapUrl): Promise<boolean> {
  const entry = await findEntryIn(tx, dn);
  if (entry === undefined) return false;
  const whole = await withAllMembersIn(tx, entry);
  return fits(url, whole, { ...(await matchContextIn(tx, entry)), effort: effortOf(undefined) });
}

function over(rows: readonly GroupRow[], dn: string): readonly GroupRow[] {
  if (rows.length > URLS_LOOKED_AT) return rows.slice(0, SENDER_LISTS_MAX + 1);
  return rows.filter(({ urls }) => urls?.some((url) => liesIn(url, dn))).slice(0, SENDER_LISTS_MAX + 1);
}

function isGroup(row: RecipientRow | null): row is GroupRow {
  return row?.kind === 'group';
}
