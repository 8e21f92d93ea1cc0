// Where logins find accounts: addresses come from the routing tables, passwords from the entries, statuses from both.

import type { Reader } from '../database/operation.ts';
import { type Caller, callerOf } from '../directory/caller.ts';
import { entryById } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Login } from '../routing/login.ts';
import { standingOfDn, standingOfUuid } from '../routing/standing.ts';
import type { LoginAccount } from './attempt.ts';

/** A login to read or send mail. */
export interface MailLogin extends Login {
  readonly caller: Caller;
}

export interface LoginDirectory {
  /** By any address of the account, in any case. Throws `unavailable` when it cannot find out. */
  find(name: string): (LoginAccount & { readonly mail: MailLogin }) | undefined;
  /** Throws `invalidDnSyntax` for what is no DN. */
  findEntry(dn: string): (LoginAccount & { readonly caller: Caller }) | undefined;
  /** What an entry may be now; undefined when it is gone, or a status keeps it out. */
  now(uuid: string): { readonly caller: Caller; readonly mail: MailLogin | undefined } | undefined;
}

export function loginDirectory(reader: Reader, routing: RoutingCache): LoginDirectory {
  return {
    find(name) {
      const login = routing.findLogin(name);
      const entry = login === undefined ? undefined : entryById(reader, login.entry);
      if (login === undefined || entry === undefined) return undefined;
      return { ...accountOf(entry, login.refusedBy), mail: { ...login, caller: callerOf(entry) } };
    },
    findEntry(dn) {
      const found = standingOfDn(reader, routing.site, dn);
      return found && { ...accountOf(found.entry, found.refusedBy), caller: found.caller };
    },
    now(uuid) {
      const found = standingOfUuid(reader, routing.site, uuid);
      if (found === undefined || found.refusedBy !== undefined) return undefined;
      const { caller, login } = found;
      return { caller, mail: login && { ...login, caller } };
    },
  };
}

function accountOf(entry: Entry, refusedBy: string | undefined): LoginAccount {
  const passwords = entry.attributes.get('userpassword')?.values ?? [];
  return { uuid: entry.uuid, passwords, refusedBy };
}
