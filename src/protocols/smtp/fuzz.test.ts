// Whole conversations with octets changed, cut anywhere: each is answered by good replies, the same however it is cut, and the
// door works on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../../test/support/nearly-right.ts';
import { ReplyReader } from '../../wire/smtp/client.ts';
import { openTestSmtp } from './testing.ts';

const ENVELOPE = 'MAIL FROM:<carol@remote.example>\r\nRCPT TO:<ann@acme.example>\r\n';
const seeds = [
  `EHLO client.example\r\n${ENVELOPE}BDAT 14\r\nSubject: x\r\n\r\nBDAT 4 LAST\r\nhi\r\nQUIT\r\n`,
  `EHLO client.example\r\n${ENVELOPE}BDAT 5\r\nabc\r\nRSET\r\n${ENVELOPE}DATA\r\nSubject: y\r\n\r\n..\r\n.\r\nQUIT\r\n`,
  `HELO a\r\n${ENVELOPE}DATA\r\n.\r\nBDAT 3 LAST\r\na\r\nNOOP\r\nBDAT\r\nQUIT\r\n`,
  'XCLIENT ADDR=192.0.2.7 PORT=25 NAME=[UNAVAILABLE] HELO=a+2Bb PROTO=ESMTP\r\nEHLO b\r\nXCLIENT LOGIN=ann@acme.example\r\nQUIT\r\n',
  'EHLO c\r\nMAIL FROM:<zo\u00eb@remote.example> SMTPUTF8 BODY=8BITMIME SIZE=100 RET=HDRS ENVID=q+2B1 REQUIRETLS\r\n' +
    'RCPT TO:<ann@acme.example> NOTIFY=SUCCESS ORCPT=utf-8;zo\\x{EB}@acme.example\r\nRCPT TO:<nobody@acme.example>\r\nQUIT\r\n',
];

test('any octets of a conversation are answered by replies, the same however they are cut', async () => {
  const smtp = await openTestSmtp({ door: { speaksForOthers: () => true } });
  try {
    await fc.assert(
      fc.asyncProperty(mutatedOctets(seeds), pieceSizes, async (octets, sizes) => {
        const whole = await converse(smtp.port, [octets]);
        assert.deepEqual(await converse(smtp.port, inPieces(octets, sizes)), whole);
      }),
      fuzzCases(20),
    );
    const intact = await converse(smtp.port, [Buffer.from(seeds[0]!)]);
    assert.deepEqual(
      intact.map((reply) => reply.slice(0, 3)),
      ['220', '250', '250', '250', '250', '250', '221'],
    );
  } finally {
    await smtp.close();
  }
});

/** A message has another id each time; whose logins have failed often is told so. */
function sameEachTime(said: string): string {
  return said
    .replace(/ as \S+/, ' as ID')
    .replace(/^454 4\.7\.0 Too many failed logins.*/, '535 5.7.8 Authentication failed');
}

/** What is said to the end. */
async function converse(port: number, pieces: readonly Buffer[]): Promise<string[]> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
  const reader = new ReplyReader();
  const replies: string[] = [];
  // It may close while there is more to say to it.
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    for (let reply = reader.next(); reply !== undefined; reply = reader.next()) replies.push(sameEachTime(reply.said));
  });
  const closed = once(socket, 'close');
  socket.on('end', () => socket.end());
  await once(socket, 'connect');
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await new Promise((turn) => setImmediate(turn));
  }
  socket.end();
  await closed;
  assert.ok(reader.isEmpty);
  for (const reply of replies) assert.match(reply, /^[2-5]\d\d /);
  return replies;
}
