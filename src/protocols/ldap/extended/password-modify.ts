// Password Modify: another password for who asks, or for somebody whose password may be written.
//
// In      a DN or an address, or nobody: who asks; the old password, which is checked where it is given; the new one
// Out     success; with the password where none was given: 16 letters and digits
// Never   over a connection where a third party can listen; for anonymous; tells an address of nobody from one of somebody
//         whose password may not be written, but to the Directory Manager
// RFC 3062

import { randomBytes } from 'node:crypto';
import { base32 } from '../../../base/base32.ts';
import { asFailure } from '../../../base/failure.ts';
import {
  generatedPassword,
  type PasswordModifyRequest,
  passwordModifyRequest,
} from '../../../wire/ldap/extended/password-modify.ts';
import type { ExtendedRequest } from '../../../wire/ldap/operations/extended.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapHandler, LdapOperation } from '../conversation.ts';
import { decoded } from './value.ts';

/** 16 characters of base32. */
const GENERATED_BYTES = 10;
/** Outside the tree, where no entry is: an old password is checked, and a new one refused, as for somebody. */
const NOBODY_DN = 'cn=nobody';

export const passwordModify: LdapHandler<ExtendedRequest> = async (request, operation, session) => {
  const asked = decoded(() => passwordModifyRequest.decode(request.value));
  if ('refused' in asked) return { result: asked.refused };
  if (!session.record.isPrivate)
    return { result: result('confidentialityRequired', 'Passwords are taken over TLS only') };
  if (operation.caller.kind === 'anonymous')
    return { result: result('strongerAuthRequired', 'Only who is bound may change a password') };
  const dn = targetOf(asked.value, operation, session);
  if (dn === undefined) return { result: result('noSuchObject', 'There is nobody of this name') };
  const wrong = await checkOld(asked.value, dn, session);
  if (wrong !== undefined) return { result: wrong };
  const { newPassword } = asked.value;
  if (newPassword?.length === 0) return { result: result('unwillingToPerform', 'The new password is empty') };
  const generated = newPassword === undefined ? base32(randomBytes(GENERATED_BYTES)) : undefined;
  const values = [newPassword ?? generated!];
  const modifications = [{ operation: 'replace', attribute: 'userPassword', values }] as const;
  await session.change(operation, { kind: 'modify', dn, modifications, beside: { refers: 'any' } });
  return {
    result: result('success'),
    ...(generated === undefined ? {} : { value: generatedPassword.encode(generated) }),
  };
};

function targetOf(
  { identity }: PasswordModifyRequest,
  { caller }: LdapOperation,
  { door, record }: LdapConversation,
): string | undefined {
  if (identity === undefined || identity === '') return 'dn' in caller ? caller.dn : undefined;
  if (identity.startsWith('dn:')) return identity.slice('dn:'.length);
  if (identity.includes('=')) return identity;
  const named = door.logins.callerNamed(
    { door: 'ldap', record },
    identity.startsWith('u:') ? identity : `u:${identity}`,
  );
  if (named !== undefined && 'dn' in named) return named.dn;
  return caller.kind === 'administrator' ? undefined : NOBODY_DN;
}

/** As a bind checks it, so that guesses are counted as there. */
async function checkOld(
  { oldPassword }: PasswordModifyRequest,
  dn: string,
  { door, record }: LdapConversation,
): Promise<LdapResult | undefined> {
  if (oldPassword === undefined) return undefined;
  if (oldPassword.length === 0) return result('invalidCredentials', 'The old password is wrong');
  try {
    await door.logins.bind({ door: 'ldap', record }, dn, oldPassword);
    return undefined;
  } catch (error) {
    const failure = asFailure(error);
    if (failure.kind !== 'unauthenticated') throw failure;
    return result('invalidCredentials', 'The old password is wrong');
  }
}
