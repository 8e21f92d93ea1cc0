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
const RECORD_HEAD_BYTES = 5;
const CLIENT_HELLO = 1;
const MESSAGE_HEAD_BYTES = 4;
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
    const hello = new HelloReader();
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
        const found = hello.push(chunk);
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

/** Takes the first message out of its records, in pieces of any size. No octet is looked at or copied more than twice. */
export class HelloReader {
  /** Octets that have come. */
  #come = 0;
  /** Octets of a record's head that have come; its last two are the length. */
  #headBytes = 0;
  #length = 0;
  /** Octets of the record that have not come. */
  #left = 0;
  /** What the records have carried. */
  #parts: Buffer[] = [];
  #bytes = 0;
  /** So many are looked at together: the message's head, then all of it. */
  #needed = MESSAGE_HEAD_BYTES;

  push(octets: Buffer): HelloName {
    for (let at = 0; at < octets.length; ) {
      if (this.#left === 0) {
        if (!this.#takesHead(octets[at++]!)) return NONE;
        continue;
      }
      const part = octets.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      const found = this.#take(part);
      if (found.kind === 'read') return found;
    }
    this.#come += octets.length;
    return this.#come > HELLO_BYTES ? NONE : MORE;
  }

  /** False: it is no record of a handshake. */
  #takesHead(octet: number): boolean {
    if (this.#headBytes === 0 && octet !== RECORD_HANDSHAKE) return false;
    this.#length = ((this.#length << 8) | octet) & 0xffff;
    if (++this.#headBytes < RECORD_HEAD_BYTES) return true;
    this.#headBytes = 0;
    this.#left = this.#length;
    return true;
  }

  #take(part: Buffer): HelloName {
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes < this.#needed) return MORE;
    const message = this.#parts.length === 1 ? part : Buffer.concat(this.#parts);
    if (message[0] !== CLIENT_HELLO) return NONE;
    this.#needed = MESSAGE_HEAD_BYTES + message.readUIntBE(1, 3);
    this.#parts = [message];
    if (message.length < this.#needed) return MORE;
    return { kind: 'read', name: nameIn(message.subarray(MESSAGE_HEAD_BYTES, this.#needed)) };
  }
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
  return serverNameOf(list.subarray(5, 5 + list.readUInt16BE(3)).toString('latin1'));
}

/** In lower case; without the dot that clients leave behind who have the name from an MX record. RFC 6066 §3 */
export function serverNameOf(written: string): string | undefined {
  const name = written.endsWith('.') ? written.slice(0, -1) : written;
  return name === '' ? undefined : name.toLowerCase();
}
