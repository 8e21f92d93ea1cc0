// Whether a value names nothing outside a domain: an LDAP URL by its base and what is below, an address by its domain, else a DN.
//
// In      a value; the domains that it may name
// Out     yes, or no for all that cannot be read

import { asciiLower } from '../../base/characters.ts';
import { TENANT } from '../../base/tenant.ts';
import { tryParseAddress } from '../../message/address.ts';
import { dcDnOfDomain } from '../dn.ts';
import type { AttributeValue } from '../entry.ts';
import { isLdapUrl, parseLdapUrl } from '../ldap-url.ts';
import { DOMAIN_CLASSES } from '../mail-domain.ts';
import { prepareFor } from '../matching.ts';
import { type Domains, type OwnDomain, ownDomainsOf, shareDomain, treePathOf } from './domains.ts';
import type { Look } from './look.ts';

const MAILTO = 'mailto:';

export function* isOwnValue(value: AttributeValue, own: readonly OwnDomain[], known: Domains): Look<boolean> {
  if (typeof value !== 'string') return false;
  const text = value.trim();
  const parsed = isLdapUrl(text) ? parseLdapUrl(text) : undefined;
  const url = parsed !== undefined && 'url' in parsed ? parsed.url : undefined;
  const dn = parsed === undefined ? namedIn(text) : url?.base;
  if (dn === undefined || !shareDomain(own, yield* ownDomainsOf(dn, known))) return false;
  return url === undefined || url.scope === 'base' || !(yield* hasOthersBelow(dn, own));
}

const OTHERS_BELOW = `SELECT path FROM dit_index JOIN dit ON dit.id = dit_index.entry
    WHERE dit_index.tenant = ?1 AND attribute = 'objectclass' AND value IN (SELECT value FROM json_each(?2))
      AND path > ?3 AND path < ?4 AND path NOT IN (SELECT value FROM json_each(?5))
  UNION ALL SELECT path FROM dit_index base JOIN dit ON dit.id = base.entry
    WHERE base.tenant = ?1 AND base.attribute = 'inetdomainbasedn' AND substr(base.value, -length(?6)) = ?6
      AND path NOT IN (SELECT value FROM json_each(?5)) AND EXISTS (SELECT 1 FROM dit_index class
        WHERE class.tenant = ?1 AND class.attribute = 'objectclass' AND class.value IN (SELECT value FROM json_each(?2))
          AND class.entry = base.entry) LIMIT 1`;

/** A domain is a boundary where its entry stands and where its people are. Looks at each domain's rows. */
function* hasOthersBelow(dn: string, own: readonly OwnDomain[]): Look<boolean> {
  const path = treePathOf(dn);
  const paths = JSON.stringify(own.map((each) => treePathOf(each.dn)));
  const classes = JSON.stringify(DOMAIN_CLASSES.map((name) => prepareFor('objectIdentifierMatch', name)));
  return (yield [OTHERS_BELOW, TENANT, classes, path, `${path.slice(0, -1)}-`, paths, `,${dn}`]).length > 0;
}

/** The normalized DN of what it names. */
function namedIn(value: string): string | undefined {
  const isUrl = asciiLower(value.slice(0, MAILTO.length)) === MAILTO;
  const address = tryParseAddress(isUrl ? value.slice(MAILTO.length) : value);
  const dn = address === undefined ? value : dcDnOfDomain(address.domain);
  return prepareFor('distinguishedNameMatch', dn);
}
