// Which domain an entry makes a mail domain: asked for DNS, for routing and by the guards of a change.

import { asciiLower } from '../base/characters.ts';
import { isValidDomain } from '../message/address.ts';
import { domainOfDcDn } from './dn.ts';
import { type Entry, hasClass } from './entry.ts';

/** The classes whose entries are mail domains, as long as they are in the DC tree. */
export const DOMAIN_CLASSES = ['mailDomain', 'inetDomainAlias'] as const;

/** A node of this class that is no mail domain is a domain without mail. */
const BARE_DOMAIN = 'inetDomain';

/** The classes whose entries routing has rows for. */
export const ROUTED_CLASSES = [...DOMAIN_CLASSES, BARE_DOMAIN] as const;

const DOMAIN_KEYS = DOMAIN_CLASSES.map(asciiLower);
const BARE_KEY = asciiLower(BARE_DOMAIN);

/** Whether this entry says that it is a mail domain, wherever it stands. */
export function hasDomainClass(entry: Entry): boolean {
  return DOMAIN_KEYS.some((key) => hasClass(entry, key));
}

/** The domain that this entry makes a mail domain, undefined when it makes none. */
export function mailDomainOf(entry: Entry): string | undefined {
  return hasDomainClass(entry) ? domainAt(entry) : undefined;
}

/** The domain that this entry says takes no mail, undefined when it says that of none. */
export function bareDomainOf(entry: Entry): string | undefined {
  return hasClass(entry, BARE_KEY) && !hasDomainClass(entry) ? domainAt(entry) : undefined;
}

function domainAt(entry: Entry): string | undefined {
  const domain = domainOfDcDn(entry.normalizedDn);
  return domain !== undefined && isValidDomain(domain) ? domain : undefined;
}
