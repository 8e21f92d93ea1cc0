// DNS cookies: a client that shows ours has the address that it says, so its answers need no limit. Never demanded.
//
// In      the data of a query's COOKIE option, the client's address, the time
// Out     the data of the response's: the client's part, and ours made anew; whether ours that came along is right
// Layout  RFC 9018 §4: version 1, three reserved octets, seconds, eight octets of a hash. The hash is HMAC-SHA-256 and not
//         SipHash-2-4, which Node lacks: nobody but this server reads it
// Limits  ours is good for an hour, and for five minutes from a clock that runs ahead
// RFC 7873 §4 §5.2, RFC 9018 §4

import { createHmac, timingSafeEqual } from 'node:crypto';

export const COOKIE_OPTION = 10;
const CLIENT_BYTES = 8;
const SERVER_BYTES = 16;
const HASH_AT = 8;
/** What RFC 7873 §4 lets a server's part be. */
const SERVER_BYTES_MIN = 8;
const SERVER_BYTES_MAX = 32;
const VERSION = 1;
const OLD_SECONDS = 3600;
const AHEAD_SECONDS = 300;
/** The data of our option. */
export const COOKIE_BYTES = CLIENT_BYTES + SERVER_BYTES;

/** RFC 7873 §5.2.2: of another length it makes the query a malformed one. */
export function isCookieLength(length: number): boolean {
  const ofServer = length - CLIENT_BYTES;
  return ofServer === 0 || (ofServer >= SERVER_BYTES_MIN && ofServer <= SERVER_BYTES_MAX);
}

export interface CheckedCookie {
  /** The data of the option that goes back. */
  readonly data: Uint8Array;
  /** The client has shown one that this server has given to that address. */
  readonly isOurs: boolean;
}

export class Cookies {
  readonly #secret: Uint8Array;
  readonly #now: () => number;

  /** `now`: epoch milliseconds. Every thread of a server has the same secret. */
  constructor(secret: Uint8Array, now: () => number) {
    this.#secret = secret;
    this.#now = now;
  }

  /** `given` is of a length that isCookieLength takes. */
  check(given: Uint8Array, address: string): CheckedCookie {
    const seconds = Math.floor(this.#now() / 1000) >>> 0;
    const data = Buffer.alloc(COOKIE_BYTES);
    data.set(given.subarray(0, CLIENT_BYTES));
    data[CLIENT_BYTES] = VERSION;
    data.writeUInt32BE(seconds, CLIENT_BYTES + 4);
    data.set(this.#hash(data, address), CLIENT_BYTES + HASH_AT);
    return { data, isOurs: this.#isOurs(given, address, seconds) };
  }

  #isOurs(given: Uint8Array, address: string, seconds: number): boolean {
    if (given.length !== COOKIE_BYTES || given[CLIENT_BYTES] !== VERSION) return false;
    const cookie = Buffer.from(given.buffer, given.byteOffset, given.length);
    // RFC 9018 §4.3: serial number arithmetic.
    const age = (seconds - cookie.readUInt32BE(CLIENT_BYTES + 4)) | 0;
    if (age > OLD_SECONDS || age < -AHEAD_SECONDS) return false;
    return timingSafeEqual(this.#hash(cookie, address), cookie.subarray(CLIENT_BYTES + HASH_AT));
  }

  /** Over the client's part, version, reserved octets and time, then the address. */
  #hash(cookie: Buffer, address: string): Buffer {
    const signed = cookie.subarray(0, CLIENT_BYTES + HASH_AT);
    return createHmac('sha256', this.#secret)
      .update(signed)
      .update(address)
      .digest()
      .subarray(0, SERVER_BYTES - HASH_AT);
  }
}
