// A directory with its tables for tests: the real units on a temporary database, with the first start's entries.

import { authUnit } from '../auth/tables.ts';
import { systemClock } from '../base/clock.ts';
import { TENANT } from '../base/tenant.ts';
import type { Unit } from '../database/format.ts';
import type { Awaitable } from '../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import { SERVER } from '../directory/caller.ts';
import type { Attribute, DirectoryChange } from '../directory/entry.ts';
import { directoryUnit } from '../directory/tables.ts';
import { tryParseAddress } from '../message/address.ts';
import { RoutingCache } from '../routing/cache.ts';
import { nameHost } from '../routing/host-names.ts';
import type { Resolution, ResolveOptions, Site } from '../routing/resolve.ts';
import { INTERNAL_REQUEST } from '../routing/route-request.ts';
import { routingUnit } from '../routing/tables.ts';
import { createTokens } from '../routing/tokens.ts';
import { storeUnit } from '../store/tables.ts';
import { zonesUnit } from '../zones/tables.ts';
import { bootstrap } from './bootstrap.ts';
import { type ChangeSummary, change } from './change.ts';
import { provisioningUnit } from './tables.ts';

export const testSite: Site = {
  tenant: TENANT,
  hostnames: ['mail.test.example'],
  tokens: createTokens(Buffer.alloc(32, 1), systemClock),
};

const units: readonly Unit[] = [directoryUnit, storeUnit, zonesUnit, routingUnit, authUnit, provisioningUnit];

export interface TestDirectory extends TestDatabase {
  readonly cache: RoutingCache;
  /** Makes the changes in one operation, as the server. */
  apply(...changes: readonly DirectoryChange[]): Promise<ChangeSummary>;
  /** `address` as SMTP writes it; `postmaster` may stand alone. */
  resolve(address: string, options?: ResolveOptions): Resolution;
}

/** `more`: units of folders below this one. `at`: a directory that stays, and may have been used before. */
export async function openTestDirectory(
  more: readonly Unit[] = [],
  at?: string,
  site: Site = testSite,
): Promise<TestDirectory> {
  const database = openTestDatabase([...units, ...more], at);
  const { reader, writer, shared } = database;
  const cache = new RoutingCache({ reader, revision: () => shared.routingRevision(), site });
  await writer.execute(nameHost, { hostnames: site.hostnames, defaultHost: site.defaultHost });
  if (reader.revision() === 0)
    await writer.execute(bootstrap, {
      passwordValues: ['{ARGON2}$argon2id$none'],
      hostname: testSite.hostnames[0]!,
      now: systemClock.now(),
    });
  return {
    ...database,
    cache,
    apply: (...changes) => writer.execute(change, { changes, caller: SERVER, peer: '', now: systemClock.now() }),
    resolve(text, options) {
      const address = tryParseAddress(text) ?? { localPart: text, domain: '' };
      return settled(cache.resolve(address, INTERNAL_REQUEST, options));
    },
  };
}

/** What a cache gives at once, which it always does. */
export function settled<T extends object>(given: Awaitable<T>): T {
  if ('then' in given) throw new Error('the cache has to fetch a row');
  return given;
}

type Values = Readonly<Record<string, string | readonly string[]>>;

export function add(dn: string, values: Values): DirectoryChange {
  return { kind: 'add', dn, attributes: attributesOf(values) };
}

/** Replaces these attributes; an empty list takes one away. */
export function replace(dn: string, values: Values): DirectoryChange {
  const modifications = attributesOf(values).map(({ name, values: list }) => ({
    operation: 'replace' as const,
    attribute: name,
    values: list,
  }));
  return { kind: 'modify', dn, modifications };
}

export function remove(dn: string): DirectoryChange {
  return { kind: 'delete', dn };
}

function attributesOf(values: Values): Attribute[] {
  return Object.entries(values).map(([name, value]) => ({ name, values: typeof value === 'string' ? [value] : value }));
}

/** `acme.example` -> `dc=acme,dc=example,o=internet` */
export function domainDn(domain: string): string {
  return `dc=${domain.replaceAll('.', ',dc=')},o=internet`;
}

export function addDomain(domain: string, more: Values = {}): DirectoryChange {
  const dc = domain.split('.')[0]!;
  return add(domainDn(domain), { objectClass: ['domain', 'inetDomain', 'mailDomain'], dc, ...more });
}

export function userDn(address: string): string {
  const [name, domain] = address.split('@') as [string, string];
  return `uid=${name},ou=People,${domainDn(domain)}`;
}

export function addUser(address: string, more: Values = {}): DirectoryChange {
  const name = address.split('@')[0]!;
  return add(userDn(address), {
    objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
    uid: name,
    cn: name,
    sn: name,
    mail: address,
    ...more,
  });
}

export function groupDn(address: string): string {
  const [name, domain] = address.split('@') as [string, string];
  return `cn=${name},ou=Groups,${domainDn(domain)}`;
}

export function addGroup(address: string, members: readonly string[], more: Values = {}): DirectoryChange {
  return add(groupDn(address), {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: address.split('@')[0]!,
    mail: address,
    ...(members.length === 0 ? {} : { uniqueMember: members }),
    ...more,
  });
}
