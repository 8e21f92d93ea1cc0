// EXTERNAL: the client is who its certificate says. The response names whom it wants to act for, or nobody. RFC 4422 §A
//
// Offered  where the certificate was verified and has one address (net/tls-state.ts)

import { nameFrom } from './credentials.ts';
import type { SaslMechanism } from './mechanism.ts';

const NAME = 'EXTERNAL';

export const external: SaslMechanism = {
  name: NAME,
  isOffered: ({ record }) => record.tls?.clientAddress !== undefined,
  begin: ({ client, logIn }) => ({
    async respond(response) {
      if (response === undefined) return { kind: 'challenge', octets: Buffer.alloc(0) };
      const authzid = response.length === 0 ? '' : nameFrom(response);
      const name = client.record.tls!.clientAddress!;
      const proofFor = () => ({ isRight: () => true, stands: () => true });
      const login = await logIn({ mechanism: NAME, name, authzid, secret: undefined, proofFor });
      return { kind: 'success', octets: undefined, login };
    },
  }),
};
