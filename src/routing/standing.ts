// What the directory says of an entry now: may whoever is this entry be let in, and as whose mail. For logins, for binds,
// and for sessions that go on (auth/standing-login.ts).
//
// In      a reader, an entry
// Out     who it is, and its mail login where it has mail; the statuses and rules that decide (auth/decision.ts)
// Domain  an entry's domain is that of its primary address; of one without
//         an address the one whose base holds it: where several share that base, one that admits is enough
// Never   remembers anything: entry and rows are read in one snapshot, so that a renamed entry is not taken for a lost one

import type { Reader } from '../database/operation.ts';
import { type Caller, callerOf } from '../directory/caller.ts';
import { entryByUuid, findEntry } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { type Admissions, admissionOf, type OwnAdmission } from './admission.ts';
import { ownAdmissionOf } from './compile.ts';
import { readState } from './generation.ts';
import { type Login, loginOf } from './login.ts';
import type { Site } from './resolution.ts';
import type { RecipientRow, RouteRow } from './rows.ts';
import { readRecipient, readRoute, readRoutesAbove } from './tables.ts';

export interface Standing {
  readonly entry: Entry;
  readonly caller: Caller;
  /** Undefined where mail cannot reach the entry. */
  readonly login: Login | undefined;
  readonly admissions: Admissions;
}

/** Undefined when there is no such entry. */
export function standingOfUuid(reader: Reader, site: Site, uuid: string): Standing | undefined {
  return reader.snapshot(() => {
    const entry = entryByUuid(reader, uuid);
    return entry && standingOf(reader, site, entry);
  });
}

/** Undefined when there is no such entry. Throws `invalidDnSyntax` for what is no DN. */
export function standingOfDn(reader: Reader, site: Site, dn: string): Standing | undefined {
  return reader.snapshot(() => {
    const entry = findEntry(reader, dn);
    return entry && standingOf(reader, site, entry);
  });
}

function standingOf(reader: Reader, site: Site, entry: Entry): Standing {
  const { generation } = readState(reader);
  const row = readRecipient(reader, generation, entry.normalizedDn);
  const user = row?.kind === 'user' ? row : undefined;
  const route = (domain: string) => readRoute(reader, generation, domain);
  const login = user && loginOf(user, { route }, site);
  const hasAddress = login !== undefined && login.addresses.length > 0;
  const admissions = hasAddress
    ? ([login] as const)
    : admissionsByBase(readRoutesAbove(reader, generation, entry.normalizedDn), row ?? ownAdmissionOf(entry), site);
  return { entry, caller: callerOf(entry), login, admissions };
}

function admissionsByBase(routes: readonly RouteRow[], own: RecipientRow | OwnAdmission, site: Site): Admissions {
  const [first = null, ...more] = routes;
  return [admissionOf(first, own, site), ...more.map((route) => admissionOf(route, own, site))];
}
