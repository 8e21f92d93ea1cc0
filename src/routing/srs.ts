// The Sender Rewriting Scheme: who forwards mail of others to another host sends it from an address of its own, which brings
// reports back to the original sender. Without it the next host would refuse by the sender's SPF record.
//
// In      a sender's address and the domain of the user who forwards; a local part that a report comes to; keys, and the day
// Out     `SRS0=HHHHHHHH=TT=DOMAIN=LOCAL`, of another forwarder's SRS0 or SRS1 `SRS1=HHHHHHHH=HOST==REST`; and back
//         H   base32 of 40 bits HMAC-SHA-256 over all that follows it, in lower case: hosts on the way may change letters
//         TT  base32 of the day modulo 1024
// Limits  a local part of 64 octets, which is all that others must take (RFC 5321 §4.5.3.1.1); 21 days
// Never   reads a clock. SRS1 has no day: it is good as long as the key that made it
// Source  the scheme of Mail::SRS, "Guarded"

import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Address, tryParseDomain } from '../message/address.ts';

export const SRS_DAYS = 21;
/** Of which TT is the remainder. */
const DAYS_MODULO = 1024;
const LOCAL_PART_MAX = 64;
const HASH_BYTES = 5;
const HASH_LENGTH = 8;
const TAG_LENGTH = 4;
const DAY_LENGTH = 2;
/** What forwarders put behind the tag. */
const SIGNS = ['=', '+', '-'];

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Undefined where the local part would be longer than every host takes. `key` is today's. */
export function srsAddress(
  { localPart, domain: from }: Address,
  domain: string,
  { key, day }: { readonly key: Uint8Array; readonly day: number },
): Address | undefined {
  const passedOn = passedOnBy(localPart, from);
  const tag = passedOn === undefined ? 'SRS0' : 'SRS1';
  const rest = passedOn ?? `${dayText(day)}=${from}=${localPart}`;
  const made = `${tag}=${hashText(key, rest)}=${rest}`;
  return Buffer.byteLength(made) > LOCAL_PART_MAX ? undefined : { localPart: made, domain };
}

/** Where a report to this local part goes; undefined: we have not made it, or not lately. Its letters may be in any case. */
export function srsOriginal(
  localPart: string,
  { keys, day }: { readonly keys: readonly Uint8Array[]; readonly day: number },
): Address | undefined {
  const hash = localPart.slice(TAG_LENGTH + 1, TAG_LENGTH + 1 + HASH_LENGTH);
  const rest = localPart.slice(TAG_LENGTH + 2 + HASH_LENGTH);
  if (localPart[TAG_LENGTH + 1 + HASH_LENGTH] !== '=') return undefined;
  if (!keys.some((key) => isSame(hash, hashText(key, rest)))) return undefined;
  // Only behind a second sign, and not behind a day: what follows SRS0 is not to be read as if it followed SRS1.
  if (tagOf(localPart) === 'SRS1' && rest.charAt(DAY_LENGTH) === '=') return undefined;
  if (tagOf(localPart) === 'SRS1')
    return addressOf(rest, (own) => (SIGNS.includes(own.charAt(0)) ? `SRS0${own}` : undefined));
  const [made, ...others] = rest.split('=');
  const age = made === undefined ? undefined : ageOf(made, day);
  return age === undefined || age > SRS_DAYS ? undefined : addressOf(others.join('='), (own) => own);
}

/** `SRS0` or `SRS1` before a sign. */
function tagOf(localPart: string): 'SRS0' | 'SRS1' | undefined {
  if (!SIGNS.includes(localPart.charAt(TAG_LENGTH))) return undefined;
  const tag = localPart.slice(0, TAG_LENGTH).toUpperCase();
  return tag === 'SRS0' || tag === 'SRS1' ? tag : undefined;
}

/** `HOST==REST` of an address that another forwarder has made: reports go straight to the first one. */
function passedOnBy(localPart: string, domain: string): string | undefined {
  const tag = tagOf(localPart);
  // Its own sign belongs to what it can read.
  if (tag === 'SRS0') return `${domain}=${localPart.slice(TAG_LENGTH)}`;
  if (tag === undefined) return undefined;
  const [, host, ...own] = localPart.slice(TAG_LENGTH + 1).split('=');
  const rest = own.join('=');
  if (host === undefined || !SIGNS.includes(rest.charAt(0)) || tryParseDomain(host) === undefined) return undefined;
  return `${host}=${rest}`;
}

/** Of `DOMAIN=REST`. */
function addressOf(text: string, localPartOf: (rest: string) => string | undefined): Address | undefined {
  const border = text.indexOf('=');
  const domain = border < 0 ? undefined : tryParseDomain(text.slice(0, border));
  const rest = text.slice(border + 1);
  const localPart = rest === '' ? undefined : localPartOf(rest);
  return domain === undefined || localPart === undefined ? undefined : { localPart, domain };
}

function dayText(day: number): string {
  const rest = day % DAYS_MODULO;
  return BASE32.charAt(rest >> 5) + BASE32.charAt(rest & 31);
}

/** In days; a day that is still to come is almost a round old. */
function ageOf(text: string, day: number): number | undefined {
  if (text.length !== DAY_LENGTH) return undefined;
  const high = BASE32.indexOf(text.charAt(0).toUpperCase());
  const low = BASE32.indexOf(text.charAt(1).toUpperCase());
  if (high < 0 || low < 0) return undefined;
  return (((day - (high * 32 + low)) % DAYS_MODULO) + DAYS_MODULO) % DAYS_MODULO;
}

function hashText(key: Uint8Array, rest: string): string {
  const bytes = createHmac('sha256', key).update(rest.toLowerCase()).digest().subarray(0, HASH_BYTES);
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = '';
  for (let at = HASH_LENGTH - 1; at >= 0; at--) text += BASE32.charAt(Number((bits >> BigInt(5 * at)) & 31n));
  return text;
}

function isSame(given: string, right: string): boolean {
  const written = Buffer.from(given.toUpperCase());
  return written.length === HASH_LENGTH && timingSafeEqual(written, Buffer.from(right));
}
