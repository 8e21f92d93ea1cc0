// An LDAP server that answers each request with what the test writes.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { LdapFramer } from '../../src/wire/ldap/framer.ts';
import { decodeRequest, type LdapMessage, type LdapRequest } from '../../src/wire/ldap/message.ts';

export async function scriptedLdap(
  answer: (socket: Socket, message: LdapMessage<LdapRequest>) => void,
): Promise<{ url: string; server: Server }> {
  const server = createServer((socket) => {
    const framer = new LdapFramer(1_000_000);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      for (let octets = framer.next(); octets !== undefined; octets = framer.next())
        answer(socket, decodeRequest(octets));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `ldap://127.0.0.1:${(server.address() as { port: number }).port}` };
}
