// EXTERNAL: the client is who its certificate says. The response names whom it wants to act for, or nobody. RFC 4422 §A
//
// Offered  where the certificate was verified and has one address (net/tls-state.ts); and over the Unix socket of LDAP, where
//          the file's permissions have decided: who may open it is the administrator

import { ADMINISTRATOR_DN } from '../../directory/caller.ts';
import { nameFrom } from './credentials.ts';
import type { SaslMechanism } from './mechanism.ts';

const NAME = 'EXTERNAL';
/** The listener of LDAP's Unix socket. */
const LOCAL = 'ldapi';

export const external: SaslMechanism = {
  name: NAME,
  isOffered: ({ record }) => record.tls?.clientAddress !== undefined || record.listener === LOCAL,
  begin: ({ client, logIn }) => ({
    async respond(response) {
      if (response === undefined) return { kind: 'challenge', octets: Buffer.alloc(0) };
      const authzid = response.length === 0 ? '' : nameFrom(response);
      const { record } = client;
      const isLocal = record.listener === LOCAL;
      const name = isLocal ? `dn:${ADMINISTRATOR_DN}` : record.tls!.clientAddress!;
      const proofFor = () => ({ isRight: () => true, stands: () => true, outlivesPassword: isLocal });
      const login = await logIn({ mechanism: NAME, name, authzid, secret: undefined, proofFor });
      return { kind: 'success', octets: undefined, login };
    },
  }),
};
