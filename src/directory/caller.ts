// The caller of a request: nobody, an entry, the administrator, or this program itself.
//
// What it may read and change: access/. The administrator may everything, stored passwords included, so that a backup by LDIF
// holds them, but for what is hidden: private keys and what signs transfers of zones leave the directory for nobody but
// servers of it.

import { parseDn } from './dn.ts';
import type { Entry } from './entry.ts';

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
