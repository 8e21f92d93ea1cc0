// Logins of one thread: addresses come from the routing tables, passwords from the entries.

import { Authenticator, type LoginAccount } from '../../auth/authenticator.ts';
import { HashGate } from '../../auth/hash-gate.ts';
import { systemClock } from '../../base/clock.ts';
import { entryById, findEntry } from '../../directory/entries.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { Login } from '../../routing/login.ts';
import type { ThreadParts } from '../threads/parts.ts';

export interface AccountLogin extends LoginAccount {
  readonly login: Login;
}

export type Logins = Authenticator<AccountLogin>;

export function threadGate(parts: Pick<ThreadParts, 'shared'>, thread: number): HashGate {
  return new HashGate({ cells: parts.shared.hashCells, thread });
}

export function createLogins(parts: ThreadParts, routing: RoutingCache, gate: HashGate): Logins {
  const { reader } = parts.database;
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
    clock: systemClock,
  });
}

/** As Authenticator.login, counted for the metrics by door. */
export type CountedLogin = (door: string, login: string, password: Buffer, peer: string) => Promise<AccountLogin>;

export function countLogins(logins: Logins, counters: ThreadParts['counters']): CountedLogin {
  return async (door, login, password, peer) => {
    try {
      const account = await logins.login(login, password, peer);
      counters.add('login', `${door} accepted`);
      return account;
    } catch (error) {
      counters.add('login', `${door} refused`);
      throw error;
    }
  };
}
