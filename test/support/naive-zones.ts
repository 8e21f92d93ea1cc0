// The zones as their documentation has them, made the long way from all entries at once: the judge of what DNS answers.
//
// In      all entries of a directory, as attributes by lower-case name; this host's name and addresses
// Out     the answer to a question, as lines of a zone file in order; of SOA only that it is there
// Limits  plain DNs without escapes, values in the text that zone files are printed in, Ed25519 keys: what the tests make
// Never   calls what it judges: neither the records nor the walk to an authority, nor the functions for names and DNs
// docs: docs/dns.md; RFC 1034 §4.3.2, RFC 4592 §2

import { createHash } from 'node:crypto';
import type { NaiveEntry } from './naive-tables.ts';

export interface NaiveAnswer {
  readonly result: 'outside' | 'referral' | 'no-name' | 'no-data' | 'found';
  readonly lines: readonly string[];
}

interface Host {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly services: readonly (readonly [service: string, port: string])[];
  readonly preference: string;
}

interface Key {
  readonly selector: string;
  readonly domain: string | undefined;
  readonly state: string;
  readonly public: string;
}

interface Line {
  readonly type: string;
  readonly data: string;
}

interface Standing {
  readonly apex: string | undefined;
  readonly cut: string | undefined;
  readonly authority: 'ours' | 'updatable' | 'theirs';
}

const SITE_TYPES = ['A', 'AAAA', 'MX', 'NS', 'CNAME', 'TXT', 'SRV', 'CAA', 'TLSA', 'PTR'];
const SERVICES = ['submissions', 'submission', 'imaps', 'imap', 'pop3s', 'pop3'];

/** `a.b.c` -> `c`, `b.c`, `a.b.c` */
const fromTop = (name: string): string[] => {
  const labels = name.split('.');
  return labels.map((_, at) => labels.slice(labels.length - 1 - at).join('.'));
};
const isBelow = (name: string, above: string): boolean => name.endsWith(`.${above}`);
const isAtOrBelow = (name: string, above: string): boolean => name === above || isBelow(name, above);
const values = (entry: NaiveEntry | undefined, name: string): readonly string[] =>
  entry?.values.get(name.toLowerCase()) ?? [];
const is = (entry: NaiveEntry | undefined, name: string): boolean =>
  values(entry, 'objectClass').some((value) => value.toLowerCase() === name.toLowerCase());
const tagOf = (text: string): string | undefined => /^"?(v=[^\s;"]*)/i.exec(text)?.[1]?.toLowerCase();
/** As zone files print a text: in strings of 255 octets. */
const txt = (text: string): Line => ({
  type: 'TXT',
  data: (text.match(/.{1,255}/g) ?? ['']).map((part) => `"${part}"`).join(' '),
});

export class NaiveZones {
  readonly #nodes = new Map<string, NaiveEntry>();
  readonly #hosts: Host[] = [];
  readonly #keys: Key[] = [];
  readonly #secondaries: string[] = [];
  readonly #primaries: string[] = [];
  readonly #owners: ReadonlySet<string>;

  constructor(
    entries: readonly NaiveEntry[],
    own: { readonly hostname: string; readonly addresses: readonly string[] },
  ) {
    for (const entry of entries) {
      const rdns = entry.dn.toLowerCase().split(',');
      if (rdns.at(-1) === 'o=internet' && rdns.length > 1 && rdns.slice(0, -1).every((rdn) => rdn.startsWith('dc=')))
        this.#nodes.set(
          rdns
            .slice(0, -1)
            .map((rdn) => rdn.slice(3))
            .join('.'),
          entry,
        );
      const name = rdns[0]!.slice(3);
      if (rdns[1] === 'ou=hosts' && is(entry, 'waypostHost')) this.#hosts.push(hostOf(name, entry));
      if (rdns[1] === 'ou=hosts' && is(entry, 'waypostNameServer')) {
        if (values(entry, 'waypostNameServerRole')[0] === 'secondary') this.#secondaries.push(name);
        else this.#primaries.push(...values(entry, 'waypostZone'));
      }
      if (rdns[1] === 'ou=keys') this.#keys.push(keyOf(name, entry));
    }
    const at = this.#hosts.findIndex(({ name }) => name === own.hostname);
    const said = at < 0 ? hostOf(own.hostname, { dn: '', values: new Map() }) : this.#hosts.splice(at, 1)[0]!;
    this.#hosts
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .unshift({
        ...said,
        addresses: said.addresses.length > 0 ? said.addresses : own.addresses,
        services:
          said.services.length > 0
            ? said.services
            : [
                ['smtp', '25'],
                ['dns', '53'],
              ],
      });
    this.#keys.sort((one, other) => (one.selector < other.selector ? -1 : 1));
    this.#owners = this.#allOwners();
  }

  /** Of all domains. */
  domains(): readonly string[] {
    return [...this.#nodes.keys()].filter((name) => this.#kind(name) !== undefined);
  }

  /** Names that entries or what is made of them stand at. */
  owners(): readonly string[] {
    return [...this.#owners];
  }

  standing(name: string): Standing {
    let apex: string | undefined;
    let cut: string | undefined;
    let authority: Standing['authority'] = 'ours';
    let isTheirs = false;
    const wanted = (each: string) => {
      if (isTheirs) return 'theirs';
      return this.#primaries.some((zone) => isAtOrBelow(each, zone)) ? 'updatable' : 'ours';
    };
    for (const each of fromTop(name)) {
      const node = this.#nodes.get(each);
      if (values(node, 'waypostZoneAuthority').some((word) => word.toLowerCase() === 'theirs')) isTheirs = true;
      const isDomain = this.#kind(each) !== undefined;
      const isMarked = isDomain && values(node, 'waypostApex')[0] === 'TRUE';
      const isMine = wanted(each) === 'ours';
      if (apex === undefined && (cut === undefined ? isDomain && isMine : isMarked && isMine)) {
        apex = each;
        cut = undefined;
      } else if (apex !== undefined && values(node, 'nSRecord').length > 0 && !(isMarked && isMine)) {
        cut = each;
        apex = undefined;
      } else if (apex !== undefined && isMarked) apex = each;
    }
    if (apex === undefined) {
      authority = wanted(name);
      if (authority === 'ours' && cut !== undefined) authority = 'theirs';
    }
    return { apex, cut: apex === undefined ? cut : undefined, authority };
  }

  answer(name: string, type: string): NaiveAnswer {
    const aliases: string[] = [];
    const seen: string[] = [];
    for (let at = name; ; ) {
      const { apex, cut } = this.standing(at);
      if (cut !== undefined)
        return { result: 'referral', lines: [...aliases, ...this.#lines(cut, this.#site(cut, 'NS'))].sort() };
      if (apex === undefined)
        return aliases.length === 0 ? { result: 'outside', lines: [] } : { result: 'found', lines: aliases.sort() };
      const records = this.#exists(at, apex) ? this.#records(at, apex) : this.#byWildcard(at, apex);
      const lines = this.#lines(at, records ?? [], records === undefined ? undefined : this.#ttlAt(at, apex));
      const alias = records?.find((record) => record.type === 'CNAME');
      const found = lines.filter((_, n) => records![n]!.type === type);
      if (alias !== undefined && type !== 'CNAME') {
        aliases.push(lines[records!.indexOf(alias)]!);
        seen.push(at);
        at = alias.data.slice(0, -1).toLowerCase();
        if (seen.includes(at) || aliases.length > 8) return { result: 'found', lines: aliases.sort() };
      } else if (found.length > 0) return { result: 'found', lines: [...aliases, ...found].sort() };
      else return { result: records === undefined ? 'no-name' : 'no-data', lines: aliases.sort() };
    }
  }

  #lines(owner: string, records: readonly Line[], ttl = this.#ttl(owner)): string[] {
    return records.map(({ type, data }) => `${owner}. ${ttl} IN ${type}${type === 'SOA' ? '' : ` ${data}`}`);
  }

  /** What is said of the wildcard holds for names that it stands for. */
  #ttlAt(name: string, apex: string): string {
    const owner = this.#exists(name, apex) ? name : `*.${this.#encloser(name, apex)}`;
    return this.#ttl(owner);
  }

  /** An entry that says no records has no say over those that are made at its name. */
  #ttl(name: string): string {
    const says = this.#kind(name) !== undefined || SITE_TYPES.some((type) => this.#site(name, type).length > 0);
    return (says ? values(this.#nodes.get(name), 'dNSTTL')[0] : undefined) ?? '300';
  }

  #byWildcard(name: string, apex: string): readonly Line[] | undefined {
    const wildcard = `*.${this.#encloser(name, apex)}`;
    return this.#exists(wildcard, apex) ? this.#records(wildcard, apex) : undefined;
  }

  #encloser(name: string, apex: string): string {
    return fromTop(name).findLast(
      (each) => each !== name && (each === apex || (isBelow(each, apex) && this.#exists(each, apex))),
    )!;
  }

  #exists(name: string, apex: string): boolean {
    if (name === apex || this.#owners.has(name)) return true;
    return this.owners().some((owner) => isBelow(owner, name));
  }

  #records(name: string, apex: string): readonly Line[] {
    const made: Line[] = [];
    if (name === apex) {
      made.push({ type: 'SOA', data: '' });
      const servers = this.#hosts.filter((host) => has(host, 'dns')).map((host) => host.name);
      for (const server of [...servers, ...this.#secondaries]) made.push({ type: 'NS', data: `${server}.` });
    }
    const domain = this.#domainOf(name);
    if (domain !== undefined) made.push(...(this.#madeFor(domain).get(name) ?? []));
    for (const host of this.#hosts.filter(({ services }) => services.length > 0)) {
      if (host.name === name) {
        made.push(...addressesOf(host));
        if (this.#kind(name) === undefined) made.push(txt('v=spf1 a -all'));
      }
      for (const key of this.#published(host.name))
        if (name === `${key.selector}._domainkey.${host.name}`) made.push(dkim(key));
    }
    const said = SITE_TYPES.flatMap((type) => this.#site(name, type));
    const alias = said.find(({ type }) => type === 'CNAME');
    if (alias !== undefined) return [alias];
    const kept = made.filter(({ type, data }) => {
      const same = said.filter((one) => one.type === type);
      if (type === 'TXT') return !same.some((one) => tagOf(one.data) !== undefined && tagOf(one.data) === tagOf(data));
      if (type === 'MX') return same.length === 0 || data !== '0 .';
      return same.length === 0;
    });
    const all = new Map([...kept, ...said].map((line) => [`${line.type} ${line.data}`, line]));
    return [...all.values()];
  }

  #site(name: string, type: string): Line[] {
    return values(this.#nodes.get(name), `${type}Record`).map((data) => ({ type, data }));
  }

  #kind(name: string): 'mail' | 'none' | undefined {
    const node = this.#nodes.get(name);
    if (!/^[a-z0-9.-]+$/.test(name)) return undefined;
    if (is(node, 'mailDomain') || is(node, 'inetDomainAlias')) return 'mail';
    return is(node, 'inetDomain') ? 'none' : undefined;
  }

  /** The nearest domain at or above, with no delegation between. */
  #domainOf(name: string): string | undefined {
    return fromTop(name).findLast((each) => this.#kind(each) !== undefined);
  }

  #published(domain: string): readonly Key[] {
    const own = this.#keys.filter((key) => key.domain === domain);
    if (own.some(({ state }) => state !== 'new')) return own;
    return [...own, ...this.#keys.filter((key) => key.domain === undefined)];
  }

  /** All that is made for a domain, by owner. */
  #madeFor(domain: string): ReadonlyMap<string, readonly Line[]> {
    const node = this.#nodes.get(domain);
    const hasMail = this.#kind(domain) === 'mail';
    const omitted = values(node, 'waypostOmitRecord').map((word) => word.toLowerCase());
    const made = new Map<string, Line[]>();
    const put = (kind: string, owner: string, ...lines: readonly Line[]) => {
      const name = owner === '' ? domain : `${owner}.${domain}`;
      if (!omitted.includes(kind) && lines.length > 0) made.set(name, [...(made.get(name) ?? []), ...lines]);
    };
    const exchanges = this.#exchanges(domain);
    const dmarcs = fromTop(domain).map((each) =>
      this.#kind(each) ? values(this.#nodes.get(each), 'waypostDmarc')[0] : undefined,
    );
    if (!hasMail) {
      put('mx', '', { type: 'MX', data: '0 .' });
      put('spf', '', txt('v=spf1 -all'));
      put('dmarc', '_dmarc', txt(dmarcs.at(-1) ?? 'v=DMARC1; p=reject'));
      return made;
    }
    put('mx', '', ...exchanges);
    const named = new Set(
      [...(omitted.includes('mx') ? [] : exchanges), ...this.#site(domain, 'MX')].map(({ data }) =>
        data.split(' ')[1]!.slice(0, -1),
      ),
    );
    const others = this.#hosts.filter(({ name, services }) => services.length > 0 && !named.has(name));
    put('spf', '', txt(['v=spf1 mx', ...others.map(({ name }) => `a:${name}`), '~all'].join(' ')));
    for (const key of this.#published(domain)) put('dkim', `${key.selector}._domainkey`, dkim(key));
    put('dmarc', '_dmarc', txt(dmarcs.findLast((each) => each !== undefined) ?? 'v=DMARC1; p=none'));
    for (const service of SERVICES)
      for (const host of this.#hosts)
        for (const [word, port] of host.services)
          if (word === service) put('srv', `_${service}._tcp`, { type: 'SRV', data: `0 1 ${port} ${host.name}.` });
    const [mode] = values(node, 'waypostMtaSts');
    if (mode !== undefined) {
      const hosts = [...named].sort().map((host) => `mx: ${host}\r\n`);
      const policy = `version: STSv1\r\nmode: ${mode}\r\n${hosts.join('')}max_age: 604800\r\n`;
      put('', '_mta-sts', txt(`v=STSv1; id=${createHash('sha256').update(policy).digest('hex').slice(0, 16)}`));
      put('', 'mta-sts', ...this.#hosts.filter((host) => has(host, 'https')).flatMap(addressesOf));
    }
    const [report] = values(node, 'waypostTlsReport');
    if (report !== undefined) put('', '_smtp._tls', txt(`v=TLSRPTv1; rua=${report}`));
    return made;
  }

  #exchanges(domain: string): readonly Line[] {
    const named = values(this.#nodes.get(domain), 'mailRoutingHosts');
    const hosts = named.length > 0 ? named : this.#hosts.filter((host) => has(host, 'smtp')).map(({ name }) => name);
    return hosts.map((name) => {
      const preference = this.#hosts.find((host) => host.name === name)?.preference ?? '10';
      return { type: 'MX', data: `${preference} ${name}.` };
    });
  }

  #allOwners(): ReadonlySet<string> {
    const owners = new Set<string>();
    for (const name of this.#nodes.keys())
      if (this.#kind(name) !== undefined || SITE_TYPES.some((type) => this.#site(name, type).length > 0))
        owners.add(name);
    for (const domain of this.domains()) for (const owner of this.#madeFor(domain).keys()) owners.add(owner);
    for (const { name, services } of this.#hosts) {
      if (services.length === 0) continue;
      owners.add(name);
      for (const key of this.#published(name)) owners.add(`${key.selector}._domainkey.${name}`);
    }
    return owners;
  }
}

const has = ({ services }: Host, service: string): boolean => services.some(([word]) => word === service);
const dkim = (key: Key): Line => txt(`v=DKIM1; k=ed25519; p=${key.public}`);
const addressesOf = ({ addresses }: Host): Line[] =>
  addresses.map((data) => ({ type: data.includes(':') ? 'AAAA' : 'A', data }));

const hostOf = (name: string, entry: NaiveEntry): Host => ({
  name,
  addresses: values(entry, 'waypostHostAddress'),
  services: values(entry, 'waypostHostService').map((text) => text.split(' ') as [string, string]),
  preference: values(entry, 'waypostHostPreference')[0] ?? '10',
});

const keyOf = (selector: string, entry: NaiveEntry): Key => ({
  selector,
  domain: values(entry, 'waypostKeyDomain')[0],
  state: values(entry, 'waypostKeyState')[0] ?? 'signing',
  public: values(entry, 'waypostKeyPublic')[0]!,
});
