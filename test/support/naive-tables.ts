// The routing and the alias table as their documentation has them, compiled the long way: the judge of the compiler.
//
// In      all entries of a directory, as attributes by lower-case name
// Out     what each domain, entry and address comes to
// Limits  plain DNs without escapes, addresses without quotes, access rules that parse, of IPv4 alone: what the tests make
// Never   calls what it judges: neither the compiler nor the functions for DNs and addresses that it uses
// docs: src/routing/rows.ts (what a row says), docs/the-directory.md

export interface NaiveEntry {
  readonly dn: string;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export interface NaiveTables {
  /** By domain. */
  readonly routes: Readonly<Record<string, object>>;
  /** Address to DN. */
  readonly aliases: Readonly<Record<string, string>>;
  /** By DN. */
  readonly recipients: Readonly<Record<string, object>>;
}

/** `OU = Org , o=Internet` -> `ou=org,o=internet` */
function plainDn(dn: string): string {
  const rdns = dn.split(',').map((rdn) => rdn.split('=').map((side) => side.trim().replaceAll(/ +/g, ' ')));
  return rdns.map((sides) => sides.join('=').toLowerCase()).join(',');
}

const isAddress = (text: string): boolean => /^[a-z0-9.-]+@[a-z0-9.-]+$/i.test(text);
const domainOf = (address: string): string => address.slice(address.indexOf('@') + 1);

export function naiveTables(entries: readonly NaiveEntry[]): NaiveTables {
  const routes: Record<string, { base: string; aliasOf?: string | undefined }> = {};
  for (const entry of entries) {
    const domain = mailDomain(entry);
    if (domain !== undefined) routes[domain] = naiveRoute(entry);
  }
  // Names without a node of their own.
  for (const entry of entries)
    for (const name of mailDomain(entry) === undefined ? [] : values(entry, 'associatedDomain'))
      routes[name] ??= { base: '', aliasOf: mailDomain(entry) };
  const aliases: Record<string, string> = {};
  const recipients: Record<string, object> = {};
  for (const entry of entries) {
    const dn = plainDn(entry.dn);
    const kind = kindOf(entry);
    if (kind === undefined) continue;
    const addresses = addressesOf(entry, dn, ownersOf(dn, routes));
    for (const address of addresses) {
      if (aliases[address] !== undefined) throw new Error(`${address} is claimed twice`);
      aliases[address] = dn;
    }
    const [mailHost] = values(entry, 'mailHost');
    const place = mailHost === undefined ? {} : { mailHost };
    const access = naiveAccess(entry, 'mailAllowedServiceAccess');
    const more = kind === 'user' ? naiveUser(entry) : naiveGroup(entry);
    recipients[dn] = { kind, addresses, ...place, ...access, ...more };
  }
  return { routes, aliases, recipients };
}

const values = (entry: NaiveEntry, name: string): readonly string[] => entry.values.get(name.toLowerCase()) ?? [];
const is = (entry: NaiveEntry, name: string): boolean =>
  values(entry, 'objectClass').some((value) => value.toLowerCase() === name.toLowerCase());

/** Nodes of the DC tree that have one of the two classes: their labels, from the node up. */
function mailDomain(entry: NaiveEntry): string | undefined {
  if (!is(entry, 'mailDomain') && !is(entry, 'inetDomainAlias')) return undefined;
  return dcName(entry.dn) || undefined;
}

/** `''` for a DN that is none of the DC tree. */
function dcName(dn: string): string {
  const rdns = plainDn(dn).split(',');
  if (rdns.pop() !== 'o=internet' || !rdns.every((rdn) => rdn.startsWith('dc='))) return '';
  return rdns.map((rdn) => rdn.slice('dc='.length)).join('.');
}

/** Its people stand below its base, its own node where it names none. */
function naiveRoute(entry: NaiveEntry) {
  const [target] = values(entry, 'aliasedObjectName');
  const isAliasOfNothing = !is(entry, 'mailDomain') && values(entry, 'inetDomainBaseDN').length === 0;
  if (target !== undefined || isAliasOfNothing)
    return { base: '', aliasOf: target === undefined ? '' : dcName(target) };
  const [catchall] = values(entry, 'mailDomainCatchallAddress')
    .map((text) => text.trim())
    .filter(isAddress);
  return {
    base: plainDn(values(entry, 'inetDomainBaseDN')[0] ?? entry.dn),
    ...statuses(entry, {
      inetDomainStatus: ['active', 'inactive', 'deleted', 'removed'],
      mailDomainStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed', 'hold', 'overquota'],
    }),
    ...(values(entry, 'waypostRoute').includes('mx') ? { isMx: true } : {}),
    ...naiveAccess(entry, 'mailDomainAllowedServiceAccess'),
    ...(catchall === undefined ? {} : { catchall: `${catchall.split('@')[0]}@${domainOf(catchall).toLowerCase()}` }),
  };
}

/** A group that claims to be a user too is a group. */
function kindOf(entry: NaiveEntry): 'user' | 'group' | undefined {
  if (is(entry, 'inetMailGroup')) return 'group';
  return is(entry, 'inetMailUser') || is(entry, 'inetLocalMailRecipient') ? 'user' : undefined;
}

/** The domains whose base holds the DN, and no deeper base does. */
function ownersOf(dn: string, routes: Readonly<Record<string, { base: string }>>): string[] {
  const own = Object.entries(routes).filter(([, { base }]) => base !== '');
  const holding = own.filter(([, { base }]) => dn === base || dn.endsWith(`,${base}`));
  const deepest = Math.max(...holding.map(([, { base }]) => base.length));
  return holding.filter(([, { base }]) => base.length === deepest).map(([domain]) => domain);
}

/** `mail` first; case does not tell two addresses apart. The site postmaster has one without a domain. */
function addressesOf(entry: NaiveEntry, dn: string, domains: readonly string[]): string[] {
  const claimed = ['mail', 'mailAlternateAddress', 'mailEquivalentAddress']
    .flatMap((name) => values(entry, name))
    .map((text) => text.trim().toLowerCase())
    .filter((address) => isAddress(address) && domains.includes(domainOf(address)));
  const site = dn === 'uid=postmaster,ou=waypost,o=internet' ? ['postmaster'] : [];
  return [...new Set([...site, ...claimed])];
}

const naiveUser = (entry: NaiveEntry): object =>
  statuses(entry, {
    inetUserStatus: ['active', 'inactive', 'deleted', 'removed'],
    mailUserStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed', 'hold', 'overquota'],
  });

function naiveGroup(entry: NaiveEntry): object {
  const senders = values(entry, 'mgrpAllowedBroadcaster').map((text) =>
    text.includes('@') ? { address: text } : { dn: plainDn(text) },
  );
  return {
    ...statuses(entry, { inetMailGroupStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed'] }),
    ...(senders.length === 0 ? {} : { rules: { allowedBroadcasters: senders } }),
  };
}

/** One that is not legal at its level stands as it is, for a temporary failure. */
function statuses(entry: NaiveEntry, levels: Readonly<Record<string, readonly string[]>>): object {
  const found: Record<string, unknown> = {};
  for (const [name, legal] of Object.entries(levels)) {
    const [text] = values(entry, name);
    if (text === undefined) continue;
    const word = text.trim().toLowerCase();
    found[name] = legal.includes(word) ? word : { illegal: text };
  }
  return found;
}

/** `+imap,pop EXCEPT pops:192.0.2.0/24$-ALL:*` as a row has it, by splitting alone. */
function naiveAccess(entry: NaiveEntry, name: string): object {
  const [value] = values(entry, name);
  if (value === undefined) return {};
  const access = value.split('$').map((rule) => {
    const text = rule.trim();
    const [services, clients] = text.slice(1).toLowerCase().split(':');
    const service = (word: string): string => (word === 'all' ? '*' : word);
    return {
      allows: text[0] === '+',
      text,
      services: lists(services!, service),
      clients: lists(clients!, networkBits),
    };
  });
  return { access };
}

function lists(text: string, item: (word: string) => string): string[][] {
  return text.split(' except ').map((list) => list.split(',').map((word) => item(word.trim())));
}

/** `192.0.2.0/24` -> `4` and the first 24 bits. */
function networkBits(word: string): string {
  if (word === '*' || word === 'all') return '';
  const bits = (address: string): string =>
    address
      .split('.')
      .map((octet) => Number(octet).toString(2).padStart(8, '0'))
      .join('');
  const [net, length = '32'] = word.split('/');
  return `4${bits(net!).slice(0, length.includes('.') ? bits(length).lastIndexOf('1') + 1 : Number(length))}`;
}
