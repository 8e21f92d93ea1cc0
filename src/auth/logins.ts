// Logins of one thread: addresses come from the routing tables, passwords from the entries.

import type { Clock } from '../base/clock.ts';
import type { Reader } from '../database/operation.ts';
import { entryById, findEntry } from '../directory/entries.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { Login } from '../routing/login.ts';
import { Authenticator, type LoginAccount } from './authenticator.ts';
import type { HashGate } from './hash-gate.ts';

export interface AccountLogin extends LoginAccount {
  readonly login: Login;
}

export type Logins = Authenticator<AccountLogin>;

export interface LoginsParts {
  readonly reader: Reader;
  readonly routing: RoutingCache;
  readonly gate: HashGate;
  readonly clock: Clock;
}

export function createLogins({ reader, routing, gate, clock }: LoginsParts): Logins {
  return new Authenticator<AccountLogin>({
    find(name) {
      const login = routing.findLogin(name);
      const entry = login === undefined ? undefined : entryById(reader, login.entry);
      if (login === undefined || entry === undefined) return undefined;
      return {
        uuid: entry.uuid,
        account: login.account,
        addresses: login.addresses,
        passwords: entry.attributes.get('userpassword')?.values ?? [],
        mayLogin: login.refusedBy === undefined,
        login,
      };
    },
    findEntry: (dn) => findEntry(reader, dn),
    gate,
    clock,
  });
}

/** As Authenticator.login, counted by door. */
export type CountedLogin = (door: string, login: string, password: Buffer, peer: string) => Promise<AccountLogin>;

/** `count` gets `imap accepted` or `imap refused`. */
export function countLogins(logins: Logins, count: (outcome: string) => void): CountedLogin {
  return async (door, login, password, peer) => {
    try {
      const account = await logins.login(login, password, peer);
      count(`${door} accepted`);
      return account;
    } catch (error) {
      count(`${door} refused`);
      throw error;
    }
  };
}
