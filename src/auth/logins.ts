// Logins of one thread: addresses come from the routing tables, passwords from the entries. A login stays current with
// the directory afterwards (standing-login.ts).

import type { Clock } from '../base/clock.ts';
import type { Reader } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';
import { entryById } from '../directory/entries.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Login } from '../routing/login.ts';
import { standingOfDn, standingOfUuid } from '../routing/standing.ts';
import { Authenticator } from './authenticator.ts';
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
  readonly revision: () => number;
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
      return {
        uuid: entry.uuid,
        passwords: entry.attributes.get('userpassword')?.values ?? [],
        mayLogin: login.refusedBy === undefined,
      };
    },
    findEntry(dn) {
      const found = standingOfDn(reader, routing.site, dn);
      if (found === undefined) return undefined;
      const { entry, refusedBy } = found;
      return {
        uuid: entry.uuid,
        passwords: entry.attributes.get('userpassword')?.values ?? [],
        mayLogin: refusedBy === undefined,
      };
    },
    ...more,
  });
  const standing = (uuid: string) => {
    const found = standingOfUuid(reader, routing.site, uuid);
    return found?.refusedBy === undefined ? found : undefined;
  };
  return {
    async login(login, password, peer) {
      const { uuid } = await authenticator.login(login, password, peer);
      return new StandingLogin(revision, () => {
        const found = standing(uuid);
        return found?.login && { ...found.login, caller: found.caller };
      });
    },
    async bind(dn, password, peer) {
      const { uuid } = await authenticator.bind(dn, password, peer);
      return new StandingLogin(revision, () => standing(uuid)?.caller);
    },
  };
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
