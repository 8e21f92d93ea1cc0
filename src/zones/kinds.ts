// What is generated for a domain and for a host of ours: each kind of record with the names below the domain that own it.
//
// In      the domain's row, what it inherits, hosts and keys
// Out     record data by owner, relative to the domain: '' is the domain itself
// One line a kind. Data are made for the owner that is asked for alone: a question for MX makes no keys.
// RFC 6186 §3, RFC 6376 §3.6.1, RFC 7208 §3 §5, RFC 7489 §6.3, RFC 7505 §3, RFC 8314 §5.1, RFC 8460 §3, RFC 8461 §3.1 §3.2

import { keyRecord } from '../message/dkim/key.ts';
import type { Rdata } from '../wire/dns/rdata.ts';
import type { OmitKind, ZoneRow } from './compile.ts';
import { mtaStsId, mtaStsText } from './mta-sts.ts';
import type { ZoneHostRow, ZoneKeyRow, ZoneSettings } from './settings.ts';

/** What a kind is made from. */
export interface KindSource {
  readonly name: string;
  readonly row: ZoneRow;
  /** `waypostDmarc` of the nearest domain above. */
  readonly dmarc: string | undefined;
  readonly settings: ZoneSettings;
  /** Its own keys, else the site's. */
  readonly keys: () => readonly ZoneKeyRow[];
}

export interface RecordKind {
  /** The owners below the domain, '' for itself; undefined where the kind makes nothing. */
  readonly owners: (of: KindSource) => readonly string[];
  /** The data at one of them. */
  readonly at: (owner: string, of: KindSource) => readonly Rdata[];
}

const STRING_BYTES = 255;
/** Look-ups that a receiver makes for one policy. RFC 7208 §4.6.4 */
export const SPF_LOOKUPS_MAX = 10;
const SERVICES = ['submissions', 'submission', 'imaps', 'imap', 'pop3s', 'pop3'] as const;

const isWithMail = ({ row }: KindSource): boolean => row.domain === 'mail';

const mx: RecordKind = {
  owners: () => [''],
  at(_owner, of) {
    if (!isWithMail(of)) return [{ type: 'MX', preference: 0, exchange: '.' }];
    return exchangesOf(of.row, of.settings);
  },
};

const spf: RecordKind = { owners: () => [''], at: (_owner, of) => [txt(isWithMail(of) ? spfOf(of) : 'v=spf1 -all')] };

const dkim: RecordKind = {
  owners: (of) => (isWithMail(of) ? of.keys().map(({ key }) => `${key}._domainkey`) : []),
  at: (owner, { keys }) =>
    keys()
      .filter(({ key }) => `${key}._domainkey` === owner)
      .map((key) => txt(keyRecord(key))),
};

const dmarc: RecordKind = {
  owners: () => ['_dmarc'],
  at(_owner, of) {
    const above = isWithMail(of) ? (of.dmarc ?? 'v=DMARC1; p=none') : 'v=DMARC1; p=reject';
    return [txt(of.row.dmarc ?? above)];
  },
};

const srv: RecordKind = {
  owners: (of) =>
    isWithMail(of)
      ? SERVICES.filter((service) => hostsWith(service, of.settings).length > 0).map((service) => `_${service}._tcp`)
      : [],
  at(owner, { settings }) {
    const service = owner.slice(1, -'._tcp'.length);
    return settings.hosts.flatMap(({ key, services }) =>
      services
        .filter((one) => one.service === service)
        .map(({ port }): Rdata => ({ type: 'SRV', priority: 0, weight: 1, port, target: key })),
    );
  },
};

const mtaSts: RecordKind = {
  owners: (of) => (of.row.mtaSts === undefined || !isWithMail(of) ? [] : ['_mta-sts', 'mta-sts']),
  at(owner, of) {
    if (owner === '_mta-sts')
      return [txt(`v=STSv1; id=${mtaStsId(of.row.mtaSts!, exchangeNames(of.row, of.settings))}`)];
    return hostsWith('https', of.settings).flatMap(addressRdatas);
  },
};

/** The policy that the record names, undefined where the domain wants none. */
export function mtaStsPolicy(row: ZoneRow | undefined, settings: ZoneSettings): string | undefined {
  if (row?.mtaSts === undefined || row.domain !== 'mail') return undefined;
  return mtaStsText(row.mtaSts, exchangeNames(row, settings));
}

const tlsReport: RecordKind = {
  owners: (of) => (of.row.tlsReport === undefined || !isWithMail(of) ? [] : ['_smtp._tls']),
  at: (_owner, of) => [txt(`v=TLSRPTv1; rua=${of.row.tlsReport}`)],
};

const recordKinds: Readonly<Record<OmitKind | 'mtaSts' | 'tlsReport', RecordKind>> = {
  dkim,
  dmarc,
  mtaSts,
  mx,
  spf,
  srv,
  tlsReport,
};

const KINDS = Object.entries(recordKinds) as readonly (readonly [OmitKind, RecordKind])[];

function kindsOf({ row }: KindSource): readonly RecordKind[] {
  return row.omit === undefined
    ? KINDS.map(([, kind]) => kind)
    : KINDS.filter(([name]) => row.omit?.includes(name) !== true).map(([, kind]) => kind);
}

/** What is generated for a domain. It does not depend on its name: of the many that say the same it is made once. */
interface Generated extends Pick<KindSource, 'dmarc' | 'settings'> {
  readonly keys: readonly ZoneKeyRow[];
  readonly owners: readonly string[];
  /** The data at each of them. Lists, since a name of a hundred thousand is asked for once: see base/few.ts. */
  readonly data: readonly (readonly Rdata[])[];
  /** Names above owners that are none themselves. */
  readonly between: readonly string[];
}

/** At the row, and gone with it: a WeakMap with a row for each name of a zone would be walked at each collection. */
const MADE = Symbol('made');

function generatedFor(of: KindSource): Generated {
  const row: ZoneRow & { [MADE]?: Generated } = of.row;
  const known = row[MADE];
  const keys = of.keys();
  if (known?.settings === of.settings && known.dmarc === of.dmarc && known.keys === keys) return known;
  const kinds = kindsOf(of).map((kind) => ({ kind, owners: kind.owners(of) }));
  const owners = [...new Set(['', ...kinds.flatMap((each) => each.owners)])];
  const dataAt = (owner: string): readonly Rdata[] =>
    unique(kinds.flatMap((each) => (each.owners.includes(owner) ? each.kind.at(owner, of) : [])));
  const generated: Generated = {
    ...{ dmarc: of.dmarc, settings: of.settings, keys, owners },
    data: owners.map(dataAt),
    between: [...new Set(owners.flatMap(namesAboveOwner))],
  };
  row[MADE] = generated;
  return generated;
}

/** `_tcp` of `_imaps._tcp`. */
function namesAboveOwner(owner: string): string[] {
  const labels = owner.split('.');
  return labels.slice(1).map((_, at) => labels.slice(at + 1).join('.'));
}

export function unique(rdatas: readonly Rdata[]): readonly Rdata[] {
  if (rdatas.length < 2) return rdatas;
  return [...new Map(rdatas.map((rdata) => [JSON.stringify(rdata), rdata])).values()];
}

/** The owners of all that is generated for a domain, relative to it, itself first. */
export function ownersOf(of: KindSource): readonly string[] {
  return generatedFor(of).owners;
}

/** Something is generated below this name, relative to the domain. */
export function isAboveOwners(relative: string, of: KindSource): boolean {
  return generatedFor(of).between.includes(relative);
}

const NOTHING: readonly Rdata[] = [];

/** What is generated at one of them; nothing for any other name. */
export function generatedAt(owner: string, of: KindSource): readonly Rdata[] {
  const { owners, data } = generatedFor(of);
  return data[owners.indexOf(owner)] ?? NOTHING;
}

/** At the name of a host of ours. */
export function hostOwners({ key }: ZoneHostRow, keys: readonly ZoneKeyRow[]): readonly string[] {
  return [key, ...keys.map((each) => `${each.key}._domainkey.${key}`)];
}

export function hostRdatas(owner: string, host: ZoneHostRow, keys: readonly ZoneKeyRow[]): readonly Rdata[] {
  if (owner === host.key) return [...addressRdatas(host), txt('v=spf1 a -all')];
  return keys.filter(({ key }) => owner === `${key}._domainkey.${host.key}`).map((key) => txt(keyRecord(key)));
}

const ours = new WeakMap<ZoneSettings, readonly ZoneHostRow[]>();

/** Those that do something: other entries below `ou=Hosts` say where a next hop is. */
export function ourHosts(settings: ZoneSettings): readonly ZoneHostRow[] {
  let found = ours.get(settings);
  if (found === undefined) {
    found = settings.hosts.filter(({ services }) => services.length > 0);
    ours.set(settings, found);
  }
  return found;
}

function hostsWith(service: string, { hosts }: ZoneSettings): readonly ZoneHostRow[] {
  return hosts.filter(({ services }) => services.some((one) => one.service === service));
}

function addressRdatas({ addresses }: ZoneHostRow): Rdata[] {
  return addresses.map((address) => ({ type: address.includes(':') ? 'AAAA' : 'A', address }));
}

const PREFERENCE = 10;

/** The hosts that take the domain's mail. */
function exchangesOf(row: ZoneRow, settings: ZoneSettings): readonly (Rdata & { readonly type: 'MX' })[] {
  const named = row.hosts?.map((key) => {
    const host = settings.hosts.find((one) => one.key === key);
    return { key, preference: host?.preference ?? PREFERENCE };
  });
  return (named ?? hostsWith('smtp', settings)).map(({ key, preference }) => ({
    type: 'MX',
    preference,
    exchange: key,
  }));
}

/** For the policy of MTA-STS: also those that the entry names itself. */
function exchangeNames(row: ZoneRow, settings: ZoneSettings): readonly string[] {
  const site = row.site?.flatMap(([type, data]) => (type === 'MX' ? data.slice(data.indexOf(' ') + 1, -1) : [])) ?? [];
  const generated = row.omit?.includes('mx') === true ? [] : exchangesOf(row, settings).map(({ exchange }) => exchange);
  return [...new Set([...generated, ...site])].sort();
}

function spfOf({ row, settings }: KindSource): string {
  const exchanges = new Set(exchangeNames(row, settings));
  const others = ourHosts(settings).filter(({ key }) => !exchanges.has(key));
  return ['v=spf1 mx', ...others.map(({ key }) => `a:${key}`), '~all'].join(' ');
}

/** A text that is longer than a string has several, which are read as one. */
function txt(text: string): Rdata {
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < text.length; at += STRING_BYTES) strings.push(text.slice(at, at + STRING_BYTES));
  return { type: 'TXT', strings };
}
