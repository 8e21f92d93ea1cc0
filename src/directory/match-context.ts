// What a filter, and a choice of attributes, ask of the tables beside the entry: children, members that are rows of their own,
// the groups that the entry is a member of, when it was changed.

import type { Reader, Transaction } from '../database/operation.ts';
import { loggedAt, loggedAtIn, newestChange } from './change-log.ts';
import { formatCsn } from './csn.ts';
import { suffixDn } from './dn.ts';
import type { Effort } from './effort.ts';
import { hasChildren, hasChildrenIn } from './entries.ts';
import type { Entry } from './entry.ts';
import type { MatchContext } from './match.ts';
import { groupNamesIn, groupNamesOf, hasPrepared, memberPages } from './member-values.ts';

/** `effort`: where a filter is asked that a caller has written. */
export function matchContext(reader: Reader, effort?: Effort): MatchContext {
  return {
    ...(effort === undefined ? {} : { effort }),
    hasSubordinates: ({ id }) => hasChildren(reader, id),
    hasMember: ({ id }, attribute, prepared) => hasPrepared(reader, id, attribute, prepared),
    *members({ id }, attribute) {
      for (const page of memberPages(reader, id, attribute)) yield* page;
    },
    memberOf: ({ normalizedDn }) => groupNamesOf(reader, normalizedDn),
    csn: (entry) => csnOf(entry, loggedAt(reader, entry.revision)),
    contextCsn({ normalizedDn }) {
      const newest = normalizedDn === suffixDn().normalized ? newestChange(reader) : undefined;
      return newest && formatCsn(newest.revision, newest.at);
    },
  };
}

/** Of one entry in a transaction, with all its members in it: member-values.ts. What is committed later has no contextCSN yet. */
export async function matchContextIn(tx: Transaction, entry: Entry): Promise<MatchContext> {
  const hasSubordinates = await hasChildrenIn(tx, entry.id);
  const groups = await groupNamesIn(tx, entry.normalizedDn);
  const at = await loggedAtIn(tx, entry.revision);
  return {
    hasSubordinates: () => hasSubordinates,
    hasMember: () => false,
    members: () => [],
    memberOf: () => groups,
    csn: () => csnOf(entry, at),
    contextCsn: () => undefined,
  };
}

/** A mirrored entry has its source's. The log forgets: then the entry's own time stands for it. */
function csnOf({ revision, modifiedAt, csn }: Entry, at: number | undefined): string {
  return csn ?? formatCsn(revision, at ?? modifiedAt);
}
