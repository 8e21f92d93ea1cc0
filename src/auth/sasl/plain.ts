// PLAIN: [authzid] NUL authcid NUL passwd, in one response. RFC 4616 §2

import { malformed, nameFrom, passwordFrom } from './credentials.ts';
import type { SaslMechanism } from './mechanism.ts';

const NAME = 'PLAIN';

export const plain: SaslMechanism = {
  name: NAME,
  isOffered: () => true,
  begin: ({ byPassword }) => ({
    async respond(response) {
      if (response === undefined) return { kind: 'challenge', octets: Buffer.alloc(0) };
      return {
        kind: 'success',
        octets: undefined,
        login: await byPassword({ mechanism: NAME, ...readPlain(response) }),
      };
    },
  }),
};

interface Plain {
  readonly authzid: string;
  readonly name: string;
  readonly secret: Buffer;
}

function readPlain(response: Buffer): Plain {
  const first = response.indexOf(0);
  const second = response.indexOf(0, first + 1);
  if (first < 0 || second < 0) throw malformed();
  return {
    authzid: first === 0 ? '' : nameFrom(response.subarray(0, first)),
    name: nameFrom(response.subarray(first + 1, second)),
    secret: passwordFrom(response.subarray(second + 1)),
  };
}
