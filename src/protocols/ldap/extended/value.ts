// The value of an extended request, or the result that refuses one which does not parse.

import { SyntaxFailure } from '../../../base/cursor.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';

export function decoded<T>(decode: () => T): { readonly value: T } | { readonly refused: LdapResult } {
  try {
    return { value: decode() };
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error;
    return { refused: result('protocolError', error.message) };
  }
}
