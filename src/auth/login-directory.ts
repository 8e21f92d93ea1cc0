// Where logins find accounts: addresses come from the routing tables, passwords from the entries, statuses from both.

import type { Reader } from '../database/operation.ts';
import { type Caller, callerOf } from '../directory/caller.ts';
import { parseDn } from '../directory/dn.ts';
import { entriesWithBelow, entryById, entryWithToken } from '../directory/entries.ts';
import { type AttributeValue, type Entry, textValue } from '../directory/entry.ts';
import { TOKEN_KEY } from '../directory/token.ts';
import type { Admissions } from '../routing/admission.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Login } from '../routing/login.ts';
import { sharedMailboxOf } from '../routing/shared-mailbox.ts';
import { type Standing, standingOfDn, standingOfUuid } from '../routing/standing.ts';
import type { LoginAccount } from './attempt.ts';
import type { ProvableAccount } from './proof.ts';
import type { TokenAccount } from './token-check.ts';

/** A login to read or send mail. */
export interface MailLogin extends Login {
  readonly caller: Caller;
  /** `account` is the mailbox of a list, which this login reads as a member. */
  readonly isOfList?: true;
}

type DirectoryAccount = LoginAccount & ProvableAccount;

export interface LoginNow extends TokenAccount {
  readonly admissions: Admissions;
  readonly caller: Caller;
  readonly mail: MailLogin | undefined;
}

export interface LoginDirectory {
  /**
   * By any address of the account, in any case; by a name without a domain in `domain`: the address of that name, else the
   * one entry with that uid below the domain's base. Throws `unavailable` when it cannot find out.
   */
  find(name: string, domain?: string): (DirectoryAccount & { readonly mail: MailLogin }) | undefined;
  /** Throws `invalidDnSyntax` for what is no DN. */
  findEntry(dn: string): (DirectoryAccount & { readonly caller: Caller }) | undefined;
  /** The login to the mailbox that the group of this address shares; undefined where the account is no member of it. */
  shared(address: string, member: MailLogin): MailLogin | undefined;
  /** By the hash of one of its tokens. */
  findToken(hash: string): (DirectoryAccount & { readonly caller: Caller }) | undefined;
  /** What an entry is now, whether or not it is let in; undefined when it is gone. */
  now(uuid: string): LoginNow | undefined;
}

export function loginDirectory(reader: Reader, routing: RoutingCache): LoginDirectory {
  type Found = ReturnType<LoginDirectory['find']>;

  function byAddress(name: string): Found {
    const login = routing.findLogin(name);
    const entry = login === undefined ? undefined : entryById(reader, login.entry);
    if (login === undefined || entry === undefined) return undefined;
    return { ...accountOf(entry, [login]), mail: { ...login, caller: callerOf(entry) } };
  }

  function byUid(uid: string, domain: string): Found {
    const own = routing.route(domain);
    const route = own?.aliasOf === undefined ? own : routing.route(own.aliasOf);
    const base = route?.aliasOf === undefined ? route?.base : undefined;
    const entries = base === undefined ? [] : entriesWithBelow(reader, parseDn(base), ['uid', uid], 2);
    if (entries.length !== 1) return undefined;
    const found = standingOfUuid(reader, routing.site, entries[0]!.uuid);
    if (found?.login === undefined) return undefined;
    return { ...accountOf(found.entry, found.admissions), mail: { ...found.login, caller: found.caller } };
  }

  return {
    find(name, domain) {
      if (domain === undefined || name.includes('@')) return byAddress(name);
      // `postmaster` alone is the site's.
      return byAddress(`${name}@${domain}`) ?? byUid(name, domain) ?? byAddress(name);
    },
    findEntry(dn) {
      return boundTo(standingOfDn(reader, routing.site, dn));
    },
    shared(group, { quota: _, ...member }) {
      const account = sharedMailboxOf(reader, routing, { group, member: member.dn });
      return account === undefined ? undefined : { ...member, account, isOfList: true };
    },
    findToken(hash) {
      const entry = entryWithToken(reader, hash);
      return boundTo(entry && standingOfUuid(reader, routing.site, entry.uuid));
    },
    now(uuid) {
      const found = standingOfUuid(reader, routing.site, uuid);
      if (found === undefined) return undefined;
      const { admissions, caller, login, entry } = found;
      return { admissions, caller, tokens: tokensIn(entry), mail: login && { ...login, caller } };
    },
  };
}

function boundTo(found: Standing | undefined) {
  return found && { ...accountOf(found.entry, found.admissions), caller: found.caller };
}

function accountOf(entry: Entry, admissions: Admissions): DirectoryAccount {
  const passwords = entry.attributes.get('userpassword')?.values ?? [];
  const label = textValue(entry, 'mail') ?? entry.dn;
  const others = entry.source === undefined ? {} : { dnAtSource: entry.dn };
  return { uuid: entry.uuid, label, passwords, tokens: tokensIn(entry), admissions, ...others };
}

function tokensIn(entry: Entry): readonly AttributeValue[] {
  return entry.attributes.get(TOKEN_KEY)?.values ?? [];
}
