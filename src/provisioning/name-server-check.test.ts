// What the entry of a name server may say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add, openTestDirectory } from './testing.ts';

const SECRET = Buffer.from('a secret of thirty-two octets...').toString('base64');
const entry = (values: Readonly<Record<string, readonly string[]>>) =>
  add('cn=ns,ou=Hosts,ou=Waypost,o=internet', {
    objectClass: ['waypostNameServer'],
    cn: ['ns'],
    waypostNameServerRole: ['secondary'],
    waypostNameServerAddress: ['192.0.2.1', '[2001:db8::1]:5300'],
    ...values,
  });

const REFUSED: readonly (readonly [Readonly<Record<string, readonly string[]>>, RegExp])[] = [
  [{ waypostNameServerRole: ['hidden'] }, /waypostNameServerRole: hidden/],
  [{ waypostNameServerAddress: ['ns.example'] }, /waypostNameServerAddress: ns\.example/],
  [{ waypostNameServerAddress: ['192.0.2.1:0'] }, /192\.0\.2\.1:0/],
  [{ waypostNameServerRole: ['primary'] }, /waypostZone is missing/],
  [{ waypostZone: ['a b'] }, /waypostZone: a b/],
  [{ waypostTsigName: ['x.example'] }, /one is not without the other/],
  [{ waypostTsigSecret: [SECRET] }, /one is not without the other/],
  [{ waypostTsigName: ['x.example'], waypostTsigSecret: ['%%%'] }, /waypostTsigSecret is not base64/],
  [{ waypostTsigName: ['x.example'], waypostTsigSecret: ['c2hvcnQ='] }, /less than 16 octets/],
  [
    { waypostTsigName: ['x.example'], waypostTsigSecret: [SECRET], waypostTsigAlgorithm: ['hmac-md5'] },
    /waypostTsigAlgorithm: hmac-md5/,
  ],
];

test('the entry of a name server says what can be used; what cannot is refused with the value, secrets without', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  for (const [values, words] of REFUSED)
    await assert.rejects(
      async () => directory.apply(entry(values)),
      (error: Error) => {
        assert.match(error.message, words);
        assert.ok(!error.message.includes(SECRET));
        return true;
      },
    );
  await directory.apply(entry({ waypostTsigName: ['x.example'], waypostTsigSecret: [SECRET] }));
});
