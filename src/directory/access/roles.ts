// Who has which role: site administrators by a group, servers by where their entries stand, administrators of domains by an
// attribute of the domain.
//
// In      a normalized DN
// Out     its groups and roles, as decide.ts asks for them

import { TENANT } from '../../base/tenant.ts';
import { normalizeDn } from '../dn.ts';
import { decodeEntry, ENTRY_COLUMNS } from '../entries.ts';
import { type Entry, hasClass } from '../entry.ts';
import { cutIndexValue } from '../indexes.ts';
import { ofSuffix } from '../suffix.ts';
import type { CallerFacts } from './decide.ts';
import { ADMINISTRATOR_KEY, aboveOf, treePathOf } from './domains.ts';
import { groupsOf } from './groups.ts';
import type { Look } from './look.ts';
import type { Role } from './rule.ts';

/** Its members are site administrators. */
export const siteAdministratorsDn = ofSuffix((suffix) => `cn=Site Administrators,ou=Waypost,${suffix}`);
/** Normalized. */
export const siteAdministrators = ofSuffix(() => normalizeDn(siteAdministratorsDn()));
/** Normalized. */
export const hostsDn = ofSuffix((suffix) => normalizeDn(`ou=Hosts,ou=Waypost,${suffix}`));
const HOST_CLASS = 'wayposthost';
const PASSWORD = 'userpassword';

const ADMINISTERED = `SELECT 1 FROM dit_index WHERE tenant = ? AND attribute = '${ADMINISTRATOR_KEY}'
  AND value IN (SELECT value FROM json_each(?)) LIMIT 1`;
const ENTRY = `SELECT ${ENTRY_COLUMNS} FROM dit WHERE tenant = ? AND path = ?`;

export const NOBODY: CallerFacts = {
  dn: undefined,
  isSiteAdministrator: false,
  isServer: false,
  isDomainAdministrator: false,
  groups: new Set(),
};

export function* factsOf(dn: string): Look<CallerFacts> {
  const groups = yield* groupsOf(dn);
  const names = [dn, ...groups].map(cutIndexValue);
  const administered = yield [ADMINISTERED, TENANT, JSON.stringify(names)];
  return {
    dn,
    groups,
    isSiteAdministrator: groups.has(siteAdministrators()),
    isServer: yield* isServer(dn),
    isDomainAdministrator: administered.length > 0,
  };
}

/** With a password: that is given by the Directory Manager alone (check-change.ts). A token makes no server. */
function* isServer(dn: string): Look<boolean> {
  if (aboveOf(dn) !== hostsDn()) return false;
  const [row] = yield [ENTRY, TENANT, treePathOf(dn)];
  return row !== undefined && isServerEntry(decodeEntry(row));
}

/** Of an entry right below the hosts'. */
export function isServerEntry(entry: Entry): boolean {
  return hasClass(entry, HOST_CLASS) && entry.attributes.has(PASSWORD);
}

export function rolesIn(facts: CallerFacts): readonly Role[] {
  const roles: Role[] = [];
  if (facts.isSiteAdministrator) roles.push('site administrator');
  if (facts.isDomainAdministrator && !facts.isSiteAdministrator) roles.push('domain administrator');
  if (facts.isServer) roles.push('server');
  return roles;
}
