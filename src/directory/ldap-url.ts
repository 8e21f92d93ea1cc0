// LDAP URLs of this directory: `ldap:///BASE?ignored?SCOPE?FILTER`, as memberURL and mgrpDeliverTo hold them.
//
// In      a value
// Out     base, scope and filter text, or the reason why it is none
// Limits  URL_LENGTH_MAX characters; the filter as any other, see wire/ldap/filter-text.ts
// Never   another host's: the part that names one must be empty. Which attributes it asks for means nothing
// RFC 4516; without a scope `base`, without a filter `(objectClass=*)`

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import type { SearchScope } from '../wire/ldap/operations/search.ts';
import { normalizeDn } from './dn.ts';
import type { Entry } from './entry.ts';
import { askingNoSecrets, compileFilter, type MatchContext } from './match.ts';

export interface LdapUrl {
  /** Normalized DN. */
  readonly base: string;
  readonly scope: SearchScope;
  /** A text that parseFilter takes. */
  readonly filter: string;
}

const URL_LENGTH_MAX = 4096;
const SCHEME = 'ldap://';
const SCOPES: readonly string[] = ['base', 'one', 'sub'] satisfies SearchScope[];

export function isLdapUrl(value: string): boolean {
  return asciiLower(value.slice(0, 5)) === 'ldap:';
}

export function parseLdapUrl(value: string): { readonly url: LdapUrl } | { readonly problem: string } {
  if (value.length > URL_LENGTH_MAX) return { problem: `is longer than ${URL_LENGTH_MAX} characters` };
  if (asciiLower(value.slice(0, SCHEME.length)) !== SCHEME) return { problem: 'is not an ldap:/// URL' };
  const rest = value.slice(SCHEME.length);
  if (!rest.startsWith('/')) return { problem: 'names another host' };
  const parts = rest.slice(1).split('?').map(decoded);
  if (parts.length > 5 || !parts.every((part) => part !== undefined)) return { problem: 'is not an ldap:/// URL' };
  const [dn = '', , scope = '', filter = '', extensions = ''] = parts;
  // An extension that must be known is known to nobody here. RFC 4516 §2
  if (extensions.split(',').some((extension) => extension.startsWith('!')))
    return { problem: 'has a critical extension' };
  const base = normalized(dn);
  if (base === undefined || base === '') return { problem: 'has no base DN' };
  const asked = scope === '' ? 'base' : asciiLower(scope);
  if (!SCOPES.includes(asked)) return { problem: `has a scope that is none of ${SCOPES.join(', ')}` };
  const text = filter === '' ? '(objectClass=*)' : filter;
  const wrong = wrongOf(text);
  return wrong === undefined
    ? { url: { base, scope: asked as SearchScope, filter: text } }
    : { problem: `has a broken filter: ${wrong}` };
}

/** Whether an entry of this normalized DN lies where the URL looks. */
export function liesIn({ base, scope }: LdapUrl, dn: string): boolean {
  if (dn === base) return scope !== 'one';
  if (scope === 'base' || !dn.endsWith(`,${base}`)) return false;
  // In a normalized DN each comma is a border.
  return scope === 'sub' || !dn.slice(0, -base.length - 1).includes(',');
}

/** Whether the entry matches the URL's filter. */
export function fits({ filter }: LdapUrl, entry: Entry, context: MatchContext): boolean {
  return compileFilter(parseFilter(filter))(entry, askingNoSecrets(context)) === true;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

function normalized(dn: string): string | undefined {
  try {
    return normalizeDn(dn);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

function wrongOf(filter: string): string | undefined {
  try {
    parseFilter(filter);
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}
