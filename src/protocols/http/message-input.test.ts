// What a program says of a message, nearly right: a message that says no more than it should, or which key is wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets, mutatedText } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { parseAddress } from '../../message/address.ts';
import { formatPath } from '../../message/envelope.ts';
import { parseHeader } from '../../message/header.ts';
import { messageOfJson, messageOfQuery } from './message-input.ts';

const scope = { now: Date.UTC(2026, 10, 24, 8), recipientsMax: 20 };
const seeds = [
  {
    from: 'Ann \u00c4x <ann@acme.example>',
    to: ['bob@acme.example', '"Carol, C." <carol@remote.example>'],
    cc: 'd@acme.example',
    bcc: ['e@acme.example'],
    subject: 'Hello \u{1f4ee}',
    text: 'Hello\nthere\n',
    html: '<p>Hello</p>',
    headers: { 'Reply-To': 'ann@acme.example', 'X-Tags': ['a', 'b'] },
    attachments: [{ filename: 'a.png', contentType: 'image/png; x=y', content: 'aGVsbG8=', cid: 'a@b' }],
    dsn: { notify: ['SUCCESS', 'DELAY'], ret: 'HDRS', envid: 'a b+c' },
    holdUntil: '2026-11-25T08:00:00Z',
  },
  {
    from: 'ann@acme.example',
    raw: 'U3ViamVjdDogeA0KDQp4DQo=',
    envelope: { from: '', to: ['zo\u00eb@b\u00fccher.example', '"a b"@[192.0.2.1]'] },
  },
].map((each) => JSON.stringify(each));

/** Undefined for what is refused as it must be. */
function taken<T>(take: () => T): T | undefined {
  try {
    return take();
  } catch (error) {
    assert.ok(
      error instanceof Failure && ['syntax', 'too-large'].includes(error.kind) && !/[\0-\x1f]/.test(error.message),
      String(error),
    );
    return undefined;
  }
}

test('any JSON is a message without a field or a line that nobody asked for, or names what is wrong', () => {
  fc.assert(
    fc.property(mutatedOctets(seeds), (octets) => {
      const input = taken(() => messageOfJson(octets, scope));
      if (input === undefined) return;
      const { recipients, sender, author, pieces, parameters } = input;
      assert.ok(recipients.length > 0 && recipients.length <= scope.recipientsMax);
      for (const address of [sender, ...recipients.map((each) => each.address)])
        assert.match(formatPath(address), /^<[^\0-\x1f]*>$/);
      const holdMs = (parameters.holdUntil ?? scope.now) - scope.now;
      assert.ok(holdMs >= 0 && holdMs <= 30 * 86_400_000);
      if (author === undefined) return;
      const message = Buffer.concat(pieces);
      const { fields } = parseHeader(message);
      const names = fields.map(({ name }) => name.toLowerCase());
      for (const name of names) assert.ok(!/^(bcc|received|return-path|resent-bcc)$/.test(name), name);
      for (const name of ['from', 'mime-version', 'content-type'])
        assert.equal(names.filter((each) => each === name).length, 1, name);
      const header = message.toString('latin1', 0, message.indexOf('\r\n\r\n'));
      assert.ok(!/\r(?!\n)|(?<!\r)\n|\0/.test(header), header);
    }),
    fuzzCases(500),
  );
});

test('any query is an envelope, or names what is wrong', () => {
  const query = 'from=ann@acme.example&to=bob@acme.example&to=%22a%20b%22@[192.0.2.1]&to=zo%C3%AB@remote.example';
  fc.assert(
    fc.property(mutatedText([query, 'from=&to=bob@acme.example', 'to=a@b.example&x=1']), (text) => {
      const asked: Record<string, string[]> = {};
      for (const [key, value] of new URLSearchParams(text)) (asked[key] ??= []).push(value);
      const input = taken(() => messageOfQuery(asked, scope));
      if (input === undefined) return;
      assert.ok(input.recipients.length > 0 && input.recipients.length <= scope.recipientsMax);
      for (const { address } of input.recipients)
        assert.deepEqual(parseAddress(formatPath(address).slice(1, -1)), address);
    }),
    fuzzCases(1000),
  );
});
