// Keys for SCRAM-SHA-256 as userPassword holds them: `{SCRAM-SHA-256}65536,salt,StoredKey,ServerKey`, the last three in base64,
// which is Dovecot's form.
//
// In      a clear password, or stored values
// Out     keys as a value; keys as octets, undefined for a value that does not parse
// Limits  4096 to 2,000,000 iterations, a salt of 4 to 64 octets; dearer keys do not count
// Never   makes keys of a password that SASLprep refuses: a client could not make the same
// RFC 5802 §3, RFC 7677 §4, RFC 4013

import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { asciiLower } from '../base/characters.ts';
import type { AttributeValue } from '../directory/entry.ts';
import { isScramKeys, SCRAM_PREFIX } from '../directory/scram-values.ts';
import type { HashGate } from './hash-gate.ts';
import { saslprep } from './saslprep.ts';

/** A SCRAM login is told one: only passwords of an entry that share it can log in so. */
export interface Salting {
  readonly iterations: number;
  readonly salt: Buffer;
}

export interface ScramKeys extends Salting {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** The most that Cyrus SASL's client takes. */
const SCRAM_ITERATIONS = 65_536;
const SCRAM_SALT_BYTES = 16;
const SCRAM_KEY_BYTES = 32;
const ITERATIONS_MIN = 4096;
const ITERATIONS_MAX = 2_000_000;
const SALT_BYTES_MIN = 4;
const SALT_BYTES_MAX = 64;

const pbkdf2Async = promisify(pbkdf2);

export function newSalting(): Salting {
  return { iterations: SCRAM_ITERATIONS, salt: randomBytes(SCRAM_SALT_BYTES) };
}

/** Of a name without keys: the same each time, and nobody else can tell it from one that was drawn. */
export function saltFor(secret: Uint8Array, name: string): Buffer {
  return createHmac('sha256', secret).update(asciiLower(name)).digest().subarray(0, SCRAM_SALT_BYTES);
}

/** Undefined where SASLprep refuses the password. */
export async function makeKeys(password: Uint8Array, gate: HashGate, salting: Salting): Promise<string | undefined> {
  const prepared = saslprep(password);
  if (prepared === undefined) return undefined;
  const { storedKey, serverKey } = await gate.run(() => derive(prepared, salting));
  const octets = [salting.salt, storedKey, serverKey].map((each) => each.toString('base64'));
  return `${SCRAM_PREFIX}${[salting.iterations, ...octets].join(',')}`;
}

/** Of keys that count, in the dearest ones: 0 to 1. */
export function keysCost({ iterations }: Salting): number {
  return iterations / ITERATIONS_MAX;
}

/** The StoredKey that this password has; empty where SASLprep refuses it. */
export async function storedKeyOf(password: Uint8Array, salting: Salting): Promise<Buffer> {
  const prepared = saslprep(password);
  return prepared === undefined ? Buffer.alloc(0) : (await derive(prepared, salting)).storedKey;
}

export function readKeys(value: AttributeValue): ScramKeys | undefined {
  if (!isScramKeys(value)) return undefined;
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
  const [iterationsText, ...octets] = text.slice(SCRAM_PREFIX.length).split(',');
  const [salt, storedKey, serverKey, ...more] = octets.map(paddedBase64);
  const iterations = /^[1-9]\d{3,6}$/.test(iterationsText!) ? Number(iterationsText) : 0;
  if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) return undefined;
  if (salt === undefined || storedKey === undefined || serverKey === undefined || more.length > 0) return undefined;
  if (salt.length < SALT_BYTES_MIN || salt.length > SALT_BYTES_MAX) return undefined;
  if (storedKey.length !== SCRAM_KEY_BYTES || serverKey.length !== SCRAM_KEY_BYTES) return undefined;
  return { iterations, salt, storedKey, serverKey };
}

/** What a SCRAM login of these stored values is compared with: all keys that have the salt of the first. */
export function keysOf(stored: readonly AttributeValue[]): readonly ScramKeys[] {
  const keys = stored.map(readKeys).filter((each) => each !== undefined);
  const first = keys[0];
  return keys.filter(({ salt, iterations }) => salt.equals(first!.salt) && iterations === first!.iterations);
}

/** A password among these has no keys that a SCRAM login would be compared with. */
export function lacksKeys(stored: readonly AttributeValue[]): boolean {
  const passwords = stored.filter((value) => !isScramKeys(value)).length;
  return passwords > 0 && passwords > keysOf(stored).length;
}

async function derive(
  prepared: Buffer,
  { salt, iterations }: Salting,
): Promise<Pick<ScramKeys, 'storedKey' | 'serverKey'>> {
  const salted = await pbkdf2Async(prepared, salt, iterations, SCRAM_KEY_BYTES, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  return {
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: createHmac('sha256', salted).update('Server Key').digest(),
  };
}

function paddedBase64(text: string): Buffer | undefined {
  const octets = Buffer.from(text, 'base64');
  return octets.toString('base64') === text ? octets : undefined;
}
