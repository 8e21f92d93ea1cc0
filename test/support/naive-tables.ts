// The routing and the alias table as their documentation has them, compiled the long way: the judge of the compiler.
//
// In      all entries of a directory, as attributes by lower-case name
// Out     what each domain, entry and address comes to
// Limits  plain DNs without escapes, addresses without quotes, access rules that parse, of IPv4 alone, URLs whose filter needs
//         no reading, rules and keywords that a guard has let in: what the tests make
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
  /** Rules, channels, hosts and policies by kind and key: `host mail2.example`. */
  readonly settings: Readonly<Record<string, object>>;
}

/** `OU = Org , o=Internet` -> `ou=org,o=internet` */
function plainDn(dn: string): string {
  const rdns = dn.split(',').map((rdn) => rdn.split('=').map((side) => side.trim().replaceAll(/ +/g, ' ')));
  return rdns.map((sides) => sides.join('=').toLowerCase()).join(',');
}

const isAddress = (text: string): boolean => /^[a-z0-9.-]+@[a-z0-9.-]+$/i.test(text);
const domainOf = (address: string): string => address.slice(address.indexOf('@') + 1);

export function naiveTables(entries: readonly NaiveEntry[]): NaiveTables {
  const routes: Record<string, { base: string; aliasOf?: string | undefined; isWithoutMail?: true }> = {};
  for (const entry of entries) {
    const domain = is(entry, 'inetDomain') ? dcName(entry.dn) : '';
    if (domain !== '') routes[domain] = { base: '', isWithoutMail: true };
  }
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
  return { routes, aliases, recipients, settings: naiveSettings(entries) };
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
    ...naiveArrival(entry),
    ...naiveAccess(entry, 'mailDomainAllowedServiceAccess'),
    ...(catchall === undefined ? {} : { catchall: `${catchall.split('@')[0]}@${domainOf(catchall).toLowerCase()}` }),
  };
}

/** One that a message has brought takes nothing until its record has been seen. */
function naiveArrival(entry: NaiveEntry): object {
  if (!values(entry, 'waypostDomainOrigin').includes('message')) return {};
  const isComing = values(entry, 'waypostDomainState').some((state) => state !== 'active');
  return { isBrought: true, ...some('isComing', isComing || undefined) };
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
  const urls = [...values(entry, 'memberURL'), ...values(entry, 'mgrpDeliverTo')].map(plainUrl);
  const rules = naiveListRules(entry);
  return {
    ...statuses(entry, { inetMailGroupStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed'] }),
    ...some('disabledText', values(entry, 'mailRejectText')[0]),
    ...some('urls', urls.length === 0 ? undefined : urls),
    ...some('rules', Object.keys(rules).length === 0 ? undefined : { ...rules, ...rejectText(entry) }),
  };
}

const some = (key: string, value: unknown): object => (value === undefined ? {} : { [key]: value });

/** A text for who is refused alone is no rule. */
const rejectText = (entry: NaiveEntry): object =>
  some('rejectText', [...values(entry, 'mgrpMsgRejectText'), ...values(entry, 'mailRejectText')][0]);

function naiveListRules(entry: NaiveEntry): object {
  const parties = (name: string): object[] | undefined => {
    const found = values(entry, name);
    return found.length === 0 ? undefined : found.map(naiveParty);
  };
  const domains = (name: string): string[] | undefined => {
    const found = values(entry, name);
    return found.length === 0 ? undefined : found.map((text) => text.toLowerCase());
  };
  const policy = values(entry, 'mgrpBroadcasterPolicy').flatMap((text) => text.toUpperCase().split(/[, ]+/));
  const [size] = values(entry, 'mgrpMsgMaxSize').map(Number);
  // The list itself is nobody to ask.
  const own = values(entry, 'mail').map((text) => text.trim().toLowerCase());
  const isItself = (party: { dn?: string; address?: string }): boolean =>
    party.dn === plainDn(entry.dn) || own.includes(party.address ?? '');
  const moderators = parties('mgrpModerator')?.filter((party) => !isItself(party));
  const [action = ''] = values(entry, 'mgrpMsgRejectAction');
  return {
    ...some('authenticated', policy.includes('SMTP_AUTH_REQUIRED') || policy.includes('AUTH_REQ') || undefined),
    ...some('either', policy.includes('OR') || undefined),
    ...some('allowedBroadcasters', parties('mgrpAllowedBroadcaster')),
    ...some('disallowedBroadcasters', parties('mgrpDisallowedBroadcaster')),
    ...some('allowedDomains', domains('mgrpAllowedDomain')),
    ...some('disallowedDomains', domains('mgrpDisallowedDomain')),
    ...some('sizeMax', size !== undefined && size > 0 ? size : undefined),
    ...some('moderators', moderators),
    ...some('toModerator', (moderators !== undefined && action.toLowerCase() === 'tomoderator') || undefined),
  };
}

function naiveParty(text: string): object {
  if (text.startsWith('ldap:')) return { url: plainUrl(text) };
  const [, address] = /^(?:mailto:)?([^=]+@[^?]+)/.exec(text) ?? [];
  return address === undefined ? { dn: plainDn(text) } : { address };
}

/** `ldap:///BASE?ignored?SCOPE?FILTER` */
function plainUrl(text: string): object {
  const [base, , scope, filter] = text.slice('ldap:///'.length).split('?');
  return { base: plainDn(base!), scope: scope || 'base', filter: filter || '(objectClass=*)' };
}

/** What counts is where an entry stands: right below its container. */
function naiveSettings(entries: readonly NaiveEntry[]): Record<string, object> {
  const settings: Record<string, object> = {};
  for (const entry of entries) {
    const [rdn, container, ...rest] = plainDn(entry.dn).split(',');
    if (rest.join(',') !== 'ou=waypost,o=internet') continue;
    const dn = entry.dn;
    const name = rdn!.slice('cn='.length);
    if (container === 'ou=hosts' && is(entry, 'waypostHost')) settings[`host ${name}`] = { dn, ...naiveHost(entry) };
    if (container === 'ou=channels' && is(entry, 'waypostChannel'))
      settings[`channel ${name}`] = { dn, ...naiveChannel(entry) };
    if (container === 'ou=rules' && is(entry, 'waypostRewriteRule'))
      settings[`rule ${plainDn(dn)}`] = { dn, ...naiveRule(entry) };
    if (container === 'ou=policies' && is(entry, 'waypostDomainPolicy'))
      settings[`policy ${plainDn(dn)}`] = { dn, ...naivePolicy(entry) };
  }
  return settings;
}

const naiveHost = (entry: NaiveEntry): object => ({
  addresses: values(entry, 'waypostHostAddress')
    .map((text) => text.toLowerCase())
    .filter((text) => /^[0-9.]+$|^[0-9a-f]*:[0-9a-f:]*$/.test(text)),
  port: Number(values(entry, 'waypostHostPort')[0] ?? 25),
});

const naiveRule = (entry: NaiveEntry): object => ({
  name: values(entry, 'cn')[0],
  order: Number(values(entry, 'waypostOrder')[0] ?? 100),
  pattern: values(entry, 'waypostPattern')[0],
  template: values(entry, 'waypostTemplate')[0],
  isEnabled: values(entry, 'waypostEnabled')[0] !== 'FALSE',
});

const naivePolicy = (entry: NaiveEntry): object => {
  const isTrue = (name: string): true | undefined => values(entry, name)[0] === 'TRUE' || undefined;
  return {
    name: values(entry, 'cn')[0],
    order: Number(values(entry, 'waypostPolicyOrder')[0] ?? 100),
    domains: values(entry, 'waypostMatchDomain').map((text) => text.trim().toLowerCase()),
    ...some('isParentOurs', isTrue('waypostMatchParent')),
    ...some('hasToken', values(entry, 'waypostMatchToken').length > 0 || undefined),
    action: values(entry, 'waypostPolicyAction')[0]!.toLowerCase(),
    ...some('allowsWildcard', isTrue('waypostAllowWildcard')),
    ...some('hasCustody', isTrue('waypostCustody')),
  };
};

function naiveChannel(entry: NaiveEntry): object {
  const keywords = values(entry, 'waypostKeyword');
  const words = new Map(keywords.map((text) => [text.split(' ')[0]!, text.split(' ').slice(1)]));
  const first = (word: string): number | undefined => (words.has(word) ? Number(words.get(word)![0]) : undefined);
  const times = (word: string): number[] | undefined => words.get(word)?.map(milliseconds);
  const required = words.has('musttls') || words.has('required') ? 'required' : undefined;
  return {
    channelKind: values(entry, 'waypostChannelKind')[0]!.toLowerCase(),
    keywords,
    isPaused: values(entry, 'waypostPaused')[0] === 'TRUE',
    ...some('isNoMx', words.has('nomx') || undefined),
    ...some('daemon', words.get('daemon')?.join(',')),
    ...some('port', first('port')),
    ...some('tls', words.has('notls') ? 'off' : required),
    ...some('backoffMs', times('backoff')),
    ...some('noticesMs', times('notices')),
    ...some('maxJobs', first('maxjobs')),
    ...some(
      'sizeMax',
      words.has('blocklimit') ? Number.parseInt(words.get('blocklimit')![0]!, 10) * 1024 ** 2 : undefined,
    ),
  };
}

/** `5m` */
function milliseconds(text: string): number {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
  return Number.parseInt(text, 10) * units[text.at(-1)!]! * 1000;
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
