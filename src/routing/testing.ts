// The tables as a test compares them.

import { TENANT } from '../base/tenant.ts';
import type { Reader } from '../database/operation.ts';
import { liesIn } from '../directory/ldap-url.ts';
import type { MemberValue } from '../directory/member-values.ts';
import { readState } from './generation.ts';
import type { ListTables } from './list-tables.ts';
import type { RecipientRow } from './rows.ts';

/** All rows of the generation that answers, without generation and revision, in order. */
export function readTables(reader: Reader): Record<'routes' | 'aliases' | 'entries' | 'settings', unknown[]> {
  return reader.snapshot(() => {
    const { generation } = readState(reader);
    const rows = (columns: string, table: string): unknown[] =>
      reader.arrays(
        `SELECT ${columns} FROM ${table} WHERE tenant = ? AND generation = ? ORDER BY 1, 2`,
        TENANT,
        generation,
      );
    return {
      routes: rows('domain, base, row', 'route'),
      aliases: rows('address, dn', 'alias'),
      entries: rows('dn, row, problems, base, path', 'alias_entry'),
      settings: rows('kind, key, row, problems', 'routing_setting'),
    };
  });
}

/** Members of lists as tests write them: DNs, normalized, and addresses. */
export type WrittenMembers = ReadonlyMap<number, readonly string[]>;

/** What is asked of lists, answered from what a test has written: `members` by the list's entry. No URL matches anybody. */
export function testLists(rows: readonly RecipientRow[], members: WrittenMembers = new Map()): ListTables {
  const lists = rows.filter((row) => row.kind === 'group');
  const valuesOf = (list: number): MemberValue[] =>
    (members.get(list) ?? []).map((value, index) => ({
      id: index + 1,
      attribute: value.includes('@') ? 'mgrprfc822mailmember' : 'uniquemember',
      value,
    }));
  return {
    members: (list, after, limit) => valuesOf(list).slice(after, after + limit),
    memberCount: (list) => valuesOf(list).length,
    foundByUrl: () => null,
    listsWith: (member) =>
      lists.filter(({ entry }) => members.get(entry)?.some((value) => value.toLowerCase() === member)),
    dynamicListsOver: (dn) => lists.filter(({ urls }) => urls?.some((url) => liesIn(url, dn))),
    matches: () => false,
    isTheirs: () => false,
  };
}
