import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HashGate } from './hash-gate.ts';
import { hashPassword, hasScheme, isOldHash, verifyPassword } from './password.ts';

const gate = new HashGate({ slots: 2 });
const secret = Buffer.from('secret');

/** Made by other programs from the password `secret`. */
const elsewhere: [maker: string, value: string][] = [
  ['OpenLDAP', '{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll'],
  [
    'OpenLDAP',
    '{ARGON2}$argon2i$v=19$m=4096,t=3,p=1$ZAmfWPlGAc47MOFzT2dmnQ$Y9HW5k/NXbCJaaARIBRtlz41Ie17TN/Plur51blJ3AI',
  ],
  [
    'Dovecot',
    '{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$DDPlPpHMLf3RfBo/xBU+3w$CaEYwTTiYkDOTVkKvmZeit5CARdNNcX5H366+mpTv0g',
  ],
  ['Dovecot', '{SSHA512}CJpU+HgRpuzS8h7dzWKxNt1WerEv1uthCzwAhFNTj7yJwjCCXxgtquA/3Jjuv+i4sKMdYzYmKW6XVLQfISHXqtGfEEY='],
  ['Dovecot', '{PBKDF2}$1$L/1C663bHE/AOOpp$5000$e17ced83579c62488c0fac854db943545ce1e604'],
  ['Python', '{SSHA256}swTyciKL1jSrpuiILDonRJjkh3hIgn9GWA19lVbEJrMxMjM0NTY3OA=='],
  ['Python', '{SMD5}fuCAxnOQVkVHk7mGRmnYXzEyMzQ1Njc4'],
  ['Python', '{sha}5en6G6MezRroT3XKqkdPOmY/BfQ='],
  ['Python', '{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols='],
  ['Python', '{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ=='],
  [
    'Python in the form of 389 and OpenLDAP',
    '{PBKDF2-SHA256}10000$MTIzNDU2NzgxMjM0NTY3OA$eWf5ci5d3yrniVEdN1X1T/JyPQHtMmBxWWYzPtUw0yY',
  ],
  [
    'Python in the older form of 389',
    '{PBKDF2_SHA256}AAAIAAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj+B9XeO' +
      'ejtyt4BTjI46i3LtcyOiILFyqJgSilUxXiMS6q73bHB/+ZX8IITSt36w6FEBAtkpXO02/zpH0rHl4YSdeZ5hjbd9nDYq0Avw9pABNQVUEj7GBo' +
      '+Dt2J6hvxICY6SNDtgyGQljMTA64Cc4E6rd/w3uDixLyqzBEc+Ba4lSmEBR6oQsFCJ2fpEquMVx7EG7YG7PZesWyzC+/itvph53qwWtea21d4D' +
      'Wq+gi+HjlMNggdZ5ycW4VWdnfqvWWsKPbrvrvlPNIIWUdoQUFTVIdMJhjnTZ5AeiM9iXBM3G4qbPigqPZyw922t+6ygi+ignwkbT2jWrtAx+Q8' +
      '7w/wL8',
  ],
];

for (const value of [
  '$6$J/A9BWGYXwcVNQ2y$uXiaMlOC4Zz7eDMLMA4S5jw25IGsgNepHkMiy9nvc0XKyOWW.gD4iQHubyt/itv9FKk7HzlZMhC.UXvsGhK/P1',
  '$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA',
  '$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2',
  '$6$rounds=200000$saltsaltsaltsalt$mV4Czutl0sjN0ROZm13IqKrPXPtDhdofNTaksIj5lPNHKkx7q0uH1erapXROXj.KdHFrKvKlz0NSrLQcelbJv.',
  '$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1',
  '$1$$ysVNzQc4CTMkp5daOdZ.3/',
  '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
  '$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
  '$2a$06$abcdefghijklmnopqrstuuxLa0AkDDSrQ9VwNnETzOsObiucpMYgC',
])
  elsewhere.push(['crypt(3)', `{CRYPT}${value}`]);

describe('a stored password', () => {
  for (const [maker, value] of elsewhere) {
    it(`of ${maker}, ${value.slice(0, 16)}..., matches its password only`, async () => {
      assert.equal(hasScheme(value), true);
      assert.equal(await verifyPassword([value], secret, gate), true);
      assert.equal(await verifyPassword([value], Buffer.from('Secret'), gate), false);
      assert.equal(await verifyPassword([`${value}A`], secret, gate), false);
    });
  }

  it('of ours is Argon2id with 19 MiB and two passes, salted', async () => {
    const [a, b] = [await hashPassword(secret, gate), await hashPassword(secret, gate)];
    assert.match(a, /^\{ARGON2\}\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.notEqual(a, b);
    assert.equal(await verifyPassword([a], secret, gate), true);
    assert.equal(await verifyPassword([a], Buffer.from('secret '), gate), false);
  });

  it('is old where it is no Argon2id, and keys for SCRAM are none', async () => {
    for (const [, value] of elsewhere) assert.equal(isOldHash(value), !value.includes('$argon2id$'));
    assert.equal(isOldHash(await hashPassword(secret, gate)), false);
    assert.equal(isOldHash('{SCRAM-SHA-256}4096,x,y,z'), false);
  });

  it('is tried beside others up to twice the cost of the dearest, the cheapest first', async () => {
    const wrong = Buffer.alloc(32).toString('base64').replace('=', '');
    const dear = [1, 2, 3, 4, 5, 6].map((n) => `{ARGON2}$argon2id$v=19$m=262144,t=2,p=1$c2FsdHNhbHQ${n}$${wrong}`);
    const right =
      '{CRYPT}$6$rounds=200000$saltsaltsaltsalt$mV4Czutl0sjN0ROZm13IqKrPXPtDhdofNTaksIj5lPNHKkx7q0uH1erapXROXj.KdHFrKvKlz0NSrLQcelbJv.';
    const cheap = '{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll';
    assert.equal(await verifyPassword([...dear, cheap], secret, gate), true);
    assert.equal(await verifyPassword([dear[0]!, right], secret, gate), true);
    assert.equal(await verifyPassword([dear[0]!, dear[1]!, right], secret, gate), false);
  });

  it('of crypt(3) never matches what its text would end before, or what is no UTF-8', async () => {
    const bcrypt = '{CRYPT}$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW';
    for (const tried of ['secret\0', 'secret\0x'])
      assert.equal(await verifyPassword([bcrypt], Buffer.from(tried), gate), false);
    assert.equal(await verifyPassword([bcrypt], Buffer.from([0xff, 0xfe]), gate), false);
  });

  it('may be one of several, and octets', async () => {
    const values = ['{SSHA}AAAA', Buffer.from(elsewhere[0]![1])];
    assert.equal(await verifyPassword(values, secret, gate), true);
  });

  const never = [
    'secret',
    '{CLEARTEXT}secret',
    '{CRYPT}abNANd1rDfiNc',
    '{CRYPT}$2b$15$abcdefghijklmnopqrstuuB1A/ENTI1pzO2sjUa3mRvMw8Yfwf38.',
    '{CRYPT}$6$rounds=200001$saltsaltsaltsalt$1FMgCCS57QLrQK3nEBiEfEP1Y42CH2rWAljTvk1tEV0T06bslG0XtGqujvi11lTzdJcJ.EjVC12sZSRNhlM9Z0',
    '{X}secret',
    '{SHA}',
    '{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=',
    '{ARGON2}$argon2id$v=19$m=999999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA',
    '{ARGON2}$argon2id$v=19$m=19456,t=9999,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA',
    '{ARGON2}$argon2id$v=19$m=262144,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA',
    '{PBKDF2}2000001$MTIzNDU2NzgxMjM0NTY3OA$NZWsX2RYiMy6HcROTmH3b5GUpV4',
    '{PBKDF2}99999999$MTIzNDU2NzgxMjM0NTY3OA$NZWsX2RYiMy6HcROTmH3b5GUpV4',
    '{PBKDF2}0$MTIzNDU2NzgxMjM0NTY3OA$NZWsX2RYiMy6HcROTmH3b5GUpV4',
  ];
  for (const value of never) {
    it(`${value.slice(0, 40)} matches nothing`, async () => {
      assert.equal(await verifyPassword([value], secret, gate), false);
    });
  }

  it('does not match the empty password or one that is too long', async () => {
    const empty = await hashPassword(Buffer.alloc(0), gate);
    assert.equal(await verifyPassword([empty], Buffer.alloc(0), gate), false);
    assert.equal(await verifyPassword([empty], Buffer.alloc(100_000), gate), false);
    assert.equal(await verifyPassword([], secret, gate), false);
  });

  it('is recognized by its prefix', () => {
    assert.equal(hasScheme('{ARGON2}x'), true);
    assert.equal(hasScheme('{SSHA512}'), true);
    for (const clear of ['secret', '{', '{}', '{} x', '{a b}c', ' {SHA}x', `{${'x'.repeat(40)}}`]) {
      assert.equal(hasScheme(clear), false);
    }
  });
});
