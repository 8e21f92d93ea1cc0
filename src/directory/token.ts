// The values of waypostToken: what is kept of a token, never the token itself.
//
// A value   `name$scopes$created$expires$sha256`: scopes joined by commas, times as generalizedTime, `expires` empty for
//           never, the hash of the whole token in hexadecimal digits
// Limits    a name of 1 to 64 characters without `$` and control characters, no blank at its ends
// Never     a token that does not parse: such a value gives access to nothing. To the second: older digits are cut off

import type { AttributeValue, Entry } from './entry.ts';
import { formatGeneralizedTime, generalizedTimeToMs } from './scalars.ts';

/** The attribute's key in Attributes, and in the index. */
export const TOKEN_KEY = 'wayposttoken';
export const TOKEN_ATTRIBUTE = 'waypostToken';

/** What a token may be used for: the services that take it as a password, and `/v1`. */
export const TOKEN_SCOPES = ['imap', 'pop', 'smtp', 'ldap', 'api'] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

export interface StoredToken {
  /** One of the account's names for its tokens. */
  readonly name: string;
  /** At least one, in the order of TOKEN_SCOPES. */
  readonly scopes: readonly TokenScope[];
  /** Epoch milliseconds of a whole second. */
  readonly createdAt: number;
  /** The same; from then on it is worth nothing. Undefined: never. */
  readonly expiresAt: number | undefined;
  /** SHA-256 of the token, 64 hexadecimal digits in lower case. */
  readonly hash: string;
}

const NAME_LENGTH_MAX = 64;
const HASH_LENGTH = 64;
const HEX = '0123456789abcdef';

export function formatTokenValue({ name, scopes, createdAt, expiresAt, hash }: StoredToken): string {
  const expires = expiresAt === undefined ? '' : formatGeneralizedTime(expiresAt);
  return [name, scopes.join(','), formatGeneralizedTime(createdAt), expires, hash].join('$');
}

/** Undefined for what is no such value. */
export function parseTokenValue(value: AttributeValue): StoredToken | undefined {
  if (typeof value !== 'string') return undefined;
  const [name, scopeText, created, expires, hash, ...rest] = value.split('$');
  if (hash === undefined || rest.length > 0 || !isTokenName(name!) || !isHash(hash)) return undefined;
  const scopes = scopeText!.split(',');
  const known = TOKEN_SCOPES.filter((scope) => scopes.includes(scope));
  if (known.length === 0 || known.join(',') !== scopeText) return undefined;
  const createdAt = timeOf(created!);
  const expiresAt = expires === '' ? undefined : timeOf(expires!);
  if (createdAt === undefined || (expires !== '' && expiresAt === undefined)) return undefined;
  return { name: name!, scopes: known, createdAt, expiresAt, hash };
}

/** The tokens of an entry, in the order in which they were added. */
export function tokensOf(entry: Entry): readonly StoredToken[] {
  return (entry.attributes.get(TOKEN_KEY)?.values ?? []).flatMap((value) => parseTokenValue(value) ?? []);
}

export function isTokenName(name: string): boolean {
  if (name === '' || name.length > NAME_LENGTH_MAX || name.trim() !== name) return false;
  for (const c of name) {
    const code = c.codePointAt(0)!;
    if (c === '$' || code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

function isHash(text: string): boolean {
  if (text.length !== HASH_LENGTH) return false;
  for (const c of text) if (!HEX.includes(c)) return false;
  return true;
}

/** As it is written here: to the second, in UTC. */
function timeOf(text: string): number | undefined {
  const at = generalizedTimeToMs(text);
  return at !== undefined && formatGeneralizedTime(at) === text ? at : undefined;
}
