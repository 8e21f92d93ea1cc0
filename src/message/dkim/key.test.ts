// Keys of signatures as PEM, nearly right: a key whose public half is its own, or none; and no word of a secret.

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { keyRecord, PEM_BYTES, pemOf, publicOf, readPrivateKey } from './key.ts';

const ed25519 = generateKeyPairSync('ed25519').privateKey;
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const pkcs1 = rsa.export({ type: 'pkcs1', format: 'pem' }).toString();

test('PKCS#8 and PKCS#1 of a key that may sign', () => {
  for (const [pem, key] of [
    [pemOf(ed25519), ed25519],
    [pemOf(rsa), rsa],
    [pkcs1, rsa],
  ] as const)
    assert.ok(readPrivateKey(pem).equals(key));
  for (const pem of [
    '',
    pemOf(small),
    pemOf(ec),
    createPublicKey(rsa).export({ type: 'spki', format: 'pem' }).toString(),
  ])
    assert.throws(() => readPrivateKey(pem), { kind: 'invalid' });
  assert.throws(() => readPrivateKey(pemOf(rsa) + ' '.repeat(PEM_BYTES)), { kind: 'invalid' });
});

test('any text is a key that is written and read again as the same, or none, and the error has nothing of it', () => {
  const locked = ed25519.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' }).toString();
  const short = [ed25519, small, ec].map(pemOf);
  // Reading RSA takes fifty times as long.
  const seeds = [...short, ...short, ...short, locked, short.join(''), pemOf(rsa), pkcs1];
  fc.assert(
    fc.property(mutatedText(seeds), (pem) => {
      let key: KeyObject;
      try {
        key = readPrivateKey(pem);
      } catch (error) {
        assert.ok(error instanceof Failure && error.kind === 'invalid' && error.detail === undefined, String(error));
        assert.ok(!/MC4|MII|ossl|asn1/i.test(error.message));
        return;
      }
      assert.ok(pem.length <= PEM_BYTES);
      const open = publicOf(key);
      assert.deepEqual(publicOf(readPrivateKey(pemOf(key))), open);
      assert.match(keyRecord(open), /^v=DKIM1; k=(rsa|ed25519); p=[A-Za-z0-9+/]+={0,2}$/);
    }),
    fuzzCases(300),
  );
});
