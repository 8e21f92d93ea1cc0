import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HashGate } from './hash-gate.ts';
import { isVerifiable, verifyPassword } from './password.ts';
import { keysOf, lacksKeys, makeKeys, newSalting, readKeys } from './scram-keys.ts';

const gate = new HashGate({ slots: 1 });
const pencil = Buffer.from('pencil');
/** What Dovecot's `doveadm pw -s SCRAM-SHA-256 -p pencil` printed. */
const DOVECOT =
  '{SCRAM-SHA-256}4096,wod8BcxTzb7eElkv3osaTQ==,ofv54idUPeU/nR5pu6NwV1pE8MCERnfKSVsrcFKN9hU=,' +
  't+XTJxQ6SnQeI7OnY8/fB8IGLdXtsWc9jIzJV1HGyPQ=';

describe('keys for SCRAM', () => {
  it('are written as Dovecot writes them, octet for octet', async () => {
    const salting = readKeys(DOVECOT)!;
    assert.equal(salting.iterations, 4096);
    assert.equal(await makeKeys(pencil, gate, salting), DOVECOT);
    assert.notEqual(await makeKeys(Buffer.from('Pencil'), gate, salting), DOVECOT);
  });

  it('of ours have 65,536 iterations and a salt of their own', async () => {
    const [a, b] = [await makeKeys(pencil, gate, newSalting()), await makeKeys(pencil, gate, newSalting())];
    assert.match(a!, /^\{SCRAM-SHA-256\}65536,[A-Za-z0-9+/]{22}==,[A-Za-z0-9+/]{43}=,[A-Za-z0-9+/]{43}=$/);
    assert.notEqual(a, b);
  });

  it('are those of the prepared password, and not made where there is none', async () => {
    const salting = newSalting();
    const typed = await makeKeys(Buffer.from('e\u0301\u00a0x'), gate, salting);
    assert.equal(typed, await makeKeys(Buffer.from('\u00e9 x'), gate, salting));
    for (const password of [Buffer.from('\u{1f40e}'), Buffer.from([0xff, 0xfe]), Buffer.from('a\u0007')])
      assert.equal(await makeKeys(password, gate, salting), undefined);
  });

  const [salt, storedKey, serverKey] = DOVECOT.slice('{SCRAM-SHA-256}4096,'.length).split(',') as [
    string,
    string,
    string,
  ];
  const unreadable = [
    `{SCRAM-SHA-1}4096,${salt},${storedKey},${serverKey}`,
    `{SCRAM-SHA-256}4095,${salt},${storedKey},${serverKey}`,
    `{SCRAM-SHA-256}2000001,${salt},${storedKey},${serverKey}`,
    `{SCRAM-SHA-256}04096,${salt},${storedKey},${serverKey}`,
    `{SCRAM-SHA-256}4096,AAA=,${storedKey},${serverKey}`,
    `{SCRAM-SHA-256}4096,${'A'.repeat(88)},${storedKey},${serverKey}`,
    `{SCRAM-SHA-256}4096,${salt},${storedKey}`,
    `{SCRAM-SHA-256}4096,${salt},${storedKey},${serverKey},`,
    `{SCRAM-SHA-256}4096,${salt},${storedKey},${serverKey.slice(0, -1)}`,
    `{SCRAM-SHA-256}4096,${salt},AAAA,${serverKey}`,
    '{SCRAM-SHA-256}',
  ];
  for (const value of unreadable)
    it(`are not read from ${value.slice(0, 50)}...`, () => assert.equal(readKeys(value), undefined));

  it('verify a password in the clear where no other value can', async () => {
    assert.equal(isVerifiable([DOVECOT]), true);
    assert.equal(await verifyPassword([DOVECOT], pencil, gate), true);
    assert.equal(await verifyPassword(['{CRYPT}x', Buffer.from(DOVECOT)], pencil, gate), true);
    assert.equal(await verifyPassword([DOVECOT], Buffer.from('Pencil'), gate), false);
    const other = '{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll';
    assert.equal(await verifyPassword([DOVECOT, other], Buffer.from('secret'), gate), true);
    assert.equal(await verifyPassword([DOVECOT, other], pencil, gate), false);
  });

  it('are compared with where they have the salt of the first', async () => {
    const salting = newSalting();
    const [one, two] = [await makeKeys(pencil, gate, salting), await makeKeys(Buffer.from('pen'), gate, salting)];
    assert.equal(keysOf(['{SSHA}x', one!, DOVECOT, two!]).length, 2);
    assert.equal(keysOf([DOVECOT, one!, two!]).length, 1);
    assert.equal(keysOf([]).length, 0);
    const lacking: [boolean, string[]][] = [
      [false, []],
      [false, [one!]],
      [true, ['{SSHA}x']],
      [false, ['{SSHA}x', one!]],
      [true, ['{SSHA}x', one!, '{SSHA}y']],
      [true, ['{SSHA}x', one!, '{SSHA}y', DOVECOT]],
      [false, ['{SSHA}x', one!, '{SSHA}y', two!]],
      [true, ['{SSHA}x', '{SCRAM-SHA-256}4096']],
    ];
    for (const [expected, values] of lacking) assert.equal(lacksKeys(values), expected, values.join(' '));
  });
});
