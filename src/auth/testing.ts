// Logins for tests of doors: the real ones over a table of names in the place of the directory.

import { createHash } from 'node:crypto';
import { systemClock } from '../base/clock.ts';
import { type AccountId, idOf, type PublishedRevision } from '../base/ids.ts';
import { TokenBuckets } from '../base/token-buckets.ts';
import type { Caller } from '../directory/caller.ts';
import type { Admission } from '../routing/admission.ts';
import { createThrottle } from './guard.ts';
import { HashGate } from './hash-gate.ts';
import type { LoginDirectory } from './login-directory.ts';
import { Logins, type LoginsParts } from './logins.ts';

export interface TableAccount {
  readonly account: AccountId;
  readonly password: string;
}

/** Names are lower case here, and in any case at the door. No failure waits. */
export function tableLogins(accounts: ReadonlyMap<string, TableAccount>): Logins {
  return new Logins({
    directory: tableDirectory(accounts),
    revision: () => idOf<PublishedRevision>(0),
    gate: new HashGate(),
    clock: systemClock,
    ...freely(),
  });
}

/** Each status that an entry or a domain can have, and whether it lets its people in. */
export const STATUS_ADMITS: Readonly<Record<string, boolean>> = {
  active: true,
  overquota: true,
  inactive: false,
  disabled: false,
  deleted: false,
  removed: false,
  hold: false,
};

/** Neither a status nor a rule. */
export const OPEN: Admission = {
  domain: undefined,
  refusedBy: undefined,
  domainRules: undefined,
  userRules: undefined,
};

const BUCKETS = 1000;

/** No failure waits, and nothing is written down; who has tried how often others know nothing of. */
export function freely(): Pick<LoginsParts, 'guard' | 'audit' | 'open'> {
  const buckets = new TokenBuckets({
    buffer: new SharedArrayBuffer(TokenBuckets.bytes(BUCKETS)),
    offset: 0,
    capacity: BUCKETS,
    thread: 0,
    isNew: true,
  });
  return {
    open: { watch: () => () => {} },
    guard: createThrottle({
      buckets,
      // Nobody has logged in anywhere.
      known: { look: () => 'unknown', note: async () => {} },
      clock: systemClock,
      wait: async () => {},
    }),
    audit() {},
  };
}

function tableDirectory(accounts: ReadonlyMap<string, TableAccount>): LoginDirectory {
  return {
    find(name) {
      const login = name.toLowerCase();
      const found = accounts.get(login);
      if (found === undefined) return undefined;
      const { account, password } = found;
      const dn = `uid=${login}`;
      const caller: Caller = { kind: 'entry', uuid: login, dn };
      const digest = createHash('sha256').update(password).digest('base64');
      const mail = { account, entry: account, dn, addresses: [login], ...OPEN, caller };
      return { uuid: login, label: login, passwords: [`{SHA256}${digest}`], tokens: [], admissions: [OPEN], mail };
    },
    findEntry: () => undefined,
    shared: () => undefined,
    findToken: () => undefined,
    now(uuid) {
      const mail = this.find(uuid)?.mail;
      return mail && { admissions: [OPEN], caller: mail.caller, tokens: [], mail };
    },
  };
}
