// Whether a value names nothing outside a domain: an LDAP URL by its base, an address by its domain, else a DN.
//
// In      a value; the domains that it may name
// Out     yes, or no for all that cannot be read

import { asciiLower } from '../../base/characters.ts';
import { tryParseAddress } from '../../message/address.ts';
import { dcDnOfDomain } from '../dn.ts';
import type { AttributeValue } from '../entry.ts';
import { isLdapUrl, parseLdapUrl } from '../ldap-url.ts';
import { prepareFor } from '../matching.ts';
import { type Domains, type OwnDomain, ownDomainsOf, shareDomain } from './domains.ts';
import type { Look } from './look.ts';

const MAILTO = 'mailto:';

export function* isOwnValue(value: AttributeValue, own: readonly OwnDomain[], known: Domains): Look<boolean> {
  const dn = typeof value === 'string' ? namedIn(value.trim()) : undefined;
  return dn !== undefined && shareDomain(own, yield* ownDomainsOf(dn, known));
}

/** The normalized DN of what it names. */
function namedIn(value: string): string | undefined {
  if (isLdapUrl(value)) {
    const parsed = parseLdapUrl(value);
    return 'url' in parsed ? parsed.url.base : undefined;
  }
  const isUrl = asciiLower(value.slice(0, MAILTO.length)) === MAILTO;
  const address = tryParseAddress(isUrl ? value.slice(MAILTO.length) : value);
  const dn = address === undefined ? value : dcDnOfDomain(address.domain);
  return prepareFor('distinguishedNameMatch', dn);
}
