// THREAD and UID THREAD as values. RFC 5256 §5

import type { ImapCursor } from '../grammar.ts';
import { parseCharsetCriteria, type SearchCriteria } from './search.ts';

const algorithms = ['ORDEREDSUBJECT', 'REFERENCES', 'REFS'] as const;

export interface ThreadCommand extends SearchCriteria {
  readonly name: 'THREAD';
  readonly byUid: boolean;
  readonly algorithm: (typeof algorithms)[number];
}

export function parseThread(cursor: ImapCursor, byUid: boolean): ThreadCommand {
  cursor.space();
  const start = cursor.at;
  const word = cursor.word();
  const algorithm = algorithms.find((one) => one === word);
  if (algorithm === undefined) {
    cursor.at = start;
    return cursor.fail('ORDEREDSUBJECT, REFERENCES or REFS');
  }
  return { name: 'THREAD', byUid, algorithm, ...parseCharsetCriteria(cursor) };
}
