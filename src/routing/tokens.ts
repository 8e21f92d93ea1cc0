// Addresses of this host that mean more than they say, and are signed so that nobody else can make them. Seen before the alias
// table: nobody is called so.
//
// In      the site's secret, the clock; an address of a domain here, and who sends to it
// Out     what it means: where it leads, or that it is refused. Undefined: an address as any
// States  another key every PERIOD_DAYS, made of the secret; the one before still verifies for SRS_DAYS, so that no table changes
// RFC 5321 §4.5.5 (reports come from the null sender alone)

import { createHmac, timingSafeEqual } from 'node:crypto';
import { asciiLower } from '../base/characters.ts';
import type { Clock } from '../base/clock.ts';
import { DAY_MS } from '../base/duration.ts';
import { type Address, addressKey } from '../message/address.ts';
import type { RouteRequest } from './route-request.ts';
import { SRS_DAYS, srsAddress, srsOriginal } from './srs.ts';

const VERDICTS = ['approve', 'refuse'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What a moderator decides, of which row of the queue. */
export interface ModeratorVerdict {
  readonly row: number;
  /** Key of the moderator's address. */
  readonly moderator: string;
  readonly verb: Verdict;
}

export type TokenMeaning =
  | { readonly kind: 'onward'; readonly address: Address }
  | ({ readonly kind: 'verdict' } & ModeratorVerdict)
  | { readonly kind: 'refused' };

export interface Tokens {
  meaning(address: Address, request: Pick<RouteRequest, 'sender'>): TokenMeaning | undefined;
  /** The sender of what is sent on by who is of `domain`; undefined where it would be too long. */
  srs(sender: Address, domain: string): Address | undefined;
  /** Where this moderator of a list sends any message, to decide so. */
  verdict(list: Address, verdict: ModeratorVerdict): Address;
}

const PERIOD_DAYS = 90;
/** A moderator's address is worth as long. */
const VERDICT_DAYS = 30;
/** Hexadecimal digits: 80 bits. */
const SIGNATURE = 20;

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
  const srsKeys = (day: number): Uint8Array[] => {
    const period = Math.floor(day / PERIOD_DAYS);
    const current = keyOf('srs', period);
    return day % PERIOD_DAYS < SRS_DAYS ? [current, keyOf('srs', period - 1)] : [current];
  };
  const meant = ({ verb, row, day, signature }: AskedVerdict, sender: Address | undefined): TokenMeaning => {
    if (sender === undefined || day > today() || today() - day > VERDICT_DAYS) return { kind: 'refused' };
    const verdict = { row, moderator: addressKey(sender), verb };
    const right = Buffer.from(signed(keyOf('moderation', Math.floor(day / PERIOD_DAYS)), verdict, day));
    const given = Buffer.from(signature);
    const isRight = given.length === right.length && timingSafeEqual(given, right);
    return isRight ? { kind: 'verdict', ...verdict } : { kind: 'refused' };
  };
  return {
    meaning({ localPart }, { sender }) {
      const asked = verdictIn(localPart);
      if (asked !== undefined) return meant(asked, sender);
      if (!isSrs(localPart)) return undefined;
      const day = today();
      const original = sender === undefined ? srsOriginal(localPart, { keys: srsKeys(day), day }) : undefined;
      return original === undefined ? { kind: 'refused' } : { kind: 'onward', address: original };
    },
    verdict({ localPart, domain }, verdict) {
      const day = today();
      const key = keyOf('moderation', Math.floor(day / PERIOD_DAYS));
      const text = `${day.toString(36)}-${verdict.row.toString(36)}-${signed(key, verdict, day)}`;
      return { localPart: `${localPart}+${verdict.verb}=${text}`, domain };
    },
    srs(sender, domain) {
      const day = today();
      return srsAddress(sender, domain, { key: srsKeys(day)[0]!, day });
    },
  };
}

/** Whether `meaning` is to be asked: nearly no address is. */
export function mayBeToken(localPart: string): boolean {
  return isSrs(localPart) || (localPart.includes('+') && verdictIn(localPart) !== undefined);
}

interface AskedVerdict {
  readonly verb: Verdict;
  readonly row: number;
  readonly day: number;
  readonly signature: string;
}

/** `LOCAL+approve=DAY-ROW-SIGNATURE`, in any case; what is signed so badly that nothing can be read has row 0. */
function verdictIn(localPart: string): AskedVerdict | undefined {
  const plus = localPart.lastIndexOf('+');
  const equals = localPart.indexOf('=', plus);
  if (plus < 1 || equals < 0) return undefined;
  const word = asciiLower(localPart.slice(plus + 1, equals));
  const verb = VERDICTS.find((each) => each === word);
  if (verb === undefined) return undefined;
  const [day = '', row = '', signature = '', ...more] = asciiLower(localPart.slice(equals + 1)).split('-');
  const numbers = [day, row].map(numberOf36);
  if (more.length > 0 || numbers.some((number) => number === undefined)) return { verb, row: 0, day: 0, signature: '' };
  return { verb, row: numbers[1]!, day: numbers[0]!, signature };
}

/** As it is written into an address, and in no other way. */
function numberOf36(text: string): number | undefined {
  const number = Number.parseInt(text, 36);
  return Number.isSafeInteger(number) && number.toString(36) === text ? number : undefined;
}

function signed(key: Uint8Array, { row, moderator, verb }: ModeratorVerdict, day: number): string {
  return createHmac('sha256', key).update(`${verb} ${row} ${day} ${moderator}`).digest('hex').slice(0, SIGNATURE);
}

/** `SRS0=` and `SRS1=` in any case. */
export function isSrs(text: string): boolean {
  return (
    text.length > 5 &&
    text.charCodeAt(4) === 0x3d &&
    (text.charCodeAt(3) === 0x30 || text.charCodeAt(3) === 0x31) &&
    (text.charCodeAt(0) | 0x20) === 0x73 &&
    (text.charCodeAt(1) | 0x20) === 0x72 &&
    (text.charCodeAt(2) | 0x20) === 0x73
  );
}
