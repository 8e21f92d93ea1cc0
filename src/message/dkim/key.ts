// Keys of signatures: what may be one, what its public half is, and the record that publishes it.
//
// In      a private key as PEM: PKCS#8, PKCS#1 too
// Out     the key; its type and p=; the text of its record
// Errors  Failure('invalid') for what is no RSA key of 2048 to 4096 bits and no Ed25519 key
// Never   says anything of a private key in an error
// RFC 6376 §3.3.3 §3.6.1, RFC 8301 §3.2, RFC 8463 §4.2

import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Failure } from '../../base/failure.ts';
import type { KeyType } from './sign.ts';

const RSA_BITS = { least: 2048, most: 4096 };
/** Larger than any key that may be one. */
export const PEM_BYTES = 8192;

export interface PublicKey {
  readonly type: KeyType;
  /** p= */
  readonly public: string;
}

export function readPrivateKey(pem: string): KeyObject {
  const key = pem.length > PEM_BYTES ? undefined : parsed(pem);
  if (key === undefined || typeOf(key) === undefined)
    throw new Failure(
      'invalid',
      `The key is not a private RSA key of ${RSA_BITS.least} to ${RSA_BITS.most} bits or Ed25519 key, in PEM without a pass phrase`,
    );
  return key;
}

function parsed(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey({ key: pem, format: 'pem' });
  } catch {
    return undefined;
  }
}

function typeOf(key: KeyObject): KeyType | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  const bits = key.asymmetricKeyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  return bits >= RSA_BITS.least && bits <= RSA_BITS.most ? 'rsa' : undefined;
}

/** RFC 8463 §4.2: of Ed25519 the 32 octets alone, of RSA the SubjectPublicKeyInfo. */
export function publicOf(key: KeyObject): PublicKey {
  const type = typeOf(key)!;
  const open = createPublicKey(key);
  if (type === 'rsa') return { type, public: open.export({ type: 'spki', format: 'der' }).toString('base64') };
  return { type, public: Buffer.from(open.export({ format: 'jwk' }).x!, 'base64url').toString('base64') };
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

export async function makePrivateKey(type: KeyType): Promise<KeyObject> {
  // RSA takes a tenth of a second: in the thread pool.
  const pair =
    type === 'rsa'
      ? await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS.least })
      : await promisify(generateKeyPair)('ed25519');
  return pair.privateKey;
}

/** What `SELECTOR._domainkey` says. */
export function keyRecord({ type, public: p }: PublicKey): string {
  return `v=DKIM1; k=${type}; p=${p}`;
}
