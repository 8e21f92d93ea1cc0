// What an entry of the DC tree gives to DNS: its name, and a row from which records.ts makes records.
//
// In      one entry
// Out     its name, row and UUID; undefined for an entry that says nothing to DNS
// A row says what the entry wants and nothing of this host, whose name and addresses come in with each answer.
// Never   knows a domain's status (records.ts says why); reads a table

import { ALNUM, asciiLower, isAll } from '../base/characters.ts';
import { domainOfDcDn } from '../directory/dn.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { hasDomainClass } from '../directory/mail-domain.ts';
import { isValidDomain, normalizeDomain } from '../message/address.ts';
import { NAME_BYTES } from '../wire/dns/name.ts';
import { type SiteRecord, siteRecordsOf, type ZoneProblem } from './site-records.ts';

/**
 * Goes up with any change that gives another row, or another name, for the same entry: then all rows are made anew, and the
 * serials of the zones that differ rise. compile.test.ts notes the digest of each version. 1 had no row, 2 knew mail alone.
 */
export const ZONES_VERSION = 3;

/** What `waypostOmitRecord` may name. */
const OMIT_KINDS = ['mx', 'spf', 'dkim', 'dmarc', 'srv'] as const;
export type OmitKind = (typeof OMIT_KINDS)[number];

/** As JSON in the table. A key is there only where it says something: `{"domain":"mail"}` is a plain domain's row. */
export interface ZoneRow {
  /** `none`: a domain without mail. Absent: a name that is no domain. */
  readonly domain?: 'mail' | 'none';
  /** It was the topmost domain once, and keeps its zone below a domain that came later. */
  readonly isApex?: true;
  /** Somebody else's name servers have it. */
  readonly isTheirs?: true;
  /** Names of the hosts that take its mail; absent: every host that does. */
  readonly hosts?: readonly string[];
  readonly omit?: readonly OmitKind[];
  readonly dmarc?: string;
  readonly mtaSts?: 'testing' | 'enforce';
  readonly tlsReport?: string;
  /** Seconds. */
  readonly ttl?: number;
  /** Records that the entry says itself, in the text of zone files. */
  readonly site?: readonly SiteRecord[];
  readonly problems?: readonly ZoneProblem[];
}

export interface CompiledDomain {
  /** As wire/dns/name.ts writes names, in lower case. */
  readonly name: string;
  readonly row: ZoneRow;
  /** UUID of the entry, without hyphens: which member of the catalog a zone is. */
  readonly entry: string;
}

/** How `waypostSource` begins where the entry follows a zone: provisioning/zone-source.ts */
const FOREIGN_ZONE = 'dns:';
const TTL_MAX = 0x7fffffff;

export function compileZoneName(entry: Entry): CompiledDomain | undefined {
  // People are asked, too, and most entries are people.
  if (!entry.normalizedDn.startsWith('dc=')) return undefined;
  const name = domainOfDcDn(entry.normalizedDn);
  if (name === undefined || !isOwnerName(name)) return undefined;
  const problems: ZoneProblem[] = [];
  const domain = isValidDomain(name) ? kindOf(entry) : undefined;
  const row: ZoneRow = {
    ...(domain === undefined ? {} : { domain }),
    ...(isTrue(entry, 'waypostapex') && domain !== undefined ? { isApex: true } : {}),
    ...(isTheirs(entry, problems) ? { isTheirs: true } : {}),
    ...(domain === undefined ? {} : ofDomain(entry, problems)),
    ...ttlOf(entry, problems),
    ...siteIn(entry, problems),
  };
  const isNothing = row.domain === undefined && row.isTheirs === undefined && row.site === undefined;
  if (isNothing && problems.length === 0) return undefined;
  const uuid = entry.uuid.replaceAll('-', '');
  return { name, row: problems.length === 0 ? row : { ...row, problems }, entry: uuid };
}

function kindOf(entry: Entry): 'mail' | 'none' | undefined {
  if (hasDomainClass(entry)) return 'mail';
  return hasClass(entry, 'inetdomain') ? 'none' : undefined;
}

function isTheirs(entry: Entry, problems: ZoneProblem[]): boolean {
  const authority = textValue(entry, 'waypostzoneauthority');
  const isSaid = authority !== undefined && asciiLower(authority) === 'theirs';
  if (authority !== undefined && !isSaid)
    problems.push({ attribute: 'waypostZoneAuthority', value: authority, reason: 'is not theirs' });
  const source = textValue(entry, 'waypostsource');
  return isSaid || (source !== undefined && asciiLower(source).startsWith(FOREIGN_ZONE));
}

/** What only a domain asks for, beside its mail. */
function ofDomain(entry: Entry, problems: ZoneProblem[]): ZoneRow {
  const hosts = hostsOf(entry, problems);
  const omit = omitted(entry, problems);
  const dmarc = textValue(entry, 'waypostdmarc');
  const mtaSts = mtaStsOf(entry, problems);
  const tlsReport = textValue(entry, 'wayposttlsreport');
  return {
    ...(hosts.length === 0 ? {} : { hosts }),
    ...(omit.length === 0 ? {} : { omit }),
    ...(dmarc === undefined ? {} : { dmarc }),
    ...(mtaSts === undefined ? {} : { mtaSts }),
    ...(tlsReport === undefined ? {} : { tlsReport }),
  };
}

function hostsOf(entry: Entry, problems: ZoneProblem[]): readonly string[] {
  const hosts: string[] = [];
  for (const value of textValues(entry, 'mailroutinghosts')) {
    const host = normalizeDomain(withoutFinalDot(withoutPort(value.trim())));
    if (host === undefined || !isHostName(host))
      problems.push({ attribute: 'mailRoutingHosts', value, reason: 'is no host name' });
    else if (!hosts.includes(host)) hosts.push(host);
  }
  return hosts;
}

/** Not an IP address: the last label of a name is no number. */
function isHostName(host: string): boolean {
  const last = host.slice(host.lastIndexOf('.') + 1);
  return isValidDomain(host) && !(last.charCodeAt(0) >= 0x30 && last.charCodeAt(0) <= 0x39);
}

/** `mx.example:2525` and `[mx.example]`, as routing reads them. */
function withoutPort(text: string): string {
  const end = text.startsWith('[') ? text.indexOf(']') : text.indexOf(':');
  if (end < 0) return text;
  return text.startsWith('[') ? text.slice(1, end) : text.slice(0, end);
}

function withoutFinalDot(text: string): string {
  return text.endsWith('.') ? text.slice(0, -1) : text;
}

function omitted(entry: Entry, problems: ZoneProblem[]): readonly OmitKind[] {
  const words = textValues(entry, 'waypostomitrecord');
  for (const value of words)
    if (!OMIT_KINDS.some((kind) => kind === asciiLower(value)))
      problems.push({ attribute: 'waypostOmitRecord', value, reason: `is none of ${OMIT_KINDS.join(', ')}` });
  return OMIT_KINDS.filter((kind) => words.some((value) => asciiLower(value) === kind));
}

function mtaStsOf(entry: Entry, problems: ZoneProblem[]): 'testing' | 'enforce' | undefined {
  const value = textValue(entry, 'waypostmtasts');
  const word = value === undefined ? undefined : asciiLower(value);
  if (word === 'testing' || word === 'enforce') return word;
  if (value !== undefined)
    problems.push({ attribute: 'waypostMtaSts', value, reason: 'is neither testing nor enforce' });
  return undefined;
}

function siteIn(entry: Entry, problems: ZoneProblem[]): Pick<ZoneRow, 'site'> {
  const site = siteRecordsOf(entry, problems);
  for (const attribute of ['mDRecord', 'sOARecord'])
    for (const value of textValues(entry, asciiLower(attribute)))
      problems.push({ attribute, value, reason: 'is known and means nothing here' });
  return site.length === 0 ? {} : { site };
}

function ttlOf(entry: Entry, problems: ZoneProblem[]): { readonly ttl?: number } {
  const value = textValue(entry, 'dnsttl');
  if (value === undefined) return {};
  const ttl = Number(value);
  if (Number.isInteger(ttl) && ttl >= 0 && ttl <= TTL_MAX) return { ttl };
  problems.push({ attribute: 'dNSTTL', value, reason: 'is no time to live' });
  return {};
}

function isTrue(entry: Entry, name: string): boolean {
  return textValue(entry, name)?.toUpperCase() === 'TRUE';
}

/** Letters, digits, hyphens and underscores, or `*` alone: what a label may have that needs no escape anywhere. */
const LABEL = new Uint8Array(ALNUM);
for (const c of '-_') LABEL[c.charCodeAt(0)] = 1;

/** The name of a node that may own records: `*` and `_x` are no labels of a domain, but of records. */
function isOwnerName(name: string): boolean {
  if (name.length + 2 > NAME_BYTES) return false;
  return name.split('.').every((label) => label.length <= 63 && label !== '' && (label === '*' || isAll(label, LABEL)));
}
