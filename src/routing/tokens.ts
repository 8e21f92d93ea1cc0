// Addresses of this host that mean more than they say, and are signed so that nobody else can make them. Seen before the alias
// table: nobody is called so.
//
// In      the site's secret, the clock; an address of a domain here, and who sends to it
// Out     what it means: where it leads, or that it is refused. Undefined: an address as any
// States  another key every PERIOD_DAYS, made of the secret; the one before still verifies for SRS_DAYS, so that no table changes
// RFC 5321 §4.5.5 (reports come from the null sender alone)

import { createHmac } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Address } from '../message/address.ts';
import type { RouteRequest } from './route-request.ts';
import { SRS_DAYS, srsAddress, srsOriginal } from './srs.ts';

export type TokenMeaning = { readonly kind: 'onward'; readonly address: Address } | { readonly kind: 'refused' };

export interface Tokens {
  meaning(address: Address, request: Pick<RouteRequest, 'sender'>): TokenMeaning | undefined;
  /** The sender of what is sent on by who is of `domain`; undefined where it would be too long. */
  srs(sender: Address, domain: string): Address | undefined;
}

const PERIOD_DAYS = 90;
const DAY_MS = 86_400_000;

export function createTokens(secret: Uint8Array, clock: Pick<Clock, 'now'>): Tokens {
  const known = new Map<string, Uint8Array>();
  const keyOf = (purpose: string, period: number): Uint8Array => {
    const name = `${purpose} ${period}`;
    let key = known.get(name);
    if (key === undefined) {
      key = createHmac('sha256', secret).update(name).digest();
      known.set(name, key);
    }
    return key;
  };
  const today = (): number => Math.floor(clock.now() / DAY_MS);
  const keysOf = (purpose: string, day: number): Uint8Array[] => {
    const period = Math.floor(day / PERIOD_DAYS);
    const current = keyOf(purpose, period);
    return day % PERIOD_DAYS < SRS_DAYS ? [current, keyOf(purpose, period - 1)] : [current];
  };
  return {
    meaning({ localPart }, { sender }) {
      if (!isSrs(localPart)) return undefined;
      const day = today();
      const original = sender === undefined ? srsOriginal(localPart, { keys: keysOf('srs', day), day }) : undefined;
      return original === undefined ? { kind: 'refused' } : { kind: 'onward', address: original };
    },
    srs(sender, domain) {
      const day = today();
      return srsAddress(sender, domain, { key: keysOf('srs', day)[0]!, day });
    },
  };
}

/** Whether `meaning` is to be asked: nearly no address is. */
export function mayBeToken(localPart: string): boolean {
  return isSrs(localPart);
}

/** `SRS0=` and `SRS1=` in any case. */
function isSrs(text: string): boolean {
  return (
    text.length > 5 &&
    text.charCodeAt(4) === 0x3d &&
    (text.charCodeAt(3) === 0x30 || text.charCodeAt(3) === 0x31) &&
    (text.charCodeAt(0) | 0x20) === 0x73 &&
    (text.charCodeAt(1) | 0x20) === 0x72 &&
    (text.charCodeAt(2) | 0x20) === 0x73
  );
}
