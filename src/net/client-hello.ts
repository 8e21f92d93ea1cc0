// The name in a client's first TLS message, read before the handshake begins.
//
// In      a transport whose next byte is the client's; its first bytes
// Out     the server name that it asks for, in lower case; every byte that was read is put back
// Limits  HELLO_BYTES, beyond which the handshake begins without a name
// Never   judges: what is no ClientHello has no name, and the handshake says what is wrong with it
// Node takes one certificate from the context that its SNICallback gives, and the kinds of key that this one has not from the
// context before. RSA and ECDSA of one name would not be served together, and an RSA certificate would be served beside the
// ECDSA one of another name. So the context is chosen before the TLS socket is made.
// RFC 8446 §4.1.2 §5.1, RFC 6066 §3

import type { Duplex } from 'node:stream';

/** OpenSSL takes a message of 16 KiB; records have heads. */
const HELLO_BYTES = 20 * 1024;

const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** Version and random. */
const FIXED_BYTES = 34;

/** `more`: it does not end here. */
export type HelloName = { readonly kind: 'more' } | { readonly kind: 'read'; readonly name: string | undefined };

const NONE: HelloName = { kind: 'read', name: undefined };
const MORE: HelloName = { kind: 'more' };

/** Reads until the name is known. Throws nothing; a transport whose peer has said all before is closed, and has no name. */
export function readServerName(raw: Duplex): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const done = (name: string | undefined): void => {
      raw.off('readable', read);
      raw.off('end', ended);
      raw.off('close', ended);
      if (chunks.length > 0 && !raw.destroyed && !raw.readableEnded) raw.unshift(Buffer.concat(chunks));
      resolve(name);
    };
    const ended = (): void => {
      // Nothing can follow: a handshake would wait for it.
      raw.destroy();
      done(undefined);
    };
    const read = (): void => {
      for (let chunk = raw.read() as Buffer | null; chunk !== null; chunk = raw.read() as Buffer | null) {
        chunks.push(chunk);
        const hello = chunks.length === 1 ? chunk : Buffer.concat(chunks);
        const found = hello.length > HELLO_BYTES ? NONE : parseServerName(hello);
        if (found.kind === 'more') continue;
        done(found.name);
        return;
      }
    };
    raw.on('readable', read);
    raw.once('end', ended);
    raw.once('close', ended);
    read();
  });
}

export function parseServerName(octets: Buffer): HelloName {
  const message = handshakeOf(octets);
  if (message === undefined) return NONE;
  if (message.length < 4) return MORE;
  const length = message.readUIntBE(1, 3);
  if (message[0] !== CLIENT_HELLO) return NONE;
  if (message.length < 4 + length) return MORE;
  return { kind: 'read', name: nameIn(message.subarray(4, 4 + length)) };
}

/** What the records carry, as far as it has come; undefined for what is no record of a handshake. */
function handshakeOf(octets: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < octets.length; ) {
    if (octets[at] !== RECORD_HANDSHAKE && parts.length === 0) return undefined;
    // Another record may follow at once: early data.
    if (octets[at] !== RECORD_HANDSHAKE || octets.length < at + 5) break;
    const end = at + 5 + octets.readUInt16BE(at + 3);
    parts.push(octets.subarray(at + 5, end));
    at = end;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

function nameIn(hello: Buffer): string | undefined {
  let at = FIXED_BYTES;
  // Session id, cipher suites, compression methods: each a length and so much.
  for (const size of [1, 2, 1]) {
    if (at + size > hello.length) return undefined;
    at += size + hello.readUIntBE(at, size);
  }
  if (at + 2 > hello.length) return undefined;
  const end = Math.min(hello.length, at + 2 + hello.readUInt16BE(at));
  for (at += 2; at + 4 <= end; ) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    if (type === SERVER_NAME) return hostName(hello.subarray(at + 4, Math.min(end, at + 4 + length)));
    at += 4 + length;
  }
  return undefined;
}

/** The extension holds a list; only one name of this type may be in it. */
function hostName(list: Buffer): string | undefined {
  if (list.length < 5 || list[2] !== HOST_NAME) return undefined;
  const name = list.subarray(5, 5 + list.readUInt16BE(3)).toString('latin1');
  return name === '' ? undefined : name.toLowerCase();
}
