// What all zones share: our hosts, the name servers of others, the signing keys of the site. Compiled from the entries below
// `ou=Hosts` and `ou=Keys`, written in the transaction that changes one.
//
// In      an entry before and after its change
// Out     rows of `zone_setting` (hosts, name servers, keys of every domain) and `zone_key` (keys of one domain); what readers
//         make of them. The row MOVED holds the revision at which one came, changed or went: each zone's serial counts it
// Secrets are not in a row: who sends or verifies reads them from the entry
// RFC 8945 §6 (algorithms)

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { normalizeDn } from '../directory/dn.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { ofSuffix } from '../directory/suffix.ts';
import { isValidDomain, normalizeDomain } from '../message/address.ts';
import { ipv6Octets, ipv6Text } from '../wire/dns/address.ts';
import { noteBelow } from './below.ts';
import { rememberZoneChange } from './changes.ts';
import { pathOf, subtreeOf } from './path.ts';

/** How DNS is served here: `none` is not at all, so every domain is somebody else's to publish. */
export interface ZoneSite {
  readonly hostname: string;
  readonly mode: 'embedded' | 'none';
  /** Of this host, for as long as its entry names none. */
  readonly addresses?: readonly string[];
}

export interface HostService {
  readonly service: string;
  readonly port: number;
}

export interface ZoneHostRow {
  readonly kind: 'host';
  /** Its name in lower case. */
  readonly key: string;
  /** IP addresses, as wire/dns/address.ts writes them. */
  readonly addresses: readonly string[];
  readonly services: readonly HostService[];
  /** Of its MX records. */
  readonly preference: number;
  readonly isOwn?: true;
}

interface DnsEndpoint {
  readonly address: string;
  readonly port: number;
}

export interface NameServerRow {
  readonly kind: 'nameserver';
  /** `cn`, in lower case. */
  readonly key: string;
  readonly dn: string;
  readonly role: 'primary' | 'secondary';
  readonly addresses: readonly DnsEndpoint[];
  /** Of a primary: the zones that it has. */
  readonly zones: readonly string[];
  readonly tsig?: { readonly name: string; readonly algorithm: 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512' };
  readonly watch: readonly DnsEndpoint[];
}

export interface ZoneKeyRow {
  readonly kind: 'key';
  /** The selector. */
  readonly key: string;
  readonly dn: string;
  /** Undefined: of every domain. */
  readonly domain?: string;
  readonly type: 'rsa' | 'ed25519';
  /** `p=` of its record. */
  readonly public: string;
  readonly state: 'new' | 'signing' | 'retired';
  /** Epoch milliseconds. */
  readonly changedAt: number;
}

export type ZoneSettingRow = ZoneHostRow | NameServerRow | ZoneKeyRow;

export interface ZoneSettings {
  /** Our own first. */
  readonly hosts: readonly ZoneHostRow[];
  readonly nameServers: readonly NameServerRow[];
  /** The site's: those of one domain are asked for by name. */
  readonly keys: readonly ZoneKeyRow[];
  readonly mode: 'embedded' | 'none';
  readonly hostname: string;
  /** The revision at which one of them moved last, 0: never. */
  readonly changedAt: Revision | 0;
}

const belowHosts = ofSuffix((suffix) => `,${normalizeDn(`ou=Hosts,ou=Waypost,${suffix}`)}`);
const belowKeys = ofSuffix((suffix) => `,${normalizeDn(`ou=Keys,ou=Waypost,${suffix}`)}`);
const PREFERENCE = 10;
const PREFERENCE_MAX = 0xffff;
const DNS_PORT = 53;
/** What this host does for as long as its entry says nothing of it. */
const OWN_SERVICES: readonly HostService[] = [
  { service: 'smtp', port: 25 },
  { service: 'dns', port: DNS_PORT },
];
const ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;

/** `text` in lower case. */
export function isTsigAlgorithm(text: string): boolean {
  return ALGORITHMS.some((one) => one === text);
}

/** Undefined for an entry that is none of the three, or that lacks what it must say. */
export function compileZoneSetting(entry: Entry): ZoneSettingRow | undefined {
  if (hasClass(entry, 'wayposthost')) return hostRow(entry);
  if (hasClass(entry, 'waypostnameserver')) return nameServerRow(entry);
  return hasClass(entry, 'waypostdkimkey') ? keyRow(entry) : undefined;
}

function hostRow(entry: Entry): ZoneHostRow | undefined {
  const key = nameBelow(entry, belowHosts());
  if (key === undefined || !isValidDomain(key)) return undefined;
  const addresses = textValues(entry, 'wayposthostaddress').flatMap((value) => ipAddress(value.trim()) ?? []);
  const services = textValues(entry, 'wayposthostservice').flatMap((value) => parseHostService(value) ?? []);
  const said = Number(textValue(entry, 'wayposthostpreference') ?? PREFERENCE);
  const preference = Number.isInteger(said) && said >= 0 && said <= PREFERENCE_MAX ? said : PREFERENCE;
  return { kind: 'host', key, addresses, services, preference };
}

/** `submissions 465`; undefined for anything else. */
export function parseHostService(text: string): HostService | undefined {
  const [service, number, more] = text.trim().split(' ');
  const port = Number(number);
  if (service === undefined || service === '' || more !== undefined) return undefined;
  return Number.isInteger(port) && port > 0 && port < 65_536 ? { service: asciiLower(service), port } : undefined;
}

function nameServerRow(entry: Entry): NameServerRow | undefined {
  const key = nameBelow(entry, belowHosts());
  const role = textValue(entry, 'waypostnameserverrole')?.toLowerCase();
  if (key === undefined || (role !== 'primary' && role !== 'secondary')) return undefined;
  const name = zoneName(textValue(entry, 'wayposttsigname'));
  const said = textValue(entry, 'wayposttsigalgorithm')?.toLowerCase();
  const algorithm = ALGORITHMS.find((one) => one === (said ?? ALGORITHMS[0]));
  return {
    kind: 'nameserver',
    key,
    dn: entry.dn,
    role,
    addresses: textValues(entry, 'waypostnameserveraddress').flatMap((value) => parseEndpoint(value) ?? []),
    zones: textValues(entry, 'waypostzone').flatMap((value) => zoneName(value) ?? []),
    ...(name === undefined || algorithm === undefined ? {} : { tsig: { name, algorithm } }),
    watch: textValues(entry, 'waypostwatchaddress').flatMap((value) => parseEndpoint(value) ?? []),
  };
}

function zoneName(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  const bare = trimmed.endsWith('.') ? trimmed.slice(0, -1) : trimmed;
  return normalizeDomain(bare) ?? (bare === '' ? undefined : asciiLower(bare));
}

/** `IP`, `IPv4:PORT` or `[IPv6]:PORT`; undefined for anything else. */
export function parseEndpoint(text: string): DnsEndpoint | undefined {
  const trimmed = text.trim();
  const whole = ipAddress(trimmed);
  if (whole !== undefined) return { address: whole, port: DNS_PORT };
  const colon = trimmed.lastIndexOf(':');
  const port = Number(trimmed.slice(colon + 1));
  const host = trimmed.slice(0, Math.max(colon, 0));
  const address = ipAddress(host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host);
  return address !== undefined && Number.isInteger(port) && port > 0 && port < 65_536 ? { address, port } : undefined;
}

function keyRow(entry: Entry): ZoneKeyRow | undefined {
  const key = nameBelow(entry, belowKeys());
  const type = textValue(entry, 'waypostkeytype')?.toLowerCase();
  const key64 = textValue(entry, 'waypostkeypublic');
  if (key === undefined || (type !== 'rsa' && type !== 'ed25519') || key64 === undefined) return undefined;
  const domain = zoneName(textValue(entry, 'waypostkeydomain'));
  const said = textValue(entry, 'waypostkeystate')?.toLowerCase();
  const state = said === 'new' || said === 'retired' ? said : 'signing';
  const ofDomain = domain === undefined ? {} : { domain };
  return { kind: 'key', key, dn: entry.dn, ...ofDomain, type, public: key64, state, changedAt: entry.modifiedAt };
}

/** `cn=NAME` right below this container, in lower case. */
function nameBelow({ normalizedDn }: Entry, below: string): string | undefined {
  if (!normalizedDn.startsWith('cn=') || !normalizedDn.endsWith(below)) return undefined;
  const name = normalizedDn.slice('cn='.length, -below.length);
  return name === '' || name.includes(',') || name.includes('+') || name.includes('\\') ? undefined : asciiLower(name);
}

function ipAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 4) return text;
  return family === 6 && !text.includes('%') ? ipv6Text(ipv6Octets(text)) : undefined;
}

const MOVED = 'moved';
const PUBLISHING = 'publishing';
const CATALOG = 'catalog';
const SETTINGS = `SELECT kind, row, changed FROM zone_setting WHERE tenant = ${TENANT} ORDER BY kind, key`;

/** Hosts, name servers and keys of the site are few; who asks often keeps them until `changedAt` of the table moves. */
export function readZoneSettings(reader: Reader, site: ZoneSite): ZoneSettings {
  return settingsOf(reader.arrays(SETTINGS), site);
}

export async function zoneSettingsIn(tx: Transaction, site: ZoneSite): Promise<ZoneSettings> {
  return settingsOf(await tx.arrays(SETTINGS), site);
}

/** The revision at which a setting moved last, 0: never. */
export function zoneSettingsMoved(reader: Reader): number {
  const sql = `SELECT changed FROM zone_setting WHERE tenant = ${TENANT} AND kind = '${MOVED}' AND key = ''`;
  return Number(reader.arrays(sql)[0]?.[0] ?? 0);
}

/** A setting of all zones has moved at this revision. */
export async function noteSettingsMoved(tx: Transaction, revision: Revision): Promise<void> {
  await putSetting(tx, [TENANT, MOVED, '', '{}', revision]);
}

/** A zone has come or gone, perhaps: the catalog of zones is another one. */
export async function noteCatalogMoved(tx: Transaction, revision: Revision): Promise<void> {
  await putSetting(tx, [TENANT, CATALOG, '', '{}', revision]);
}

/** The revision at which that was so last, 0: never. */
export function catalogMoved(reader: Reader): number {
  const sql = `SELECT changed FROM zone_setting WHERE tenant = ${TENANT} AND kind = '${CATALOG}' AND key = ''`;
  return Number(reader.arrays(sql)[0]?.[0] ?? 0);
}

/** How DNS was served here when the standing of all domains was looked at last; undefined: never was. */
export function notedMode(reader: Reader): ZoneSite['mode'] | undefined {
  const sql = `SELECT row FROM zone_setting WHERE tenant = ${TENANT} AND kind = '${PUBLISHING}' AND key = ''`;
  const [row] = reader.arrays(sql);
  return row && (JSON.parse(row[0] as string) as Pick<ZoneSite, 'mode'>).mode;
}

/** Every domain may be somebody else's now, or ours again. */
export async function noteMode(tx: Transaction, mode: ZoneSite['mode']): Promise<void> {
  await putSetting(tx, [TENANT, PUBLISHING, '', JSON.stringify({ mode }), tx.revision]);
  await spread(tx, subtreeOf(''), tx.revision);
}

function settingsOf(rows: readonly (readonly Value[])[], site: ZoneSite): ZoneSettings {
  const hosts: ZoneHostRow[] = [];
  const nameServers: NameServerRow[] = [];
  const keys: ZoneKeyRow[] = [];
  let changedAt = 0;
  for (const [kind, row, changed] of rows) {
    if (kind === MOVED) changedAt = Number(changed);
    else if (kind === 'host') hosts.push(JSON.parse(row as string) as ZoneHostRow);
    else if (kind === 'nameserver') nameServers.push(JSON.parse(row as string) as NameServerRow);
    else if (kind === 'key') keys.push(JSON.parse(row as string) as ZoneKeyRow);
  }
  const { mode } = site;
  const hostname = asciiLower(site.hostname);
  const others = hosts.filter(({ key }) => key !== hostname);
  const own = ownHost(
    hosts.find(({ key }) => key === hostname),
    hostname,
    site.addresses ?? [],
  );
  return { hosts: [own, ...others], nameServers, keys, mode, hostname, changedAt: changedAt as Revision | 0 };
}

function ownHost(row: ZoneHostRow | undefined, key: string, addresses: readonly string[]): ZoneHostRow {
  const said = row ?? { kind: 'host', key, addresses: [], services: [], preference: PREFERENCE };
  return {
    ...said,
    addresses: said.addresses.length > 0 ? said.addresses : shownAddresses(addresses),
    services: said.services.length > 0 ? said.services : OWN_SERVICES,
    isOwn: true,
  };
}

/** Where mail comes in at a host of ours; undefined: none does. */
export function smtpPort({ services }: ZoneHostRow): number | undefined {
  return services.find(({ service }) => service === 'smtp')?.port;
}

/** Those that mean something to others: no wildcard of a listener, no link-local one with an interface name; each once. */
export function shownAddresses(addresses: readonly string[]): readonly string[] {
  const shown = addresses.flatMap((address) => ipAddress(address) ?? []);
  return [...new Set(shown)].filter((address) => address !== '0.0.0.0' && address !== '::');
}

export interface SettingChange {
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
  readonly revision: Revision;
  /** See WriteOptions. */
  readonly takenAt?: Revision | undefined;
}

/**
 * Follows the change of an entry, in its transaction: the row, what was before it, and the domains at primaries that it means
 * something to. A change that leaves the row as it is does nothing.
 */
export async function noteZoneSetting(
  tx: Transaction,
  { before, after, revision, takenAt }: SettingChange,
): Promise<void> {
  const was = before && compileZoneSetting(before);
  const is = after && compileZoneSetting(after);
  if (JSON.stringify(was) === JSON.stringify(is)) return;
  if (was !== undefined && (is === undefined || !isSamePlace(was, is)))
    await setSetting(tx, was, undefined, revision, takenAt);
  if (is !== undefined) await setSetting(tx, is, is, revision, takenAt);
}

function isSamePlace(one: ZoneSettingRow, other: ZoneSettingRow): boolean {
  return one.kind === other.kind && one.key === other.key && domainOf(one) === domainOf(other);
}

function domainOf(row: ZoneSettingRow): string | undefined {
  return row.kind === 'key' ? row.domain : undefined;
}

/** The row in the place of `at`; undefined: none any more. True when it was another one. */
export async function setSetting(
  tx: Transaction,
  at: ZoneSettingRow,
  row: ZoneSettingRow | undefined,
  revision: Revision,
  takenAt?: Revision,
): Promise<boolean> {
  const domain = domainOf(at);
  if (domain !== undefined) return setKey(tx, { path: pathOf(domain), selector: at.key, row, revision, takenAt });
  const where = [TENANT, at.kind, at.key];
  const [found] = await tx.arrays('SELECT row FROM zone_setting WHERE tenant = ? AND kind = ? AND key = ?', ...where);
  const before = (found?.[0] ?? null) as string | null;
  const text = row === undefined ? null : JSON.stringify(row);
  if (before === text) return false;
  if (text === null) await tx.run('DELETE FROM zone_setting WHERE tenant = ? AND kind = ? AND key = ?', ...where);
  else await putSetting(tx, [...where, text, revision]);
  await noteSettingsMoved(tx, revision);
  await rememberZoneChange(tx, {
    revision: takenAt ?? revision,
    path: '',
    kind: 'setting',
    key: `${at.kind} ${at.key}`,
    before,
  });
  if (at.kind === 'key' && isOtherKey(before, row))
    await tx.run('DELETE FROM key_observed WHERE tenant = ? AND selector = ?', TENANT, at.key);
  // Other name servers are the other server's to tell.
  if (takenAt === undefined) await noteSpread(tx, [before, text], revision);
  return true;
}

async function putSetting(tx: Transaction, values: readonly Value[]): Promise<void> {
  await tx.run(
    'INSERT OR REPLACE INTO zone_setting (tenant, kind, key, row, changed) VALUES (?, ?, ?, ?, ?)',
    ...values,
  );
}

interface KeyChange {
  readonly path: string;
  readonly selector: string;
  readonly row: ZoneSettingRow | undefined;
  readonly revision: Revision;
  readonly takenAt: Revision | undefined;
}

async function setKey(tx: Transaction, { path, selector, row, revision, takenAt }: KeyChange): Promise<boolean> {
  const where = [TENANT, path, selector];
  const [found] = await tx.arrays('SELECT row FROM zone_key WHERE tenant = ? AND path = ? AND selector = ?', ...where);
  const before = (found?.[0] ?? null) as string | null;
  const text = row === undefined ? null : JSON.stringify(row);
  if (before === text) return false;
  if (text === null) await tx.run('DELETE FROM zone_key WHERE tenant = ? AND path = ? AND selector = ?', ...where);
  else
    await tx.run(
      'INSERT OR REPLACE INTO zone_key (tenant, path, selector, row, changed) VALUES (?, ?, ?, ?, ?)',
      ...where,
      text,
      revision,
    );
  await rememberZoneChange(tx, { revision: takenAt ?? revision, path, kind: 'key', key: selector, before });
  if (isOtherKey(before, row))
    await tx.run('DELETE FROM key_observed WHERE tenant = ? AND selector = ? AND path = ?', TENANT, selector, path);
  await tx.run('UPDATE zone_name SET changed = ? WHERE tenant = ? AND path = ?', revision, TENANT, path);
  await noteBelow(tx, path, { more: 0, revision });
  // The domain alone: a range that ends with itself.
  if (takenAt === undefined) await spread(tx, { from: path.slice(0, -1), to: `${path}!` }, revision);
  return true;
}

/** What was seen was the record of another key, or of one that is gone. */
function isOtherKey(before: string | null, row: ZoneSettingRow | undefined): boolean {
  if (before === null) return false;
  const was = JSON.parse(before) as ZoneKeyRow;
  return row?.kind !== 'key' || row.public !== was.public;
}

/** Domains that others publish, and whose records may be others now: their rows are made in slices (publishing/spread.ts). */
async function noteSpread(tx: Transaction, texts: readonly (string | null)[], revision: Revision): Promise<void> {
  const rows = texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as ZoneSettingRow]));
  if (rows[0]!.kind !== 'nameserver') {
    // A host or a key says something in every domain, and moves none to other name servers.
    const [known] = await tx.arrays('SELECT EXISTS (SELECT 1 FROM dns_watch) OR EXISTS (SELECT 1 FROM dns_outbox)');
    if (known?.[0] === 1) await spread(tx, { ...subtreeOf(''), isKnown: true }, revision);
    return;
  }
  const zones = rows.flatMap((row) => (row.kind === 'nameserver' && row.role === 'primary' ? row.zones : []));
  for (const zone of new Set(zones)) await spread(tx, subtreeOf(pathOf(zone)), revision);
}

/** The standing of the domains from here to there may be another one now. With `isKnown` only their records may. */
export async function spread(
  tx: Transaction,
  { from, to, isKnown = false }: { readonly from: string; readonly to: string; readonly isKnown?: boolean },
  revision: Revision,
): Promise<void> {
  await tx.run(
    `INSERT INTO dns_spread (tenant, from_path, to_path, after, revision, is_known) VALUES (?, ?, ?, ?, ?, ?)`,
    TENANT,
    from,
    to,
    from,
    revision,
    Number(isKnown),
  );
  tx.afterCommit({ kind: 'spread' });
}
