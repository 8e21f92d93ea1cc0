import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { dkimpy, dkimVerifiersMissing, mailDkim } from '../../../test/support/dkim-verifiers.ts';
import { parseHeader } from '../header.ts';
import { RelaxedBody } from './canonical.ts';
import { signedFields } from './headers.ts';
import { keyRecord, makePrivateKey, pemOf, publicOf, readPrivateKey } from './key.ts';
import { type SigningKey, signatureFields } from './sign.ts';

/** RFC 8463 App. A.2: the secret key is printed there. */
const EDWARDS = createPrivateKey({
  key: Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    Buffer.from('nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=', 'base64'),
  ]),
  format: 'der',
  type: 'pkcs8',
});

const MESSAGE = [
  'From: Joe SixPack <joe@football.example.com>',
  'To: Suzie Q <suzie@shopping.example.net>',
  'Subject: Is dinner ready?',
  'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
  'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
  '',
  'Hi.',
  '',
  'We lost the game.  Are you hungry yet?',
  '',
  'Joe.',
  '',
].join('\r\n');

const DOMAIN = 'football.example.com';
const AT = 1_528_637_909;

async function signed(text: string, keys: readonly SigningKey[]): Promise<string> {
  const bytes = Buffer.from(text, 'latin1');
  const header = parseHeader(bytes);
  const fields = signedFields(header);
  assert.ok(fields !== undefined);
  const body = new RelaxedBody();
  body.push(bytes.subarray(header.end));
  return (await signatureFields({ fields, bodyHash: body.digest(), domain: DOMAIN, atSeconds: AT }, keys)) + text;
}

test("the key of RFC 8463's example has the record that stands there, its body the hash", () => {
  const record = keyRecord(publicOf(EDWARDS));
  assert.equal(record, 'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=');
  const body = new RelaxedBody();
  body.push(Buffer.from(MESSAGE.slice(MESSAGE.indexOf('\r\n\r\n') + 4)));
  assert.equal(body.digest().toString('base64'), '2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=');
});

test('a signature to the letter: Ed25519 gives the same each time', async () => {
  const text = await signed(MESSAGE, [{ selector: 'brisbane', type: 'ed25519', key: EDWARDS }]);
  assert.equal(
    text.slice(0, text.indexOf('From: ')),
    [
      'DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; t=1528637909;',
      '\td=football.example.com;',
      '\ts=brisbane;',
      '\th=From:From:To:To:Cc:Subject:Subject:Date:Date:Message-ID:Reply-To;',
      '\tbh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
      '\tb=F3G3Efl8NdisDUEafP5M89KiJ3baN8aIeEF697wQaUr/z9UkBJGl/zY3IyCsT5Zwu23H5tit',
      '\t Qkz3pupBl/XDDw==',
      '',
    ].join('\r\n'),
  );
});

test('names: from the bottom, oversigned, lists as they are written, in lines that are not long', async () => {
  const header = parseHeader(
    Buffer.from('to: 1\r\nTo: 2\r\nFrom: a\r\nlist-unsubscribe-post: x\r\nLIST-ID: y\r\nReceived: z\r\n\r\n'),
  );
  const fields = signedFields(header)!;
  const names = 'From From To To To Cc Subject Date Reply-To List-Unsubscribe-Post List-ID';
  assert.equal(fields.names.join(' '), names);
  assert.equal(fields.text, 'from:a\r\nto:2\r\nto:1\r\nlist-unsubscribe-post:x\r\nlist-id:y\r\n');
  const lines = (
    await signed(`${'References: <a@b>\r\n'.repeat(40)}${MESSAGE}`, [{ selector: 's', type: 'ed25519', key: EDWARDS }])
  ).split('\r\n');
  assert.ok(lines.every((line) => line.length <= 78));
  assert.equal(signedFields(parseHeader(Buffer.from('References: <a@b>\r\n'.repeat(200)))), undefined);
});

/** Messages that verifiers have stumbled over. */
const ODD: Readonly<Record<string, string>> = {
  plain: MESSAGE,
  folded: MESSAGE.replace('Subject: Is', 'SUBJECT:\r\n\t  Is').replace('dinner', 'dinner\t '),
  'without a body': MESSAGE.slice(0, MESSAGE.indexOf('\r\n\r\n') + 4),
  'empty lines at its end': `${MESSAGE}\r\n\r\n  \r\n\r\n`,
  'beyond ASCII': MESSAGE.replace('Suzie', 'S\xc3\xbczie').replace('hungry', 'h\xc3\xbcngr\xa0y'),
  'two of a name': MESSAGE.replace('To: ', 'To: one@shopping.example.net\r\nTo: '),
  'of a list': MESSAGE.replace('To: ', 'List-Id: <l.example>\r\nList-Unsubscribe: <mailto:u@l.example>\r\nTo: '),
  'with many references': MESSAGE.replace('To: ', `${'References: <a@b>\r\n'.repeat(40)}To: `),
};

test('dkimpy and Mail::DKIM verify; another From added makes it fail', { skip: dkimVerifiersMissing }, async () => {
  const rsa = await makePrivateKey('rsa');
  const keys: SigningKey[] = [
    { selector: 'r', type: 'rsa', key: rsa },
    { selector: 'e', type: 'ed25519', key: EDWARDS },
  ];
  const records = {
    [`r._domainkey.${DOMAIN}`]: keyRecord(publicOf(rsa)),
    [`e._domainkey.${DOMAIN}`]: keyRecord(publicOf(EDWARDS)),
  };
  for (const [name, message] of Object.entries(ODD)) {
    const text = await signed(message, keys);
    assert.deepEqual(dkimpy(text, records), ['r pass', 'e pass'], name);
    assert.equal(mailDkim(text, records)[0], 'r pass', name);
    if (name !== 'plain') continue;
    for (const added of ['From: eve@evil.example\r\n', 'Subject: other\r\n', 'Cc: eve@evil.example\r\n']) {
      const forged = text.replace('Message-ID: ', `${added}Message-ID: `);
      assert.deepEqual(dkimpy(forged, records), ['r fail', 'e fail'], name);
    }
    assert.deepEqual(dkimpy(text.replace('Joe.', 'Jo.'), records), ['r fail', 'e fail'], name);
  }
});

test('what is no key of ours', () => {
  const pem = (of: { privateKey: { export(o: { type: 'pkcs8'; format: 'pem' }): string | Buffer } }): string =>
    of.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  for (const bad of [
    '',
    'key',
    pem(generateKeyPairSync('rsa', { modulusLength: 1024 })),
    pem(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    pem(generateKeyPairSync('x25519')),
    createPublicKey(EDWARDS).export({ type: 'spki', format: 'pem' }).toString(),
    `${pemOf(EDWARDS)}${' '.repeat(10_000)}`,
  ])
    assert.throws(() => readPrivateKey(bad), { kind: 'invalid' });
});

test('a key comes back from its PEM, from PKCS#1 too', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const old = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  const key = readPrivateKey(pemOf(readPrivateKey(old)));
  assert.ok(key.equals(privateKey));
  assert.equal(publicOf(key).type, 'rsa');
  const open = createPublicKey({
    key: Buffer.from(publicOf(key).public, 'base64'),
    format: 'der',
    type: 'spki',
  });
  assert.ok(open.equals(createPublicKey(privateKey)));
  assert.equal(readPrivateKey(pemOf(EDWARDS)).equals(EDWARDS), true);
});
