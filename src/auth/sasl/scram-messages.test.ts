// Messages of SCRAM from octets that are nearly such, and from any.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { readClientFinal, readClientFirst } from './scram-messages.ts';

const PROOF = Buffer.alloc(32, 7).toString('base64');
const seeds = [
  'n,,n=ann@acme.example,r=rOprNGfwEbeRWgbNEkqO',
  'y,a=ann@acme.example,n=a=2C=3Dn@acme.example,r=x,e=1',
  'p=tls-server-end-point,,n=zo\u00eb,r=rOprNGfwEbeRWgbNEkqO',
  `c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=${PROOF}`,
  `c=cD10bHMtZXhwb3J0ZXIsLGRhdGE=,r=x,e=1,p=${PROOF}`,
];

function read<T>(parse: (octets: Buffer) => T, octets: Buffer): T | undefined {
  try {
    return parse(octets);
  } catch (error) {
    assert.ok(error instanceof Failure && error.kind === 'syntax', String(error));
    return undefined;
  }
}

test('any octets are a message whose parts are what was sent, or malformed', () => {
  fc.assert(
    fc.property(mutatedOctets(seeds), (octets) => {
      const text = octets.toString('utf8');
      const first = read(readClientFirst, octets);
      if (first !== undefined) {
        assert.equal(first.header + first.bare, text);
        assert.equal(first.flag === 'p', first.bindingType !== undefined);
        assert.ok(octets.length <= 2048 && Buffer.byteLength(first.name) <= 255);
        const escaped = first.name.replaceAll('=', '=3D').replaceAll(',', '=2C');
        assert.ok(first.bare.startsWith(`n=${escaped},r=${first.nonce}`), text);
      }
      const final = read(readClientFinal, octets);
      if (final === undefined) return;
      assert.equal(`${final.withoutProof},p=${final.proof.toString('base64')}`, text);
      assert.ok(final.withoutProof.startsWith(`c=${final.binding},r=${final.nonce}`), text);
      assert.equal(final.proof.length, 32);
    }),
    fuzzCases(3000),
  );
});
