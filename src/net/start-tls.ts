// The server's part of STARTTLS, the same in every protocol: behind the reply that allows it, the connection goes on in TLS.
//
// In      a connection whose last reply, the one that says "go ahead", was given to its output
// Out     true: the next input came through TLS. False: there was no handshake, and the connection is closed
// Never   keeps input from before: what a third party put behind STARTTLS in the clear must not run as if it came through TLS.
//         A door refuses to start where its framer has any; what comes later is no handshake, and ends the connection
// RFC 3207 §4.1, RFC 9051 §6.2.1, RFC 2595 §4, RFC 4511 §4.14

import type { Log } from '../base/log.ts';
import type { Connection } from './connection.ts';
import type { TlsServer } from './tls.ts';

export async function startTls<F extends { push(chunk: Buffer): void }>(
  connection: Connection<F>,
  tls: TlsServer,
  log: Log,
): Promise<boolean> {
  const { listener, peerAddress } = connection.record;
  try {
    await connection.replaceTransport(async (raw) => {
      // The reply is on its way before the first octet of TLS.
      if (raw.writableLength > 0) await new Promise((written) => raw.write('', written));
      return tls.upgrade(raw, { listener, isImplicit: false });
    });
    return true;
  } catch (error) {
    log.info('tls.handshake', { listener, peer: peerAddress, reason: (error as Error).message });
    return false;
  }
}
