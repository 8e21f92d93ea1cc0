// What stands behind `{CRYPT}`: how a password was hashed by crypt(3), and to what.
//
// In      the text behind the scheme
// Out     the setting and the hash; undefined for a method that is not verified, or a value that does not parse
// Limits  bcrypt to cost 14, SHA-crypt to 200,000 rounds: a second or so, which a user may store as the own password
// Never   matches DES, of which eight letters count

import type { ShaCryptSetting } from './sha-crypt.ts';

export type CryptSetting =
  | { readonly method: 'md5'; readonly salt: Buffer }
  | ({ readonly method: 'sha' } & ShaCryptSetting)
  | { readonly method: 'bcrypt'; readonly setting: string };

export interface CryptValue {
  readonly setting: CryptSetting;
  /** What stands behind the salt. */
  readonly hash: string;
}

const COST_MIN = 4;
const COST_MAX = 14;
const ROUNDS = 5000;
const ROUNDS_MIN = 1000;
const ROUNDS_MAX = 200_000;

/** Of a setting that is verified, in the dearest one: 0 to 1. */
export function cryptCost(setting: CryptSetting): number {
  switch (setting.method) {
    case 'md5':
      return 0;
    case 'sha':
      return setting.rounds / ROUNDS_MAX;
    case 'bcrypt':
      return 2 ** (costOf(setting.setting) - COST_MAX);
    default:
      return setting satisfies never;
  }
}

/** `$2b$12$` and salt. */
function costOf(setting: string): number {
  return Number(setting.slice(4, 6));
}

const MD5 = /^\$1\$([!-#%-9;-~]{0,8})\$([./0-9A-Za-z]{22})$/;
const SHA = /^\$([56])\$(?:rounds=([1-9]\d{3,5})\$)?([!-#%-9;-~]{0,16})\$([./0-9A-Za-z]{43}|[./0-9A-Za-z]{86})$/;
const BCRYPT = /^(\$2[aby]\$\d\d\$[./0-9A-Za-z]{22})([./0-9A-Za-z]{31})$/;
const SHA_LETTERS = { sha256: 43, sha512: 86 } as const;

export function readCrypt(text: string): CryptValue | undefined {
  return readMd5(text) ?? readSha(text) ?? readBcrypt(text);
}

function readMd5(text: string): CryptValue | undefined {
  const match = MD5.exec(text);
  return match === null ? undefined : { setting: { method: 'md5', salt: Buffer.from(match[1]!) }, hash: match[2]! };
}

function readSha(text: string): CryptValue | undefined {
  const match = SHA.exec(text);
  if (match === null) return undefined;
  const algorithm = match[1] === '5' ? 'sha256' : 'sha512';
  const rounds = match[2] === undefined ? ROUNDS : Number(match[2]);
  const hash = match[4]!;
  if (rounds < ROUNDS_MIN || rounds > ROUNDS_MAX || hash.length !== SHA_LETTERS[algorithm]) return undefined;
  return { setting: { method: 'sha', algorithm, rounds, salt: Buffer.from(match[3]!) }, hash };
}

function readBcrypt(text: string): CryptValue | undefined {
  const match = BCRYPT.exec(text);
  if (match === null || costOf(match[1]!) < COST_MIN || costOf(match[1]!) > COST_MAX) return undefined;
  return { setting: { method: 'bcrypt', setting: match[1]! }, hash: match[2]! };
}
