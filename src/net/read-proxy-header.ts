// Reads the PROXY header of a connection before anybody else reads from it.
//
// In      an accepted socket of a peer that must send one, unread
// Out     the header; what came behind it stands in the socket as if it had just come
// Errors  rejects with one sentence, and the socket is closed: none in WAIT_MS, one that is none, the end of the connection
// Limits  those of proxy-protocol.ts

import type { Socket } from 'node:net';
import { asFailure, Failure } from '../base/failure.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts';

const WAIT_MS = 5000;

export function readProxyHeader(socket: Socket): Promise<ProxyHeader> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (): void => {
      clearTimeout(late);
      socket.off('readable', read).off('close', closed).off('end', closed);
    };
    const fail = (error: unknown): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const closed = (): void => fail(new Failure('syntax', 'closed before its PROXY header'));
    const late = setTimeout(() => fail(new Failure('syntax', `no PROXY header within ${WAIT_MS} ms`)), WAIT_MS);
    const read = (): void => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        try {
          const parsed = parseProxyHeader(bytes);
          if (parsed === undefined) continue;
          settle();
          if (bytes.length > parsed.bytes) socket.unshift(bytes.subarray(parsed.bytes));
          resolve(parsed.header);
          return;
        } catch (error) {
          fail(asFailure(error));
          return;
        }
      }
    };
    socket.on('error', () => {});
    socket.on('close', closed).on('end', closed).on('readable', read);
  });
}
