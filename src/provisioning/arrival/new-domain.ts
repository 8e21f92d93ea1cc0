// The entry of a domain that a message brings: what the policy says, else what the domain above says, and the MX records that
// the evidence has.
//
// In      the domain, the policy that decided (undefined: it is gone), its evidence; in a transaction
// Out     the change that adds the entry. Who applies it says that a message is the origin (WriteOptions.broughtBy)
// MX      in a zone of ours our hosts get the records that every domain has; the others follow behind them in their order, raised
//         by as much as ours are: an exchange that was second stays second. Where somebody else keeps the zone the set is taken
//         as it stands there, so that nothing has to change for the domain to come
// A domain that lies in no zone of ours and of no primary stays in its owner's: `waypostZoneAuthority: theirs`

import { idOf, type Revision } from '../../base/ids.ts';
import type { Reader, Transaction } from '../../database/operation.ts';
import { dcDnOfDomain, normalizeDn } from '../../directory/dn.ts';
import { findEntry, findEntryIn } from '../../directory/entries.ts';
import type { Attribute, DirectoryChange, Entry } from '../../directory/entry.ts';
import { isValidDomain } from '../../message/address.ts';
import { compileDomain } from '../../routing/compile.ts';
import { stateIn } from '../../routing/generation.ts';
import type { RouteRow } from '../../routing/rows.ts';
import { routeIn } from '../../routing/tables.ts';
import { authorityIn } from '../../zones/authority.ts';
import { type ZoneSettings, zoneSettingsIn } from '../../zones/settings.ts';
import type { ChangeSite } from '../write-options.ts';
import { type DomainEvidence, ourExchanges } from './evidence.ts';

export interface NewDomain {
  readonly domain: string;
  /** DN of the policy's entry; '' for the built-in one. */
  readonly policy: string;
  readonly evidence: Pick<DomainEvidence, 'mx'>;
}

const VALUES = ['mailDomainCatchallAddress', 'mailRoutingSmartHost', 'mailRoutingHosts', 'inetDomainBaseDN'] as const;
const CLASSES: Attribute = { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain'] };
const PREFERENCE = 10;
const PREFERENCE_MAX = 0xffff;

export async function newDomain(
  tx: Transaction,
  { domain, policy, evidence }: NewDomain,
  site: ChangeSite,
): Promise<DirectoryChange> {
  const policyEntry = policy === '' ? undefined : await findEntryIn(tx, policy);
  const parent = await parentOf(tx, domain);
  const values = VALUES.flatMap((name) => valuesOf(policyEntry, name) ?? valuesOf(parent, name) ?? []);
  const settings = await zoneSettingsIn(tx, site);
  const hosts = values.find(({ name }) => name === 'mailRoutingHosts')?.values.map(String);
  const { authority, zone } = await authorityIn(tx, domain, site);
  const isBelowOurs = authority === 'ours' && zone !== undefined && zone !== domain;
  const isNobodys = await liesNowhere(tx, domain, site);
  const records = isBelowOurs ? behindOurs(evidence.mx, hosts, settings) : asTheyStand(evidence.mx, hosts, settings);
  return {
    kind: 'add',
    dn: dcDnOfDomain(domain),
    attributes: [
      CLASSES,
      { name: 'dc', values: [domain.slice(0, domain.indexOf('.'))] },
      ...values,
      ...records.filter((attribute) => attribute.values.length > 0),
      ...(isNobodys ? [{ name: 'waypostZoneAuthority', values: ['theirs'] }] : []),
    ],
  };
}

/** What the routing tables would say of it, read without a transaction; undefined where they would say nothing. */
export function newRoute(
  reader: Reader,
  { domain, policy }: Pick<NewDomain, 'domain' | 'policy'>,
  routeOf: (domain: string) => RouteRow | undefined,
): RouteRow | undefined {
  const policyEntry = policy === '' ? undefined : findEntry(reader, policy);
  const above = namesAbove(domain).find((name) => routeOf(name) !== undefined);
  const parent = above === undefined ? undefined : findEntry(reader, dcDnOfDomain(above));
  const values = [CLASSES, ...VALUES.flatMap((name) => valuesOf(policyEntry, name) ?? valuesOf(parent, name) ?? [])];
  const dn = dcDnOfDomain(domain);
  return compileDomain({
    id: 0,
    parent: undefined,
    dn,
    normalizedDn: normalizeDn(dn),
    uuid: '',
    revision: idOf<Revision>(0),
    attributes: new Map(values.map((attribute) => [attribute.name.toLowerCase(), attribute])),
    createdAt: 0,
    modifiedAt: 0,
  });
}

function namesAbove(domain: string): readonly string[] {
  const labels = domain.split('.');
  return labels.slice(1).map((_, at) => labels.slice(at + 1).join('.'));
}

/** The entry of the nearest domain above that is ours. */
async function parentOf(tx: Transaction, domain: string): Promise<Entry | undefined> {
  const { generation } = await stateIn(tx);
  for (const above of namesAbove(domain))
    if ((await routeIn(tx, generation, above)) !== null) return findEntryIn(tx, dcDnOfDomain(above));
  return undefined;
}

function valuesOf(entry: Entry | undefined, name: string): Attribute | undefined {
  const values = entry?.attributes.get(name.toLowerCase())?.values;
  return values && { name, values };
}

/** Whether this server answers the DNS now or not: it would become an apex of ours. */
async function liesNowhere(tx: Transaction, domain: string, site: ChangeSite): Promise<boolean> {
  const { authority, zone } = await authorityIn(tx, domain, { ...site, mode: 'embedded' });
  return authority === 'ours' && (zone === undefined || zone === domain);
}

interface Exchange {
  readonly preference: number;
  readonly name: string;
}

/** `10 mail.acme.example`; what is no name has spoken against the domain. */
function exchangesOf(mx: readonly string[]): Exchange[] {
  return mx.flatMap((text) => {
    const [preference, name = ''] = text.split(' ');
    return isValidDomain(name) ? [{ preference: Number(preference), name }] : [];
  });
}

/** The records that an entry without any of its own has. */
function generated(hosts: readonly string[] | undefined, settings: ZoneSettings): Exchange[] {
  const named = hosts?.map((host) => host.trim().toLowerCase()) ?? [...ourExchanges(settings)];
  return named.map((name) => {
    const host = settings.hosts.find(({ key }) => key === name);
    return { name, preference: host?.preference ?? PREFERENCE };
  });
}

function behindOurs(mx: readonly string[], hosts: readonly string[] | undefined, settings: ZoneSettings): Attribute[] {
  const found = exchangesOf(mx);
  const ours = generated(hosts, settings);
  const own = new Set([...ourExchanges(settings), ...ours.map(({ name }) => name)]);
  const best = Math.min(...found.map(({ preference }) => preference));
  const raised = Math.max(0, Math.min(...ours.map(({ preference }) => preference)) - best);
  const others = found.filter(({ name }) => !own.has(name));
  return [
    {
      name: 'mXRecord',
      values: others.map(({ preference, name }) => `${Math.min(preference + raised, PREFERENCE_MAX)} ${name}.`),
    },
  ];
}

function asTheyStand(mx: readonly string[], hosts: readonly string[] | undefined, settings: ZoneSettings): Attribute[] {
  const found = exchangesOf(mx);
  const text = ({ preference, name }: Exchange): string => `${preference} ${name}.`;
  const ours = new Set(generated(hosts, settings).map(text));
  const others = found.map(text).filter((record) => !ours.has(record));
  if (ours.size + others.length === found.length) return [{ name: 'mXRecord', values: others }];
  return [
    { name: 'mXRecord', values: found.map(text) },
    { name: 'waypostOmitRecord', values: ['mx'] },
  ];
}
