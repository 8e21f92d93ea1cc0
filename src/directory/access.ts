// Who may do what in the directory: three kinds of askers, and all else is `insufficientAccessRights`.
//
// Anonymous: the root DSE and the subschema, which are no entries and are not asked about here.
// A user: reads the own entry, and replaces the own password.
// The administrator: everything, stored passwords included, so that a backup by LDIF holds them.

import { type Dn, parseDn } from './dn.ts';
import type { DirectoryChange, Entry } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { schema } from './schema.ts';
import { withoutSecrets } from './secrets.ts';

/** The administrator's entry: a root of its own beside the suffix. */
export const ADMINISTRATOR_DN = 'cn=Directory Manager';

const ADMINISTRATOR = parseDn(ADMINISTRATOR_DN);

export type Asker =
  | { readonly kind: 'anonymous' }
  /** Bound by entry, not by name: a renamed user keeps the session, another entry of the old name does not get it. */
  | { readonly kind: 'user'; readonly uuid: string; readonly dn: string }
  | { readonly kind: 'administrator'; readonly dn: string };

export const ANONYMOUS: Asker = { kind: 'anonymous' };

/** What a successful bind as this entry is. */
export function askerOf(entry: Entry): Asker {
  return isAdministrator(entry)
    ? { kind: 'administrator', dn: entry.dn }
    : { kind: 'user', uuid: entry.uuid, dn: entry.dn };
}

export function isAdministrator(entry: Entry): boolean {
  return entry.parent === undefined && entry.normalizedDn === ADMINISTRATOR.normalized;
}

/** The DN that a change by this asker is logged under, '' for anonymous. */
export function authorOf(asker: Asker): string {
  return asker.kind === 'anonymous' ? '' : asker.dn;
}

/** Throws before a base is looked for, so that a refusal does not tell whether the entry exists. */
export function checkSearch(asker: Asker, base: Dn): void {
  if (asker.kind === 'administrator') return;
  if (asker.kind === 'user' && base.normalized === parseDn(asker.dn).normalized) return;
  throw denied();
}

/** The entry as the asker may see it; undefined when not at all. */
export function visibleTo(asker: Asker, entry: Entry): Entry | undefined {
  switch (asker.kind) {
    case 'administrator':
      return entry;
    case 'user':
      return entry.uuid === asker.uuid ? withoutSecrets(entry) : undefined;
    case 'anonymous':
      return undefined;
    default:
      return asker satisfies never;
  }
}

/** Throws unless the asker may make this change. `findUuid` gives the UUID of the entry of a DN now. */
export function checkChange(asker: Asker, change: DirectoryChange, findUuid: (dn: Dn) => string | undefined): void {
  if (asker.kind === 'administrator') return;
  const isOwn = asker.kind === 'user' && findUuid(parseDn(change.dn)) === asker.uuid;
  if (!isOwn || change.kind !== 'modify') throw denied();
  for (const { operation, attribute, values } of change.modifications) {
    const isPassword = schema().description(attribute)?.key === 'userpassword';
    if (!isPassword || operation !== 'replace' || values.length !== 1) throw denied();
  }
}

function denied(): Error {
  return directoryFailure('insufficientAccessRights', 'You may not do this');
}
