// Whom a value of a broadcaster or of a moderator names: a DN, `ldap:///...`, `mailto:address`, an address.
//
// In      a value
// Out     who it is, or what is wrong with it
// RFC 4516, RFC 6068

import { asciiLower } from '../base/characters.ts';
import { addressKey, formatAddress, tryParseAddress } from '../message/address.ts';
import { isLdapUrl, type LdapUrl, parseLdapUrl } from './ldap-url.ts';
import { prepareFor } from './matching.ts';

/** One that a rule or mgrpModerator names. */
export type ListParty =
  | { readonly dn: string }
  /** By addressKey; `written` where SMTP writes it otherwise. */
  | { readonly address: string; readonly written?: string }
  | { readonly url: LdapUrl };

/** The reason, where it is none. An address may hold `=`, so a DN is what is no address. */
export function partyOf(value: string): ListParty | string {
  if (isLdapUrl(value)) {
    const parsed = parseLdapUrl(value);
    return 'url' in parsed ? { url: parsed.url } : parsed.problem;
  }
  const isMailto = asciiLower(value.slice(0, 7)) === 'mailto:';
  const address = tryParseAddress(isMailto ? mailtoOf(value) : value);
  if (address !== undefined) {
    const key = addressKey(address);
    const written = formatAddress(address);
    return written === key ? { address: key } : { address: key, written };
  }
  const dn = isMailto ? undefined : prepareFor('distinguishedNameMatch', value);
  return dn === undefined || dn === '' ? 'is no DN, URL or address' : { dn };
}

/** RFC 6068: the address, percent signs decoded; what follows a question mark means nothing here. */
function mailtoOf(value: string): string {
  try {
    return decodeURIComponent(value.slice('mailto:'.length).split('?')[0]!);
  } catch {
    return '';
  }
}
