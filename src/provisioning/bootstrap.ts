// Waypost's own entries. Of an empty directory: suffix, administrator, site postmaster, and `ou=Waypost` with its containers;
// at each start: containers that an older program has not made, and this host.
//
// Idempotent: what is there stays as it is.

import { operation, type Transaction } from '../database/operation.ts';
import { DEFAULT_RULES } from '../directory/access/default-rules.ts';
import { siteAdministratorsDn } from '../directory/access/roles.ts';
import { beginsWithDefaults } from '../directory/access/rules.ts';
import { ADMINISTRATOR_DN, SERVER } from '../directory/caller.ts';
import { escapeDnValue } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import type { Attribute, DirectoryChange } from '../directory/entry.ts';
import { firstSuffix } from '../directory/suffix.ts';
import { sitePostmasterDn } from '../routing/compile.ts';
import { type Container, containerDn, containers } from '../routing/containers.ts';
import { applyAll } from './change.ts';
import { ownDn } from './guards.ts';
import { addSuffix, addSuffixes } from './suffixes.ts';
import { ANY_SITE } from './write-options.ts';

export interface BootstrapArguments {
  /** What is stored for the password; the administrator's and, from then on apart, the site postmaster's. */
  readonly passwordValues: readonly string[];
  readonly hostname: string;
  readonly now: number;
}

export const bootstrap = operation('provisioning.bootstrap', async (tx, args: BootstrapArguments) => {
  await addMissing(tx, [...firstEntries(args), ...ownEntries(args.hostname)], args.now);
  await addDefaultRules(tx, args.now);
});

export interface PrepareHostArguments {
  readonly hostname: string;
  /** All of them, the first as it always is. */
  readonly suffixes: readonly string[];
  readonly now: number;
}

export const prepareHost = operation(
  'provisioning.prepare-host',
  async (tx, { hostname, suffixes, now }: PrepareHostArguments): Promise<void> => {
    await addMissing(tx, [...ownEntries(hostname), ...addSuffixes(suffixes)], now);
    await addDefaultRules(tx, now);
  },
);

/** Once: what an administrator takes away stays away. */
async function addDefaultRules(tx: Transaction, now: number): Promise<void> {
  if (!(await beginsWithDefaults(tx))) return;
  const modifications = [{ operation: 'add', attribute: 'aci', values: DEFAULT_RULES }] as const;
  await applyAll(tx, [{ kind: 'modify', dn: firstSuffix(), modifications }], SERVER, { now, site: ANY_SITE });
}

async function addMissing(tx: Transaction, entries: readonly DirectoryChange[], now: number): Promise<void> {
  for (const entry of entries) {
    if ((await findEntryIn(tx, entry.dn)) !== undefined) continue;
    await applyAll(tx, [entry], SERVER, { now, isRoot: true, site: ANY_SITE });
  }
}

function ownEntries(hostname: string): DirectoryChange[] {
  return [
    ...Object.entries(containers).map(([container, ou]) =>
      add(containerDn(container as Container), { objectClass: ['organizationalUnit'], ou: [ou] }),
    ),
    add(siteAdministratorsDn(), { objectClass: ['groupOfNames'], cn: ['Site Administrators'] }),
    add(`cn=${escapeDnValue(hostname)},${containerDn('hosts')}`, { objectClass: ['waypostHost'], cn: [hostname] }),
  ];
}

function firstEntries({ passwordValues, hostname }: BootstrapArguments): DirectoryChange[] {
  return [
    addSuffix(firstSuffix()),
    add(ADMINISTRATOR_DN, {
      objectClass: ['person'],
      cn: ['Directory Manager'],
      sn: ['Manager'],
      userPassword: passwordValues,
    }),
    add(ownDn(), { objectClass: ['organizationalUnit'], ou: ['Waypost'] }),
    add(sitePostmasterDn(), {
      objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
      uid: ['postmaster'],
      cn: ['Site postmaster'],
      sn: ['Postmaster'],
      mail: [`postmaster@${hostname}`],
      userPassword: passwordValues,
    }),
  ];
}

function add(dn: string, values: Readonly<Record<string, readonly string[]>>): DirectoryChange {
  const attributes: Attribute[] = Object.entries(values).map(([name, list]) => ({ name, values: list }));
  return { kind: 'add', dn, attributes };
}
