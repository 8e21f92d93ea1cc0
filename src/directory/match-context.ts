// What a filter asks of the tables beside the entry that it looks at: children, and members that are rows of their own.

import type { Reader } from '../database/operation.ts';
import { hasChildren } from './entries.ts';
import type { MatchContext } from './match.ts';
import { hasPrepared, memberPages } from './member-values.ts';

export function matchContext(reader: Reader): MatchContext {
  return {
    hasSubordinates: ({ id }) => hasChildren(reader, id),
    hasMember: ({ id }, attribute, prepared) => hasPrepared(reader, id, attribute, prepared),
    *members({ id }, attribute) {
      for (const page of memberPages(reader, id, attribute)) yield* page;
    },
  };
}
