// PLAIN: [authzid] NUL authcid NUL passwd, in one response. RFC 4616 §2
//
// Never  lets one name act for another

import { Failure } from '../../base/failure.ts';
import { malformed, nameFrom, passwordFrom } from './credentials.ts';
import type { SaslMechanism } from './mechanism.ts';

const NAME = 'PLAIN';

export const plain: SaslMechanism = {
  name: NAME,
  begin: ({ byPassword }) => ({
    async respond(response) {
      if (response === undefined) return { kind: 'challenge', octets: Buffer.alloc(0) };
      const { name, password } = readPlain(response);
      return { kind: 'success', octets: undefined, login: await byPassword(NAME, name, password) };
    },
  }),
};

function readPlain(response: Buffer): { readonly name: string; readonly password: Buffer } {
  const first = response.indexOf(0);
  const second = response.indexOf(0, first + 1);
  if (first < 0 || second < 0) throw malformed();
  const authzid = response.subarray(0, first);
  const authcid = response.subarray(first + 1, second);
  const name = nameFrom(authcid);
  const password = passwordFrom(response.subarray(second + 1));
  if (authzid.length > 0 && !authzid.equals(authcid))
    throw new Failure('unauthenticated', 'Acting for another identity is not allowed');
  return { name, password };
}
