// directory export, show, search: entries and changes as LDIF, in pages.
//
// In      who asks; where the page before ended; whether secrets go along
// Out     records, of what the caller may read; where the next page begins, null behind the last
// Errors  `denied`: secrets, and the log of changes, are the Directory Manager's alone
// Limits  a page has PAGE entries or changes, or ends behind PAGE_CHARACTERS
// The administrator's own entry is not exported: each server makes one. Definitions of the site stand before what uses them.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import { idOf, type Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { mayReadAttribute, sightOf } from '../directory/access/sight.ts';
import { type Caller, isAdministrator } from '../directory/caller.ts';
import { oldestChange, type WholeChange, wholeChangesAfter } from '../directory/change-log.ts';
import { changeText, movedAlong } from '../directory/change-text.ts';
import { parentOf, parseDn } from '../directory/dn.ts';
import { entriesInTree, findEntry } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { exportedAttributes, wholeEntry } from '../directory/exported-entry.ts';
import { entryRecord } from '../directory/ldif-text.ts';
import { matchContext } from '../directory/match-context.ts';
import { selectAttributes, selectionOf } from '../directory/operational.ts';
import { schema } from '../directory/schema.ts';
import { Search } from '../directory/search.ts';
import { siteSchemaDn } from '../directory/site-schema.ts';
import { firstSuffix } from '../directory/suffix.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import type { EntryParts } from './entries.ts';
import { adminOperation } from './operation.ts';

export interface LdifPage {
  readonly ldif: string;
  readonly next: string | null;
  /** The directory's, when the page was read. */
  readonly revision: Revision;
}

const PAGE = 500;
const PAGE_CHARACTERS = 8 * 1024 * 1024;
const DN_MAX = 4096;
const FILTER_MAX = 65_536;

const passwords = z.boolean().optional();

export const directoryExport = ({ reader }: EntryParts) =>
  adminOperation(
    'directory.export',
    z.strictObject({
      after: z
        .string()
        .max(DN_MAX * 2)
        .optional(),
      passwords,
    }),
    ({ after, passwords: hasSecrets = false }, caller): LdifPage => {
      if (hasSecrets) requireDirectoryManager(caller);
      const sight = sightOf(reader, caller, true);
      const revision = reader.revision();
      const before = definitionsAndAbove(reader);
      const text = (entry: Entry) => {
        const attributes = exportedAttributes(reader, entry, hasSecrets);
        const shown = attributes.filter((attribute) => mayReadAttribute(sight, entry, attribute));
        return shown.length === 0 ? '' : entryRecord(entry.dn, shown);
      };
      let ldif = after === undefined ? before.map(text).join('') : '';
      const { entries, last } = entriesInTree(reader, after ?? '', PAGE);
      for (const [at, entry] of entries.entries()) {
        if (isAdministrator(entry) || before.some(({ id }) => id === entry.id)) continue;
        ldif += text(entry);
        if (ldif.length > PAGE_CHARACTERS && at < entries.length - 1)
          return { ldif, next: parseDn(entry.dn).path, revision };
      }
      return { ldif, next: last ?? null, revision };
    },
  );

/** The entry of the site's definitions, behind those above it; none where there are no definitions. */
function definitionsAndAbove(reader: Reader): Entry[] {
  const path: Entry[] = [];
  for (let dn = parseDn(siteSchemaDn()); path.length === 0 || dn.rdns.length > 0; ) {
    const entry = findEntry(reader, dn);
    if (entry === undefined) return [];
    path.unshift(entry);
    const above = parentOf(dn);
    if (above === undefined || entry.parent === undefined) break;
    dn = above;
  }
  return path;
}

export const directoryChanges = ({ reader }: EntryParts) =>
  adminOperation(
    'directory.changes',
    z.strictObject({ since: z.int().min(0), after: z.string().max(40).optional(), passwords }),
    ({ since, after, passwords: hasSecrets = false }, caller): LdifPage => {
      // The log has entries that are gone, of which no rule can be asked any more.
      requireDirectoryManager(caller);
      const revision = reader.revision();
      const oldest = oldestChange(reader);
      if (since > revision) throw new Failure('invalid', `revision ${since} is not made yet: the last is ${revision}`);
      if (oldest !== undefined && since < oldest - 1)
        throw new Failure('not-found', `the log begins at revision ${oldest}: export the directory as a whole`);
      const [from = since, moveAt] = after?.split(' ').map(Number) ?? [];
      const changes = wholeChangesAfter(reader, idOf<Revision>(from), PAGE);
      let [move] = moveAt === undefined ? [] : wholeChangesAfter(reader, idOf<Revision>(moveAt - 1), 1);
      const nextAfter = (change: WholeChange) => `${change.revision}${move === undefined ? '' : ` ${move.revision}`}`;
      let ldif = '';
      for (const change of changes) {
        const isAlong = movedAlong(change, move);
        if (!isAlong) move = change.kind === 'rename' ? change : undefined;
        ldif += changeText(reader, change, { isAlong, hasSecrets });
        if (ldif.length > PAGE_CHARACTERS) return { ldif, next: nextAfter(change), revision };
      }
      return { ldif, next: changes.length < PAGE ? null : nextAfter(changes.at(-1)!), revision };
    },
  );

const SEARCH_LIMIT = 10_000;

/** As ldapsearch prints them; passwords where they are asked for by name. */
export const directorySearch = ({ reader }: EntryParts) =>
  adminOperation(
    'directory.search',
    z.strictObject({
      filter: z.string().max(FILTER_MAX),
      base: z.string().max(DN_MAX).optional(),
      scope: z.enum(['base', 'one', 'sub']).optional(),
      attributes: z.array(z.string().max(200)).max(100).optional(),
      passwords,
    }),
    async ({ filter, base = firstSuffix(), scope = 'sub', attributes = [], passwords: hasSecrets = false }, caller) => {
      if (hasSecrets) requireDirectoryManager(caller);
      const sight = sightOf(reader, caller, true);
      const search = new Search(reader, { base, scope, filter: parseFilter(filter), sight });
      const selection = selectionOf(attributes);
      const context = matchContext(reader);
      let ldif = '';
      let entries = 0;
      while (!search.done && entries < SEARCH_LIMIT && ldif.length < PAGE_CHARACTERS) {
        for (const { id, dn } of search.next(PAGE)) {
          const entry = findEntry(reader, dn);
          if (entry?.id !== id) continue;
          entries++;
          const shown = selectAttributes(wholeEntry(reader, entry), selection, context);
          ldif += entryRecord(
            dn,
            shown.filter((each) => isShown(each.name, hasSecrets) && mayReadAttribute(sight, entry, each)),
          );
        }
        await new Promise((turn) => setImmediate(turn));
      }
      return { ldif, entries, isWhole: search.done };
    },
  );

function isShown(name: string, hasSecrets: boolean): boolean {
  const type = schema().description(name)?.type;
  return type?.isHidden !== true && (hasSecrets || type?.isSecret !== true);
}

function requireDirectoryManager({ kind }: Caller): void {
  if (kind !== 'administrator') throw new Failure('denied', 'this is for the Directory Manager');
}
