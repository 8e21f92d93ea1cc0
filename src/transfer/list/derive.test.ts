// What a list makes of a message: fields, and texts before and behind, in every kind of body.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../message/address.ts';
import type { ListTexts } from '../../routing/rows.ts';
import { deriveMessage } from './derive.ts';

const LIST = parseAddress('news@acme.example');
const OWN = 'List-Id: <news.acme.example>\r\nList-Post: <mailto:news@acme.example>\r\n';

const derived = (text: string, texts: ListTexts): string =>
  deriveMessage(Buffer.from(text, 'latin1'), LIST, texts).toString('latin1');

test('fields are taken away and added; what is there stays as it was', () => {
  const text = 'Received: from a\r\nSubject: x\r\nReply-To: a@b.example\r\n folded\r\n\r\nbody\r\n';
  assert.equal(
    derived(text, { remove: ['reply-to'], add: ['X-List: yes'] }),
    `Received: from a\r\nSubject: x\r\nX-List: yes\r\n${OWN}\r\nbody\r\n`,
  );
  assert.equal(derived('List-Id: <own>\r\nList-Post: NO\r\n\r\nx', {}), 'List-Id: <own>\r\nList-Post: NO\r\n\r\nx');
});

test('a field that may be there once takes the place of the one that is there', () => {
  const text = 'Reply-To: a@b.example\r\nSubject: x\r\nReply-To: b@b.example\r\nX-List: a\r\n\r\nbody\r\n';
  assert.equal(
    derived(text, { add: ['Reply-TO: news@acme.example', 'X-List: b'] }),
    `Subject: x\r\nX-List: a\r\nReply-TO: news@acme.example\r\nX-List: b\r\n${OWN}\r\nbody\r\n`,
  );
});

test('the URL of List-Post leads to the list, whatever its address has', () => {
  for (const [address, url] of [
    ['r&d@acme.example', 'mailto:r%26d@acme.example'],
    ['a+b=c?d@acme.example', 'mailto:a+b%3Dc%3Fd@acme.example'],
    ['"a b"@acme.example', 'mailto:%22a%20b%22@acme.example'],
    ['jörg@acme.example', 'mailto:j%C3%B6rg@acme.example'],
  ])
    assert.match(
      deriveMessage(Buffer.from('Subject: x\r\n\r\nx\r\n'), parseAddress(address!), {}).toString('latin1'),
      new RegExp(`^List-Post: <${url!.replace(/[+?]/g, '\\$&')}>\r$`, 'm'),
    );
});

test('a text that is a file is wrapped, not written into', () => {
  for (const [fields, isWritten] of [
    ['Content-Disposition: inline\r\n', true],
    ['Content-Disposition: attachment\r\n', false],
    ['Content-Disposition: inline; filename=a.csv\r\n', false],
    ['Content-Disposition: other\r\n', false],
    ['Content-Type: text/plain; name="a.csv"\r\n', false],
  ] as const)
    assert.equal(derived(`${fields}\r\na;b\r\n`, { suffix: 'Bye' }).endsWith('\r\na;b\r\nBye\r\n'), isWritten, fields);
});

test('the password of the list goes to nobody', () => {
  const text = 'Approved: secret\r\nSubject: x\r\n\r\nx\r\n';
  assert.equal(derived(text, { password: true }), `Subject: x\r\n${OWN}\r\nx\r\n`);
});

test('texts stand in a plain body; $ is a line break, $$ a dollar', () => {
  assert.equal(
    derived('Subject: x\r\n\r\nhello', { prefix: 'From the list$$1$now', suffix: 'Bye' }),
    `Subject: x\r\n${OWN}\r\nFrom the list$1\r\nnow\r\nhello\r\nBye\r\n`,
  );
  const quoted = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n';
  assert.equal(
    derived(`${quoted}\r\na=3Db\r\n`, { suffix: 'für = alle' }),
    `${quoted}${OWN}\r\na=3Db\r\nf=C3=BCr =3D alle\r\n`,
  );
});

test('texts are the first and the last part of a multipart/mixed', () => {
  const head = 'Content-Type: multipart/mixed; boundary="b--"\r\n';
  const body = 'preamble\r\n--b--\r\n\r\nx\r\n--b--x\r\n--b----\r\nepilogue\r\n';
  const part = (text: string): string => `--b--\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n${text}\r\n\r\n`;
  assert.equal(
    derived(`${head}\r\n${body}`, { prefix: 'P', suffix: 'S' }),
    `${head}${OWN}\r\npreamble\r\n${part('P')}--b--\r\n\r\nx\r\n--b--x\r\n${part('S')}--b----\r\nepilogue\r\n`,
  );
});

test('all else is wrapped: its part has the octets and the fields that it had', () => {
  const content = 'Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n';
  const made = derived(`Subject: x\r\n${content}\r\n<p>\xfc</p>\r\n`, { prefix: 'ü' });
  const boundary = /boundary="([^"]+)"/.exec(made)![1]!;
  assert.equal(
    made,
    [
      'Subject: x\r\n',
      OWN,
      `MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`,
      `--${boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n\r\n`,
      `--${boundary}\r\n${content}\r\n<p>\xfc</p>\r\n\r\n--${boundary}--\r\n`,
    ].join(''),
  );
});
