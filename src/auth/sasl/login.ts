// LOGIN: the name, then the password. draft-murchison-sasl-login-00

import { nameFrom, passwordFrom } from './credentials.ts';
import type { SaslMechanism } from './mechanism.ts';

const NAME = 'LOGIN';

export const login: SaslMechanism = {
  name: NAME,
  isOffered: () => true,
  begin({ byPassword }) {
    let name: string | undefined;
    return {
      async respond(response) {
        if (response === undefined) return challenge('Username:');
        if (name !== undefined) {
          const given = { mechanism: NAME, name, authzid: '', secret: passwordFrom(response) };
          return { kind: 'success', octets: undefined, login: await byPassword(given) };
        }
        name = nameFrom(response);
        return challenge('Password:');
      },
    };
  },
};

function challenge(text: string): { readonly kind: 'challenge'; readonly octets: Buffer } {
  return { kind: 'challenge', octets: Buffer.from(text) };
}
