// A part that is too large to be decoded at once comes as the octets that were put into it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineConnection } from '../../demo/clients/line-connection.ts';
import { encodeBase64 } from '../../message/base64.ts';
import { encodeQuotedPrintable } from '../../message/quoted-printable.ts';
import { openTestImap } from './testing.ts';

test('large parts, whole and a piece of them', async () => {
  const imap = await openTestImap();
  try {
    await imap.addAccount('ann', 'secret');
    const client = await LineConnection.open(imap.host, imap.port);
    await client.line();
    client.write('a LOGIN ann secret\r\n');
    assert.match(await client.line(), /^a OK/);
    const octets = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => (i * 7919 + (i >> 9)) & 255));
    const text = Buffer.from(octets.toString('hex').slice(0, 1_500_000));
    const part = (encoding: string, body: Buffer): string =>
      `--b\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body.toString('latin1')}\r\n`;
    const message = Buffer.from(
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${part('base64', encodeBase64(octets))}${part('quoted-printable', encodeQuotedPrintable(text))}--b--\r\n`,
      'latin1',
    );
    client.write(`b APPEND INBOX {${message.length}+}\r\n`);
    client.write(message);
    client.write('\r\nc SELECT INBOX\r\n');
    while (!(await client.line()).startsWith('c OK'));
    const fetch = async (item: string): Promise<{ head: string; content: Buffer }> => {
      client.write(`d FETCH 1 (${item})\r\n`);
      const head = await client.line();
      const size = Number(/\{(\d+)\}$/.exec(head)?.[1] ?? 0);
      const content = await client.octets(size);
      while (!(await client.line()).startsWith('d OK'));
      return { head, content };
    };
    const whole = await fetch('BINARY.PEEK[1]');
    assert.equal(whole.head, `* 1 FETCH (BINARY[1] ~{${octets.length}}`);
    assert.ok(whole.content.equals(octets));
    const piece = await fetch('BINARY.PEEK[1]<1000001.1200000>');
    assert.ok(piece.content.equals(octets.subarray(1_000_001, 2_200_001)));
    const plain = await fetch('BINARY.PEEK[2]');
    assert.equal(plain.head, `* 1 FETCH (BINARY[2] {${text.length}}`);
    assert.ok(plain.content.equals(text));
    const sizes = await fetch('BINARY.SIZE[1] BINARY.SIZE[2]');
    assert.equal(sizes.head, `* 1 FETCH (BINARY.SIZE[1] ${octets.length} BINARY.SIZE[2] ${text.length})`);
    client.destroy();
  } finally {
    await imap.close();
  }
});
