// HalfSipHash-2-4: a short hash under a secret key, for tables whose keys strangers choose.
//
// In      a text, a key of 64 bits
// Out     64 bits in two halves; who does not know the key cannot choose texts that meet
// Never   for passwords or proofs: it is fast, and 64 bits are few
// Source  Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), in its variant for words of 32 bits

export interface HashKey {
  readonly low: number;
  readonly high: number;
}

export interface KeyedHash {
  readonly low: number;
  readonly high: number;
}

/** Of the text's UTF-16 code units, the lower octet first. */
export function keyedHash({ low: k0, high: k1 }: HashKey, text: string): KeyedHash {
  const { length } = text;
  let v0 = k0;
  let v1 = k1 ^ 0xee;
  let v2 = k0 ^ 0x6c796765;
  let v3 = k1 ^ 0x74656462;
  let low = 0;
  // Two code units a word; the last word holds what is left and the number of octets; then the output's two halves.
  const words = (length >> 1) + 1;
  for (let word = 0; word < words + 2; word++) {
    let m = 0;
    let rounds = 2;
    if (word < words - 1) m = text.charCodeAt(2 * word) | (text.charCodeAt(2 * word + 1) << 16);
    else if (word === words - 1) m = (length << 25) | (length & 1 ? text.charCodeAt(length - 1) : 0);
    else {
      rounds = 4;
      if (word === words) v2 ^= 0xee;
      else v1 ^= 0xdd;
    }
    v3 ^= m;
    for (; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= m;
    if (word === words) low = v1 ^ v3;
  }
  return { low, high: v1 ^ v3 };
}
