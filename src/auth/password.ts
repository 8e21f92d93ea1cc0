// Passwords: made into what is stored, and compared with it.
//
// In      octets as the peer sent them; stored values as the directory holds them, `{SCHEME}...`
// Out     a hash in Argon2id (19 MiB, two passes); the stored value that a password is right for
// Limits  a password of 1024 octets; ten stored values; costs as below and in crypt/setting.ts, dearer ones never match. Of
//         several values one attempt tries the cheapest first, and no more than two of the dearest would cost
// Never   matches what it cannot verify: {CLEARTEXT}, an unknown scheme, a value that does not parse; looks at keys
//         for SCRAM where another value can be verified: who has keys would be told by the time
// RFC 9106, RFC 2307 §5.3, RFC 8018 §5.2

import { type Argon2Parameters, argon2, createHash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { AttributeValue } from '../directory/entry.ts';
import { isScramKeys, SCRAM_PREFIX } from '../directory/scram-values.ts';
import { cryptHash } from './crypt/ask.ts';
import { cryptCost, readCrypt } from './crypt/setting.ts';
import type { HashGate } from './hash-gate.ts';
import { keysCost, keysOf, storedKeyOf } from './scram-keys.ts';

export const PASSWORD_BYTES_MAX = 1024;
const STORED_VALUES_MAX = 10;

const MEMORY_KIB = 19_456;
const PASSES = 2;
const SALT_BYTES = 16;
const TAG_BYTES = 32;

/**
 * What one value may cost: half a second or so, and with crypt(3) a second. A user may store a value of any cost as the own
 * password, and each login would pay it.
 */
const MEMORY_KIB_MAX = 256 * 1024;
const MEMORY_KIB_TIMES_PASSES_MAX = 512 * 1024;
const PARALLELISM_MAX = 16;
const PBKDF2_ROUNDS_MAX = 2_000_000;
/** What one attempt may cost: 1 is the dearest value of its method. */
const ATTEMPT_COST_MAX = 2;

const SCHEME = /^\{([A-Za-z0-9][A-Za-z0-9._/-]{0,31})\}/;

/** What a failed login is compared with when there is nothing else, so that it takes the time of one that exists. */
const DUMMY = Buffer.alloc(SALT_BYTES);

const argon2Async = promisify(argon2) as (algorithm: string, parameters: Argon2Parameters) => Promise<Buffer>;
const pbkdf2Async = promisify(pbkdf2);

/** A value that is kept as given: it says by its prefix how it was made, known to us or not. */
export function hasScheme(value: AttributeValue): boolean {
  return SCHEME.test(textOf(value));
}

export async function hashPassword(password: Uint8Array, gate: HashGate): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const tag = await gate.run(() => argon2id(password, salt));
  return `{ARGON2}$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=1$${unpadded(salt)}$${unpadded(tag)}`;
}

/**
 * The stored value that is this password, undefined where none is. A "no" always costs at least one Argon2id hash, whatever
 * was stored and if nothing was, so that its time says nothing. Throws `unavailable` when too many wait.
 */
export async function valueOfPassword(
  stored: readonly AttributeValue[],
  password: Uint8Array,
  gate: HashGate,
): Promise<AttributeValue | undefined> {
  let hasHashed = false;
  if (password.length > 0 && password.length <= PASSWORD_BYTES_MAX) {
    for (const check of checksOf(stored)) {
      hasHashed ||= check.isArgon2;
      const tag = check.isSlow ? await gate.run(() => check.derive(password)) : await check.derive(password);
      if (tag.length === check.tag.length && timingSafeEqual(tag, check.tag)) return check.value;
    }
  }
  if (!hasHashed) await gate.run(() => argon2id(password.subarray(0, PASSWORD_BYTES_MAX), DUMMY));
  return undefined;
}

/** Whether one of the stored values is this password: as valueOfPassword. */
export async function verifyPassword(
  stored: readonly AttributeValue[],
  password: Uint8Array,
  gate: HashGate,
): Promise<boolean> {
  return (await valueOfPassword(stored, password, gate)) !== undefined;
}

/** Made otherwise than hashPassword makes it: by another method than Argon2id. Keys for SCRAM are no hash. */
export function isOldHash(value: AttributeValue): boolean {
  return !isScramKeys(value) && !ARGON2ID.test(textOf(value));
}

const ARGON2ID = /^\{ARGON2(?:ID)?\}\$argon2id\$/i;

/** Whether there is a password that verifyPassword says yes to: one of these values says how it was made, and is readable. */
export function isVerifiable(stored: readonly AttributeValue[]): boolean {
  return checksOf(stored).length > 0;
}

/** It says that it is a hash, and is none that anybody could log in by. */
export function isUnknownHash(value: AttributeValue): boolean {
  return hasScheme(value) && !isVerifiable([value]);
}

/** How a stored value is verified: `derive` gives what must equal `tag`. */
interface Check extends Derivation {
  readonly value: AttributeValue;
}

interface Derivation {
  readonly tag: Buffer;
  readonly isSlow: boolean;
  readonly isArgon2: boolean;
  /** In the dearest value of its method that is verified: 0 to 1. */
  readonly cost: number;
  derive(password: Uint8Array): Promise<Buffer>;
}

/** Of values that say how they were made, as many as one attempt may cost; of keys for SCRAM where there is nothing else. */
function checksOf(stored: readonly AttributeValue[]): readonly Check[] {
  const hashes = stored.filter((value) => !isScramKeys(value)).slice(0, STORED_VALUES_MAX);
  const checks = hashes.flatMap((value) => {
    const derivation = readStored(textOf(value));
    return derivation === undefined ? [] : [{ ...derivation, value }];
  });
  if (checks.length > 0) return affordable(checks);
  const ofKeys = keysOf(stored).slice(0, STORED_VALUES_MAX);
  return affordable(
    ofKeys.map((keys) => ({
      value: SCRAM_PREFIX,
      tag: keys.storedKey,
      isSlow: true,
      isArgon2: false,
      cost: keysCost(keys),
      derive: (password) => storedKeyOf(password, keys),
    })),
  );
}

/** The cheapest first. */
function affordable(checks: readonly Check[]): readonly Check[] {
  if (checks.length <= ATTEMPT_COST_MAX) return checks;
  let left = ATTEMPT_COST_MAX;
  return [...checks].sort((a, b) => a.cost - b.cost).filter(({ cost }) => (left -= cost) >= 0);
}

function readStored(value: string): Derivation | undefined {
  const match = SCHEME.exec(value);
  if (match === null) return undefined;
  const scheme = match[1]!.toUpperCase().replaceAll('_', '-');
  const rest = value.slice(match[0].length);
  const digest = DIGESTS.get(scheme);
  if (digest !== undefined) return readDigest(rest, digest);
  switch (scheme) {
    case 'ARGON2':
    case 'ARGON2I':
    case 'ARGON2ID':
      return readArgon2(rest);
    case 'CRYPT':
      return readCrypted(rest);
    case 'PBKDF2':
    case 'PBKDF2-SHA1':
      return rest.startsWith('$1$') ? readDovecotPbkdf2(rest) : readPbkdf2(rest, 'sha1');
    case 'PBKDF2-SHA256':
      return rest.includes('$') ? readPbkdf2(rest, 'sha256') : read389Pbkdf2(rest);
    case 'PBKDF2-SHA512':
      return readPbkdf2(rest, 'sha512');
    default:
      return undefined;
  }
}

interface Digest {
  readonly algorithm: string;
  readonly bytes: number;
  readonly salted: boolean;
}

const DIGESTS: ReadonlyMap<string, Digest> = new Map([
  ['SHA', { algorithm: 'sha1', bytes: 20, salted: false }],
  ['SHA256', { algorithm: 'sha256', bytes: 32, salted: false }],
  ['SHA384', { algorithm: 'sha384', bytes: 48, salted: false }],
  ['SHA512', { algorithm: 'sha512', bytes: 64, salted: false }],
  ['MD5', { algorithm: 'md5', bytes: 16, salted: false }],
  ['SSHA', { algorithm: 'sha1', bytes: 20, salted: true }],
  ['SSHA256', { algorithm: 'sha256', bytes: 32, salted: true }],
  ['SSHA384', { algorithm: 'sha384', bytes: 48, salted: true }],
  ['SSHA512', { algorithm: 'sha512', bytes: 64, salted: true }],
  ['SMD5', { algorithm: 'md5', bytes: 16, salted: true }],
]);

/** The digest, and after it the salt that stood behind the password. */
function readDigest(text: string, { algorithm, bytes, salted }: Digest): Derivation | undefined {
  const octets = strictBase64(text);
  if (octets === undefined || (salted ? octets.length <= bytes : octets.length !== bytes)) return undefined;
  const salt = octets.subarray(bytes);
  return {
    tag: octets.subarray(0, bytes),
    isSlow: false,
    isArgon2: false,
    cost: 0,
    derive: async (password) => createHash(algorithm).update(password).update(salt).digest(),
  };
}

const ARGON2_TEXT =
  /^\$(argon2id|argon2i|argon2d)\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{1,256})$/;

function readArgon2(text: string): Derivation | undefined {
  const match = ARGON2_TEXT.exec(text);
  if (match === null) return undefined;
  const [memory, passes, parallelism] = [Number(match[2]), Number(match[3]), Number(match[4])];
  const [nonce, tag] = [strictBase64(match[5]!), strictBase64(match[6]!)];
  if (nonce === undefined || nonce.length < 8 || tag === undefined || tag.length < 4) return undefined;
  if (passes < 1 || memory > MEMORY_KIB_MAX || memory * passes > MEMORY_KIB_TIMES_PASSES_MAX) return undefined;
  if (parallelism < 1 || parallelism > PARALLELISM_MAX || memory < 8 * parallelism) return undefined;
  return {
    tag,
    isSlow: true,
    isArgon2: true,
    cost: (memory * passes) / MEMORY_KIB_TIMES_PASSES_MAX,
    derive: (message) => argon2Async(match[1]!, { message, nonce, parallelism, tagLength: tag.length, memory, passes }),
  };
}

/** Of crypt(3), whose text a zero octet would end. */
function readCrypted(text: string): Derivation | undefined {
  const read = readCrypt(text);
  if (read === undefined) return undefined;
  return {
    tag: Buffer.from(read.hash),
    isSlow: true,
    isArgon2: false,
    cost: cryptCost(read.setting),
    derive: async (password) => Buffer.from(password.includes(0) ? '' : await cryptHash(read.setting, password)),
  };
}

/** OpenLDAP's and 389's: `iterations$salt$hash`, in base64 with `.` or `+`. */
function readPbkdf2(text: string, digest: Pbkdf2Digest): Derivation | undefined {
  const [iterations, salt, tag, ...more] = text.split('$');
  if (tag === undefined || more.length > 0) return undefined;
  return pbkdf2Check(
    iterations!,
    strictBase64(salt!.replaceAll('.', '+')),
    strictBase64(tag.replaceAll('.', '+')),
    digest,
  );
}

/** `$1$salt$iterations$hex`: the salt is text. */
function readDovecotPbkdf2(text: string): Derivation | undefined {
  const [, , salt, iterations, tag, ...more] = text.split('$');
  if (tag === undefined || more.length > 0 || !/^[0-9a-fA-F]{40}$/.test(tag)) return undefined;
  return pbkdf2Check(iterations!, Buffer.from(salt!), Buffer.from(tag, 'hex'), 'sha1');
}

const SALT_389_BYTES = 64;
const TAG_389_BYTES = 256;

/** 389's older form: iterations in four octets, salt, hash, in one base64. */
function read389Pbkdf2(text: string): Derivation | undefined {
  const octets = strictBase64(text);
  if (octets?.length !== 4 + SALT_389_BYTES + TAG_389_BYTES) return undefined;
  const salt = octets.subarray(4, 4 + SALT_389_BYTES);
  return pbkdf2Check(String(octets.readUInt32BE(0)), salt, octets.subarray(4 + SALT_389_BYTES), 'sha256');
}

type Pbkdf2Digest = 'sha1' | 'sha256' | 'sha512';

const DIGEST_BYTES = { sha1: 20, sha256: 32, sha512: 64 } as const satisfies Record<Pbkdf2Digest, number>;

function pbkdf2Check(
  iterationsText: string,
  salt: Buffer | undefined,
  tag: Buffer | undefined,
  digest: Pbkdf2Digest,
): Derivation | undefined {
  const iterations = /^\d{1,8}$/.test(iterationsText) ? Number(iterationsText) : 0;
  if (salt === undefined || tag === undefined || tag.length < 16 || tag.length > TAG_389_BYTES) return undefined;
  // RFC 8018 §5.2: the iterations are done for each block of the tag.
  const rounds = iterations * Math.ceil(tag.length / DIGEST_BYTES[digest]);
  if (rounds < 1 || rounds > PBKDF2_ROUNDS_MAX) return undefined;
  return {
    tag,
    isSlow: true,
    isArgon2: false,
    cost: rounds / PBKDF2_ROUNDS_MAX,
    derive: (password) => pbkdf2Async(password, salt, iterations, tag.length, digest),
  };
}

function argon2id(message: Uint8Array, nonce: Uint8Array): Promise<Buffer> {
  const cost = { parallelism: 1, tagLength: TAG_BYTES, memory: MEMORY_KIB, passes: PASSES };
  return argon2Async('argon2id', { message, nonce, ...cost });
}

function unpadded(octets: Buffer): string {
  return octets.toString('base64').replace(/=+$/, '');
}

/** With or without padding; undefined when it is not exactly what its octets are written as. */
function strictBase64(text: string): Buffer | undefined {
  const octets = Buffer.from(text, 'base64');
  return unpadded(octets) === text.replace(/={1,2}$/, '') && text !== '' ? octets : undefined;
}

function textOf(value: AttributeValue): string {
  return typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
}
