// What a searching command is to answer with: RETURN (...) of SEARCH.
//
// RFC 4731 §3.1, RFC 5182 §2, RFC 5267 §4, RFC 5465 §7, RFC 9394 §4

import { type FetchItems, parseFetchItems } from './commands/fetch.ts';
import type { ImapCursor } from './grammar.ts';
import { type PartialRange, parsePartialRange } from './partial-range.ts';

const names = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE', 'CONTEXT', 'UPDATE'] as const;
export type ReturnOption = (typeof names)[number];

export interface ReturnOptions {
  /** ALL where the client has named none. */
  readonly options: ReadonlySet<ReturnOption>;
  readonly partial: PartialRange | undefined;
  /** UPDATE (...): what is told of each new message among the results. RFC 5465 §7 */
  readonly fetched?: FetchItems;
}

/** ` RETURN (...)` if it comes here. */
export function tryReturnOptions(cursor: ImapCursor): ReturnOptions | undefined {
  if (!cursor.tryWord(' RETURN (')) return undefined;
  cursor.at--;
  const options = new Set<ReturnOption>();
  let partial: PartialRange | undefined;
  let fetched: FetchItems | undefined;
  cursor.list(() => {
    const start = cursor.at;
    const word = cursor.word();
    const name = names.find((one) => one === word);
    if (name !== undefined) {
      options.add(name);
      if (name !== 'UPDATE' || !cursor.tryTake(' (')) return;
      cursor.at--;
      fetched = parseFetchItems(cursor);
    } else if (word === 'PARTIAL' && partial === undefined) {
      cursor.space();
      partial = parsePartialRange(cursor);
    } else {
      cursor.at = start;
      cursor.fail(`${names.join(', ')} or one PARTIAL`);
    }
  });
  if (partial !== undefined && options.has('ALL')) cursor.fail('PARTIAL or ALL, not both');
  if (options.size === 0 && partial === undefined) options.add('ALL');
  return { options, partial, ...(fetched === undefined ? {} : { fetched }) };
}
