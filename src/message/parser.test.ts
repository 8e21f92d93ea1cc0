// What is stored of a message says which version of the parser read it: other output without a higher version would
// leave old rows as they are for ever.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { corpus } from '../../test/support/messages.ts';
import { PARSER, parseMessage } from './structure.ts';

/** By version: the digest of all that is stored of the messages that test/messages/corpus.json had then. Never edit a line: add one. */
const DIGESTS: Readonly<Record<number, string>> = {
  2: 'a32ed00bb5774e1a38ba3a1742e09b6834a320c4dc5c0cdc51c57184e50a5931',
  3: 'a0273701425111b33b18175af7eb28cea94667c32d5772eaedd50ea5f11e06ec',
};

test('the parser gives for the corpus what its version has always given', () => {
  const hash = createHash('sha256');
  for (const { message } of corpus()) {
    const { headerText, structureText } = parseMessage(Buffer.from(message, 'latin1'));
    hash.update(`${headerText}\n${structureText}\n`);
  }
  assert.equal(
    hash.digest('hex'),
    DIGESTS[PARSER],
    'other values for the same bytes: raise PARSER in structure.ts, so that stored messages are parsed again, and add its digest here',
  );
});
