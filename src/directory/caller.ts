// The caller of a request, and what in the directory it may read and change; all else is `insufficientAccessRights`.
//
// Anonymous: the root DSE and the subschema, which are no entries and are not asked about here.
// An entry: reads itself, and replaces its own password by one value. Keys for SCRAM beside it are made by the server alone.
// The administrator: everything, stored passwords included, so that a backup by LDIF holds them, but for what is hidden:
// private keys and what signs transfers of zones leave the directory for nobody. The server: the same over a door.
//
// Changes are decided in the transaction that makes them (provisioning/change.ts): what was true when they were asked for
// may be over by then.

import type { Transaction } from '../database/operation.ts';
import { type Dn, parseDn } from './dn.ts';
import { entryByUuidIn, findEntryIn } from './entries.ts';
import type { AttributeValue, DirectoryChange, Entry } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { schema } from './schema.ts';
import { isScramKeys } from './scram-values.ts';
import { withoutHidden, withoutSecrets } from './secrets.ts';

/** The administrator's entry: a root of its own beside the suffix. */
export const ADMINISTRATOR_DN = 'cn=Directory Manager';

const ADMINISTRATOR = parseDn(ADMINISTRATOR_DN);

export type Caller =
  | { readonly kind: 'anonymous' }
  /** An entry by its UUID, not by its name: a renamed user is the same caller, another entry of the old name is not. */
  | { readonly kind: 'entry'; readonly uuid: string; readonly dn: string }
  | { readonly kind: 'administrator'; readonly dn: string }
  /** This program itself: the first start, a domain that a message brings. */
  | { readonly kind: 'server' };

export const ANONYMOUS: Caller = { kind: 'anonymous' };
export const SERVER: Caller = { kind: 'server' };
/** The caller of every operation of the admin socket: the file's permissions have decided. */
export const ADMINISTRATOR_CALLER: Caller = { kind: 'administrator', dn: ADMINISTRATOR_DN };

/** The text for a session that ends because its entry is gone, or a status keeps it out. */
export const LOGIN_IS_OVER = 'Your login is over: the directory has changed';

/** The caller that has logged in as this entry. */
export function callerOf(entry: Entry): Caller {
  return isAdministrator(entry)
    ? { kind: 'administrator', dn: entry.dn }
    : { kind: 'entry', uuid: entry.uuid, dn: entry.dn };
}

export function isAdministrator(entry: Entry): boolean {
  return entry.parent === undefined && entry.normalizedDn === ADMINISTRATOR.normalized;
}

/** The DN that a change of this caller is logged under, '' for the server and for anonymous. */
export function authorOf(caller: Caller): string {
  return 'dn' in caller ? caller.dn : '';
}

/** Throws before a base is looked for, so that a refusal does not show whether the entry exists. */
export function checkSearch(caller: Caller, base: Dn): void {
  if (mayDoAll(caller)) return;
  if (caller.kind === 'entry' && base.normalized === parseDn(caller.dn).normalized) return;
  throw denied();
}

/** The entry as the caller may see it; undefined when not at all. */
export function visibleTo(caller: Caller, entry: Entry): Entry | undefined {
  switch (caller.kind) {
    case 'administrator':
    case 'server':
      return withoutHidden(entry);
    case 'entry':
      return entry.uuid === caller.uuid ? withoutSecrets(entry) : undefined;
    case 'anonymous':
      return undefined;
    default:
      return caller satisfies never;
  }
}

/**
 * Throws unless the caller may make this change now; `strongerAuthRequired` when its own entry is gone. Called in the
 * transaction, before anything of the change is done and after everything of those before it.
 */
export async function checkChange(tx: Transaction, caller: Caller, change: DirectoryChange): Promise<void> {
  if (mayDoAll(caller)) return;
  if (caller.kind === 'entry' && (await entryByUuidIn(tx, caller.uuid)) === undefined)
    throw directoryFailure('strongerAuthRequired', LOGIN_IS_OVER);
  // A clear password has become a hash, with keys for SCRAM beside it.
  checkKind(caller, change, (values) => values.length === 1 || (values.length === 2 && values.some(isScramKeys)));
  const target = await findEntryIn(tx, change.dn);
  if (caller.kind !== 'entry' || target?.uuid !== caller.uuid) throw denied();
}

/**
 * The part of checkChange that needs no entry: throws for what this caller may do nowhere. It permits nothing: it is asked
 * before the work that precedes a transaction (passwords are hashed), so that a stranger cannot cause that work.
 */
export function checkChangeKind(caller: Caller, change: DirectoryChange): void {
  // Keys beside another value would be of another password, perhaps: then the entry would have two.
  checkKind(caller, change, (values) => values.length === 1);
}

function checkKind(
  caller: Caller,
  change: DirectoryChange,
  isOnePassword: (values: readonly AttributeValue[]) => boolean,
): void {
  if (mayDoAll(caller)) return;
  if (caller.kind !== 'entry' || change.kind !== 'modify') throw denied();
  for (const { operation, attribute, values } of change.modifications) {
    const isPassword = schema().description(attribute)?.key === 'userpassword';
    if (!isPassword || operation !== 'replace' || !isOnePassword(values)) throw denied();
  }
}

/** Whether this caller may act for that one. Nobody acts for the administrator, who can be asked. */
export function mayProxy(caller: Caller, named: Caller): boolean {
  if (caller.kind === 'entry' && named.kind === 'entry' && caller.uuid === named.uuid) return true;
  return mayDoAll(caller) && (named.kind !== 'administrator' || caller.kind === named.kind);
}

function mayDoAll({ kind }: Caller): boolean {
  return kind === 'administrator' || kind === 'server';
}

function denied(): Error {
  return directoryFailure('insufficientAccessRights', 'You may not do this');
}
