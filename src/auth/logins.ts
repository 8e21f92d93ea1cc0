// Logins of one thread: addresses come from the routing tables, passwords from the entries. A login stays current with
// the directory afterwards (standing-login.ts).

import type { Clock } from '../base/clock.ts';
import type { PublishedRevision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { type Caller, callerOf } from '../directory/caller.ts';
import { entryById } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Login } from '../routing/login.ts';
import { standingOfDn, standingOfUuid } from '../routing/standing.ts';
import { Authenticator, type LoginAccount } from './authenticator.ts';
import type { HashGate } from './hash-gate.ts';
import { StandingLogin } from './standing-login.ts';

/** A login to read or send mail. */
export interface MailLogin extends Login {
  readonly caller: Caller;
}

export interface LoginsParts {
  readonly reader: Reader;
  readonly routing: RoutingCache;
  /** The committed directory revision, published before any acknowledgement. Only its changes matter. */
  readonly revision: () => PublishedRevision;
  readonly gate: HashGate;
  readonly clock: Clock;
  /** Of a failure's answer; tests do not wait. */
  readonly wait?: (ms: number) => Promise<void>;
}

export interface Logins {
  /** As Authenticator.login. */
  login(login: string, password: Buffer, peer: string): Promise<StandingLogin<MailLogin>>;
  /** As Authenticator.bind. */
  bind(dn: string, password: string | Uint8Array, peer: string): Promise<StandingLogin<Caller>>;
}

export function createLogins({ reader, routing, revision, ...more }: LoginsParts): Logins {
  const authenticator = new Authenticator({
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
    ...more,
  });
  const standing = (uuid: string) => {
    const found = standingOfUuid(reader, routing.site, uuid);
    return found?.refusedBy === undefined ? found : undefined;
  };
  return {
    async login(login, password, peer) {
      const readAt = revision();
      const { uuid, mail } = await authenticator.login(login, password, peer);
      const read = (): MailLogin | undefined => {
        const found = standing(uuid);
        return found?.login && { ...found.login, caller: found.caller };
      };
      // Without an address of its own the statuses of another domain count: standing.ts knows which.
      const first = mail.addresses.length > 0 ? { revision: readAt, value: mail } : undefined;
      return new StandingLogin(revision, read, first);
    },
    async bind(dn, password, peer) {
      const readAt = revision();
      const { uuid, caller } = await authenticator.bind(dn, password, peer);
      return new StandingLogin(revision, () => standing(uuid)?.caller, { revision: readAt, value: caller });
    },
  };
}

function accountOf(entry: Entry, refusedBy: string | undefined): LoginAccount {
  const passwords = entry.attributes.get('userpassword')?.values ?? [];
  return { uuid: entry.uuid, passwords, mayLogin: refusedBy === undefined };
}

/** As Logins.login, counted by door. */
export type CountedLogin = (
  door: string,
  login: string,
  password: Buffer,
  peer: string,
) => Promise<StandingLogin<MailLogin>>;

/** `count` gets `imap accepted` or `imap refused`. */
export function countLogins(logins: Logins, count: (outcome: string) => void): CountedLogin {
  return async (door, login, password, peer) => {
    try {
      const standing = await logins.login(login, password, peer);
      count(`${door} accepted`);
      return standing;
    } catch (error) {
      count(`${door} refused`);
      throw error;
    }
  };
}
