import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { asFailure, Failure } from '../base/failure.ts';
import {
  dcDnOfDomain,
  domainOfDcDn,
  escapeDnValue,
  isAtOrBelow,
  normalizeDn,
  normalizedOfPath,
  parentOf,
  parseDn,
} from './dn.ts';

function refusal(text: string): string | undefined {
  try {
    parseDn(text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.ldap?.name;
  }
}

describe('a DN', () => {
  it('has one text but for the case of its values, and one normalized form', () => {
    const dn = parseDn('UID = Ann , ou=People,DC=Acme,dc=Example, o=Internet ');
    assert.equal(dn.text, 'uid=Ann,ou=People,dc=Acme,dc=Example,o=Internet');
    assert.equal(dn.normalized, 'uid=ann,ou=people,dc=acme,dc=example,o=internet');
    assert.equal(dn.path, 'o=internet,dc=example,dc=acme,ou=people,uid=ann,');
    assert.equal(normalizedOfPath(dn.path), dn.normalized);
  });

  const written: [given: string, text: string][] = [
    ['userid=a', 'uid=a'],
    ['2.5.4.3=A', 'cn=A'],
    ['OID.1=a', ''],
    ['Unknown = A', 'Unknown=A'],
    ['SN = B + CN = A', 'sn=B+cn=A'],
    ['cn=\\41\\2c\\2B', 'cn=A\\,\\+'],
    ['cn=a\\=b', 'cn=a=b'],
    ['cn=\\ a\\20 ', 'cn=\\ a\\ '],
    ['cn=\\23a#', 'cn=\\#a#'],
    ['cn=\\00', 'cn=\\00'],
    ['cn=#0C024142', 'cn=AB'],
    ['cn=Lu\\C4\\8Di\\C4\\87', 'cn=Lučić'],
    ['cn=\\FF\\41', 'cn=\\ff\\41'],
    ['labeledURI=http://x/?a=B', 'labeledURI=http://x/?a=B'],
  ];
  for (const [given, text] of written)
    if (text === '') it(`${given} is none`, () => assert.equal(refusal(given), 'invalidDnSyntax'));
    else
      it(`${given} is written ${text}`, () => {
        assert.equal(parseDn(given).text, text);
        assert.equal(parseDn(text).text, text);
        assert.deepEqual(parseDn(text).rdns[0]!.avas[0]!.value, parseDn(given).rdns[0]!.avas[0]!.value);
      });

  const same: [string, string][] = [
    ['commonName=a', 'CN=A'],
    ['2.5.4.3=a', 'cn=a'],
    ['cn=a+sn=b', 'SN=B+cn=a'],
    ['cn=James \\"Jim\\" Smith\\, III', 'cn=james \\22jim\\22  smith\\2C III'],
    ['cn=Lu\\C4\\8Di\\C4\\87', 'cn=lučić'],
    ['cn=\\20a\\20', 'cn=a'],
    ['cn=#0c0161', 'cn=a'],
    ['cn=#040161', 'cn=A'],
    ['cn=Straße', 'cn=STRAßE'],
    ['unknown=X', 'UNKNOWN=x'],
  ];
  for (const [a, b] of same) it(`${a} is ${b}`, () => assert.equal(normalizeDn(a), normalizeDn(b)));

  const different: [string, string][] = [
    ['cn=a', 'sn=a'],
    ['cn=a,cn=b', 'cn=b,cn=a'],
    ['cn=a\\,cn\\=b', 'cn=a,cn=b'],
    ['labeledURI=A', 'labeledURI=a'],
    ['userPassword=A', 'userPassword=a'],
  ];
  for (const [a, b] of different) it(`${a} is not ${b}`, () => assert.notEqual(normalizeDn(a), normalizeDn(b)));

  const broken = ['cn', '=a', 'cn=a,', ',', 'cn=a,,o=b', 'cn="a"', 'cn=a;o=b', 'cn=a<', 'cn=\\', 'cn=\\4', 'cn=\\zz'];
  broken.push(
    'cn=#',
    'cn=#0',
    'cn=#0c',
    'cn=#0c05',
    'cn=#30020101',
    'cn=a+',
    '1=a',
    '1..2=a',
    '1.2.=a',
    'c n=a',
    'ä=b',
  );
  broken.push('cn=a\0', 'x'.repeat(9000), `${'cn=a,'.repeat(100)}cn=a`, `${'cn=a+'.repeat(16)}cn=a`);
  // With its escapes it could not be read again; in lower case neither.
  broken.push(`cn=${'='.repeat(5000)}`, `o=x,cn=${'\u0130'.repeat(5000)}`);
  for (const text of broken) {
    it(`is not ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(refusal(text), 'invalidDnSyntax'));
  }

  it('of no RDNs is the root', () => {
    assert.deepEqual(parseDn('').rdns, []);
    assert.equal(parentOf(parseDn('')), undefined);
    assert.equal(parentOf(parseDn('o=internet')), undefined);
  });

  it('is below its superiors only', () => {
    const people = parseDn('ou=people,o=internet');
    assert.equal(isAtOrBelow(parseDn('uid=a,OU=People,o=internet'), people), true);
    assert.equal(isAtOrBelow(people, people), true);
    assert.equal(isAtOrBelow(people, parseDn('uid=a,ou=People,o=internet')), false);
    assert.equal(isAtOrBelow(parseDn('uid=a,ou=people2,o=internet'), people), false);
  });

  it('keeps octets that are no text', () => {
    const value = parseDn('cn=\\ff\\fe').rdns[0]!.avas[0]!.value;
    assert.deepEqual(value, new Uint8Array([0xff, 0xfe]));
    assert.equal(normalizeDn('cn=\\FF\\fe'), 'cn=\\ff\\fe');
  });

  it('carries any value through escaping', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (value) => {
        assert.equal(parseDn(`cn=${escapeDnValue(value)},o=internet`).rdns[0]!.avas[0]!.value, value);
      }),
    );
  });

  it('is its own normalized form once normalized', () => {
    const rdn = fc.tuple(
      fc.constantFrom('cn', 'SN', 'mail', 'dc', 'userPassword', 'x-y'),
      fc.string({ unit: 'grapheme' }),
    );
    fc.assert(
      fc.property(fc.array(rdn, { maxLength: 5 }), (rdns) => {
        const dn = parseDn(rdns.map(([type, value]) => `${type}=${escapeDnValue(value)}`).join(','));
        assert.equal(normalizeDn(dn.normalized), dn.normalized);
        assert.equal(normalizeDn(dn.text), dn.normalized);
        assert.equal(parseDn(dn.text).text, dn.text);
        assert.equal(normalizedOfPath(dn.path), dn.rdns.length === 0 ? '' : dn.normalized);
      }),
    );
  });

  it('of any text is parsed or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        assert.ok(['invalidDnSyntax', undefined].includes(refusal(text)));
        assert.ok(['invalidDnSyntax', undefined].includes(refusal(`cn=${text}`)));
      }),
    );
  });
});

describe('a DC node', () => {
  it('is a domain and back', () => {
    assert.equal(domainOfDcDn('dc=Acme,dc=example,o=internet'), 'acme.example');
    assert.equal(dcDnOfDomain('acme.example'), 'dc=acme,dc=example,o=internet');
    assert.equal(domainOfDcDn(dcDnOfDomain('a.b.acme.example', 'dc=x,o=y'), 'dc=x,o=y'), 'a.b.acme.example');
  });

  for (const dn of [
    'o=internet',
    '',
    'ou=People,dc=acme,dc=example,o=internet',
    'dc=acme,o=other',
    'dc=a+cn=b,o=internet',
    'dc=a.b,o=internet',
  ]) {
    it(`is not ${dn === '' ? 'the root' : dn}`, () => assert.equal(domainOfDcDn(dn), undefined));
  }
});

it('a name below one that has been read is what it is alone, and so is what is wrong with it', () => {
  const own = [
    ...[
      'uid=ann',
      ' uid = ann ',
      'UID=Ann+cn=x',
      'cn=a\\,b',
      'cn=a\\2cb',
      'cn=#04024869',
      'cn= a  b ',
      'cn=',
      '2.5.4.3=x',
    ],
    ...[
      'cn',
      '=x',
      'cn=a"b',
      'cn=a=b',
      'cn=a\\',
      '',
      'cn=a+',
      'cn=a;b',
      'cn=#04',
      'cn=a+cn=b+cn=c+cn=d+cn=e+cn=f+cn=g+cn=h+cn=i',
    ],
  ];
  const read = (text: string): string => {
    try {
      return JSON.stringify(parseDn(text));
    } catch (error) {
      return asFailure(error).message;
    }
  };
  for (const [n, rdn] of own.entries()) {
    const alone = read(`${rdn},ou=x${n},o=alone`);
    read(`ou=y${n},o=alone`);
    assert.equal(read(`${rdn},ou=y${n},o=alone`), alone.replaceAll(`x${n}`, `y${n}`), rdn);
  }
});

test('any text near a name is one that is its own normalized form once normalized, or refused', () => {
  const seeds = [
    'uid=Ann+cn=A\\2C B, ou=People,dc=acme,o=internet',
    'CN=#04024869,o=\u00c4\u0130 x',
    'cn=" a\\"b",o=x',
    '2.5.4.3=\\ \\#x\\ ,o=y',
    '',
  ];
  fc.assert(
    fc.property(mutatedText(seeds), (text) => {
      const why = refusal(text);
      if (why !== undefined) return assert.equal(why, 'invalidDnSyntax');
      const dn = parseDn(text);
      assert.equal(normalizeDn(dn.normalized), dn.normalized);
      assert.equal(normalizeDn(dn.text), dn.normalized);
      assert.equal(parseDn(dn.text).text, dn.text);
      assert.equal(normalizedOfPath(dn.path), dn.rdns.length === 0 ? '' : dn.normalized);
    }),
    fuzzCases(1500),
  );
});
