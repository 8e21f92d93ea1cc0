// The tables as they stood at a past revision: what `route --revision` answers from.
//
// In      a reader inside a snapshot; a revision that the history reaches
// Out     routing tables like today's: each row is `before` of the first change behind that revision, else today's; what is asked
//         of lists and entries comes from the change log, but whom a URL found is not known; lines of the configuration are today's, nothing remembers others
// Errors  `not-found` for a revision before the history: after another version of the compiler there is none across it
// Limits  KEYS_MAX rules, channels, hosts and lists that have moved since are looked at

import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { changedMentioning, timeOfRevision } from '../directory/change-log.ts';
import { normalizeDn } from '../directory/dn.ts';
import { hasChildren } from '../directory/entries.ts';
import { fits, liesIn } from '../directory/ldap-url.ts';
import { OUTSIDE } from '../directory/match.ts';
import { entriesNaming, withMembers } from '../directory/member-values.ts';
import { entryAt, membersAt } from '../directory/past-entry.ts';
import { readState } from './generation.ts';
import { movedKeys, rowAt } from './history.ts';
import { SENDER_LISTS_MAX } from './list-access.ts';
import { membersOf } from './list-members.ts';
import { listTables } from './list-tables.ts';
import type { RoutingTables, Site } from './resolution.ts';
import type { GroupRow, RecipientRow, RouteRow } from './rows.ts';
import { readSettings } from './setting-rows.ts';
import { type SettingRow, settingsOf } from './settings.ts';
import { readAliasDn, readDynamicLists, readRecipient, readRoute } from './tables.ts';

const KEYS_MAX = 100_000;
const DYNAMIC_MAX = 10_000;

/** Throws where the history does not reach so far back, or the revision is yet to come. */
export function checkPast(reader: Reader, revision: Revision): void {
  const { historyFrom } = readState(reader);
  if (revision > reader.revision()) throw new Failure('not-found', `the directory is at revision ${reader.revision()}`);
  if (revision >= historyFrom) return;
  const at = timeOfRevision(reader, historyFrom);
  const time = at === undefined ? '' : `, ${new Date(at).toISOString()}`;
  throw new Failure('not-found', `the history begins at revision ${historyFrom}${time}`);
}

export function pastTables(reader: Reader, revision: Revision, site: Pick<Site, 'fileRules'>): RoutingTables {
  const { generation } = readState(reader);
  const recipient = (dn: string): RecipientRow | null => {
    const past = rowAt(reader, 'entry', dn, revision);
    return past === undefined ? readRecipient(reader, generation, dn) : (past as RecipientRow | null);
  };
  const groups = (dns: Iterable<string>): GroupRow[] =>
    [...dns].map(recipient).filter((row): row is GroupRow => row?.kind === 'group');
  const lists = new Map<number, ReturnType<typeof membersAt>>();
  const uuids = new Map<number, string>();
  const membersOfList = (list: number): ReturnType<typeof membersAt> => {
    let members = lists.get(list);
    if (members === undefined) {
      members = membersAt(reader, { id: list, uuid: uuids.get(list) ?? '' }, revision);
      lists.set(list, members);
    }
    return members;
  };
  const known = (row: RecipientRow | null): RecipientRow | null => {
    if (row !== null) uuids.set(row.entry, row.uuid);
    return row;
  };
  const today = listTables(reader, generation, () => {});
  return {
    route(domain) {
      const past = rowAt(reader, 'route', domain, revision);
      return past === undefined ? readRoute(reader, generation, domain) : (past as RouteRow | null);
    },
    alias(key) {
      const past = rowAt(reader, 'alias', key, revision);
      const dn = past === undefined ? readAliasDn(reader, generation, key) : (past as string | null);
      return dn === null ? null : known(recipient(dn));
    },
    recipient: (dn) => known(recipient(dn)),
    settings() {
      const rows = new Map(readSettings(reader, generation).map((row) => [`${row.kind} ${row.key}`, row]));
      for (const kind of ['rule', 'channel', 'host', 'policy', 'program'] as const)
        for (const key of movedKeys(reader, kind, revision, KEYS_MAX)) {
          const past = rowAt(reader, kind, key, revision) as SettingRow | null;
          if (past === null) rows.delete(`${kind} ${key}`);
          else rows.set(`${kind} ${key}`, past);
        }
      return settingsOf([...rows.values()], site.fileRules);
    },
    members: (list, after, limit) => membersOfList(list).slice(after, after + limit),
    memberCount: (list) => membersOfList(list).length,
    foundByUrl: () => null,
    listsWith(member) {
      const today = new Set(entriesNaming(reader, member, SENDER_LISTS_MAX + 1));
      for (const uuid of changedMentioning(reader, member, revision, KEYS_MAX)) {
        const list = entryAt(reader, uuid, revision);
        if (list !== undefined) today.add(list.normalizedDn);
      }
      return groups(today).filter((row) => {
        known(row);
        return membersOf(membersOfList(row.entry)).some((each) =>
          'dn' in each ? each.dn === member : each.address.toLowerCase() === member,
        );
      });
    },
    dynamicListsOver(dn) {
      const dns = new Set(readDynamicLists(reader, generation, DYNAMIC_MAX).map(({ dn }) => normalizeDn(dn)));
      for (const key of movedKeys(reader, 'entry', revision, KEYS_MAX)) dns.add(key);
      return groups(dns).filter(({ urls }) => urls?.some((url) => liesIn(url, dn)));
    },
    matches(dn, url) {
      const uuid = recipient(dn)?.uuid;
      const entry = uuid === undefined ? undefined : entryAt(reader, uuid, revision);
      if (entry === undefined) return false;
      const whole = withMembers(entry, membersAt(reader, entry, revision));
      const isParent = hasChildren(reader, entry.id);
      return fits(url, whole, { ...OUTSIDE, hasSubordinates: () => isParent });
    },
    isTheirs: (domain) => today.isTheirs(domain),
  };
}
