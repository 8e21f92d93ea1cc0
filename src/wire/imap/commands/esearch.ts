// ESEARCH as a value: a search of several mailboxes. RFC 7377 §4

import type { ImapCursor } from '../grammar.ts';
import { type MailboxFilter, parseMailboxFilter } from '../mailbox-filter.ts';
import { type ReturnOptions, tryReturnOptions } from '../return-options.ts';
import { parseOptionalCharset, type SearchCriteria } from './search.ts';

export interface EsearchCommand extends SearchCriteria {
  readonly name: 'ESEARCH';
  /** `selected` alone where nothing is said. */
  readonly sources: readonly MailboxFilter[];
  readonly returns: ReturnOptions;
}

const SELECTED: readonly MailboxFilter[] = [{ kind: 'SELECTED' }];
const SOURCES_MAX = 100;

export function parseEsearch(cursor: ImapCursor): EsearchCommand {
  const sources = cursor.tryWord(' IN (') ? parseSources(cursor) : SELECTED;
  const returns = tryReturnOptions(cursor) ?? { options: new Set(['ALL'] as const), partial: undefined };
  const isSelectedAlone = sources.length === 1 && sources[0]!.kind === 'SELECTED';
  if (returns.options.has('SAVE') && !isSelectedAlone) cursor.fail('SAVE for the selected mailbox alone');
  return { name: 'ESEARCH', sources, returns, ...parseOptionalCharset(cursor) };
}

function parseSources(cursor: ImapCursor): readonly MailboxFilter[] {
  cursor.at--;
  const sources = cursor.list(() => parseMailboxFilter(cursor));
  if (sources.length === 0 || sources.length > SOURCES_MAX) cursor.fail(`1 to ${SOURCES_MAX} kinds of mailboxes`);
  return sources;
}
