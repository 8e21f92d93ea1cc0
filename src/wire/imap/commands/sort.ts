// SORT and UID SORT as values. RFC 5256 §5, RFC 5267 §3, RFC 5957 §5

import type { ImapCursor } from '../grammar.ts';
import { type ReturnOptions, tryReturnOptions } from '../return-options.ts';
import { parseCharsetCriteria, type SearchCriteria } from './search.ts';

const sortKeys = ['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO', 'DISPLAYFROM', 'DISPLAYTO'] as const;
export type SortKey = (typeof sortKeys)[number];

export interface SortCriterion {
  readonly key: SortKey;
  readonly isReverse: boolean;
}

export interface SortCommand extends SearchCriteria {
  readonly name: 'SORT';
  readonly byUid: boolean;
  readonly returns: ReturnOptions | undefined;
  readonly criteria: readonly SortCriterion[];
}

const CRITERIA_MAX = 32;

export function parseSort(cursor: ImapCursor, byUid: boolean): SortCommand {
  const returns = tryReturnOptions(cursor);
  cursor.space();
  const criteria = cursor.list(() => parseCriterion(cursor));
  if (criteria.length === 0 || criteria.length > CRITERIA_MAX) cursor.fail(`1 to ${CRITERIA_MAX} sort criteria`);
  return { name: 'SORT', byUid, returns, criteria, ...parseCharsetCriteria(cursor) };
}

function parseCriterion(cursor: ImapCursor): SortCriterion {
  const isReverse = cursor.tryWord('REVERSE ');
  const start = cursor.at;
  const word = cursor.word();
  const key = sortKeys.find((one) => one === word);
  if (key !== undefined) return { key, isReverse };
  cursor.at = start;
  return cursor.fail('a sort criterion');
}
