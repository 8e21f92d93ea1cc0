// Names that clients log in by: an address, a name in the domain of the server that was asked for, over LDAP a DN.
//
// In      the client and the name as it came
// Out     one key for all spellings that find the same account; what another directory is asked about it
// Over LDAP `dn:` stands before a DN, and `u:` may stand before a name: RFC 4513 §5.2.1.8

import { normalizeDn } from '../directory/dn.ts';
import type { AuthorityQuestion } from '../directory/source/authority.ts';
import { addressKey, tryParseAddress } from '../message/address.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import { LOGIN_LENGTH_MAX } from './bounds.ts';
import type { LoginClient } from './login-client.ts';

export const DN_PREFIX = 'dn:';
const NAME_PREFIX = 'u:';

/** The domain of a name without one; undefined: none. */
export type DomainOfServer = (record: ConnectionRecord) => string | undefined;

/**
 * One text for all spellings that find the same account. What a name is counted by, and the salt of one without keys, would else
 * tell a known name from an unknown one.
 */
export function loginKey(client: LoginClient, name: string, domainOf: DomainOfServer): string {
  if (name.length > LOGIN_LENGTH_MAX) return name;
  const dn = dnIn(client, name);
  if (dn !== undefined) return `${DN_PREFIX}${normalizedDn(dn) ?? dn}`;
  const full = withDomain(withoutPrefix(client, name), domainOf(client.record));
  const address = tryParseAddress(full);
  return address === undefined ? full : addressKey(address);
}

/** What another directory knows the account by; undefined for what names nobody. */
export function questionAbout(
  client: LoginClient,
  name: string,
  domainOf: DomainOfServer,
): AuthorityQuestion | undefined {
  if (name.length > LOGIN_LENGTH_MAX) return undefined;
  const dn = dnIn(client, name);
  if (dn !== undefined) {
    const found = normalizedDn(dn);
    return found === undefined ? undefined : { dn: found };
  }
  const domain = domainOf(client.record);
  const plain = withoutPrefix(client, name);
  if (domain !== undefined && !plain.includes('@')) return { uid: plain, domain };
  const address = tryParseAddress(plain);
  return address && { address: addressKey(address) };
}

/** The DN that the name is; undefined for another name. */
export function dnIn({ door }: LoginClient, name: string): string | undefined {
  return door === 'ldap' && name.startsWith(DN_PREFIX) ? name.slice(DN_PREFIX.length) : undefined;
}

export function withoutPrefix({ door }: LoginClient, name: string): string {
  return door === 'ldap' && name.startsWith(NAME_PREFIX) ? name.slice(NAME_PREFIX.length) : name;
}

/** Undefined for what is no DN. */
export function normalizedDn(dn: string): string | undefined {
  try {
    return normalizeDn(dn);
  } catch {
    return undefined;
  }
}

function withDomain(name: string, domain: string | undefined): string {
  return domain === undefined || name.includes('@') ? name : `${name}@${domain}`;
}
