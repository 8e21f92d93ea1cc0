import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CertificateChoice, type ServedCertificate } from './certificate-choice.ts';

const HOST = 'mail.host.example';

const certificate = (source: string, names: string[], more: Partial<ServedCertificate> = {}): ServedCertificate => ({
  ...{ source, names, chain: '', key: '', keyType: 'ec', notBefore: 0, notAfter: 1000 },
  ...more,
});

const local = certificate('local', ['localhost']);

const chosen = (certificates: readonly ServedCertificate[], name: string | undefined, now = 500): string[] =>
  new CertificateChoice(certificates, local, HOST).choose(name, now).map(({ source }) => source);

test('exact name, then a wildcard of one label, then the host’s, then local', () => {
  const exact = certificate('exact', ['mail.acme.example']);
  const wildcard = certificate('wildcard', ['*.acme.example']);
  const host = certificate('host', [HOST]);
  assert.deepEqual(chosen([wildcard, exact, host], 'mail.acme.example'), ['exact']);
  assert.deepEqual(chosen([wildcard, host], 'mail.acme.example'), ['wildcard']);
  assert.deepEqual(chosen([wildcard, host], 'a.mail.acme.example'), ['host']);
  assert.deepEqual(chosen([wildcard, host], 'acme.example'), ['host']);
  assert.deepEqual(chosen([exact, host], undefined), ['host']);
  assert.deepEqual(chosen([certificate('host', ['*.host.example'])], undefined), ['host']);
  assert.deepEqual(chosen([exact], 'other.example'), ['local']);
});

test('RSA and ECDSA of one name are served together, but no expired one beside a valid one', () => {
  const ec = certificate('ec', ['a.example'], { notBefore: 10 });
  const rsa = certificate('rsa', ['a.example'], { keyType: 'rsa' });
  assert.deepEqual(chosen([rsa, ec], 'a.example'), ['ec', 'rsa']);
  assert.deepEqual(chosen([{ ...rsa, notAfter: 400 }, ec], 'a.example'), ['ec']);
  assert.deepEqual(
    chosen(
      [
        { ...rsa, notAfter: 400 },
        { ...ec, notAfter: 400 },
      ],
      'a.example',
    ),
    ['ec', 'rsa'],
  );
});

test('any certificates: what is chosen is what the order of the rules says', () => {
  const names = ['a.example', 'b.a.example', '*.a.example', '*.example', HOST, '*.host.example'];
  const any = fc.record({
    names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
    keyType: fc.constantFrom('ec', 'rsa'),
    notBefore: fc.integer({ min: 0, max: 9 }),
    notAfter: fc.integer({ min: 1, max: 10 }),
  });
  const asked = fc.constantFrom(undefined, ...names.filter((name) => !name.startsWith('*')), 'x.y.z');
  fc.assert(
    fc.property(fc.array(any, { maxLength: 6 }), asked, fc.integer({ min: 0, max: 10 }), (list, name, now) => {
      const all = list.map((each, i) => certificate(String(i), each.names, each));
      const matches = (pattern: string | undefined): ServedCertificate[] =>
        pattern === undefined ? [] : all.filter((each) => each.names.includes(pattern));
      const star = (of: string): string => `*.${of.split('.').slice(1).join('.')}`;
      const patterns = [name, name === undefined ? undefined : star(name), HOST, star(HOST)];
      const candidates = patterns.map(matches).find((found) => found.length > 0) ?? [local];
      const result = new CertificateChoice(all, local, HOST).choose(name, now);
      const best = result[0]!;
      assert.ok(result.every((each) => candidates.includes(each)));
      assert.equal(new Set(result.map(({ keyType }) => keyType)).size, result.length);
      const isValid = (each: ServedCertificate): boolean => each.notBefore <= now && now < each.notAfter;
      for (const other of candidates) {
        assert.ok(isValid(best) || !isValid(other));
        if (isValid(best) === isValid(other)) {
          assert.ok(best.notBefore >= other.notBefore);
          assert.ok(result.some(({ keyType }) => keyType === other.keyType));
        }
      }
      assert.ok(result.every((each) => isValid(each) === isValid(best)));
    }),
  );
});
