// Names of mail domains for tests, without a directory.

import { TENANT } from '../base/tenant.ts';
import { operation } from '../database/operation.ts';
import type { CompiledDomain, ZoneRow } from './compile.ts';
import type { NameSource, ZoneName } from './name-source.ts';
import { noteDomainChange, setRow } from './names.ts';
import { pathOf } from './path.ts';
import { shownAddresses, type ZoneSettings } from './settings.ts';

/** In the place of the UUID of the entry. */
export function testEntry(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(32, '0').slice(0, 32);
}

/** What the entry of a domain gives to DNS. */
export function compiledDomain(name: string): CompiledDomain {
  return { name, row: { domain: 'mail' }, entry: testEntry(name) };
}

/** A domain entry is added, removed or renamed; gives the revision. */
export const changeDomain = operation(
  'test.changeDomain',
  async (tx, names: { readonly before?: string; readonly after?: string }): Promise<number> => {
    const [before, after] = [names.before, names.after].map((name) =>
      name === undefined ? name : compiledDomain(name),
    );
    const revision = await tx.nextRevision();
    await noteDomainChange(tx, { before, after, revision });
    return revision;
  },
);

/** What the entry of this UUID gives to a name; null where it is gone. */
export interface NamedRow {
  readonly name: string;
  readonly row: ZoneRow | null;
  readonly entry: string;
}

/** Rows of names as they are to be, in one revision. */
export const setRows = operation('test.setRows', async (tx, changes: readonly NamedRow[]): Promise<void> => {
  const revision = await tx.nextRevision();
  for (const { name, row, entry } of changes)
    await setRow(tx, pathOf(name), row === null ? undefined : { row, entry }, revision);
});

/** Domains, or rows by name, that were added at this revision. */
export function namesOf(domains: readonly string[] | Readonly<Record<string, ZoneRow>>, revision: number): NameSource {
  const rows = new Map<string, ZoneRow>(
    Array.isArray(domains) ? domains.map((name: string) => [name, { domain: 'mail' }]) : Object.entries(domains),
  );
  const find = (name: string): ZoneName | undefined => {
    const row = rows.get(name);
    const hasBelow = [...rows.keys()].some((domain) => domain.endsWith(`.${name}`));
    if (row === undefined && !hasBelow) return undefined;
    return { name, row, hasBelow, changedAt: row ? revision : 0, changedBelowAt: hasBelow ? revision : 0 };
  };
  return { find, list: () => [], keys: () => [] };
}

/** What all zones share, of a host that takes mail and answers DNS. */
export function settingsOf(hostname: string, addresses: readonly string[] = []): ZoneSettings {
  const services = [
    { service: 'smtp', port: 25 },
    { service: 'dns', port: 53 },
  ];
  const key = hostname.toLowerCase();
  const own = {
    kind: 'host',
    key,
    addresses: shownAddresses(addresses),
    services,
    preference: 10,
    isOwn: true,
  } as const;
  return { hosts: [own], nameServers: [], keys: [], mode: 'embedded', hostname: key, changedAt: 0 };
}

/** The record of this key was seen at the domain. */
export const observeKey = operation(
  'test.observeKey',
  (tx, { selector, domain }: { readonly selector: string; readonly domain: string }) =>
    tx.run(
      'INSERT INTO key_observed (tenant, path, selector, at) VALUES (?, ?, ?, 1)',
      TENANT,
      pathOf(domain),
      selector,
    ),
);

/** What a search in steps has found, when all of them are made. */
export function found<T>(steps: Generator<unknown, T>): T {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}
