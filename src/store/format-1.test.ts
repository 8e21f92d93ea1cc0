import assert from 'node:assert/strict';
import { test } from 'node:test';
import { corpus } from '../../test/support/messages.ts';
import { decodeHeader, EMPTY_HEADER, encodeHeader } from '../message/header-values.ts';
import { decodeStructure, parseMessage } from '../message/structure.ts';
import { encodeBody, encodeBodyStructure } from '../wire/imap/responses/body-structure.ts';
import { encodeEnvelopeItem } from '../wire/imap/responses/envelope.ts';
import { convertEnvelope, convertStructure } from './format-1.ts';

test('what format 1 stored gives the same answers as values', () => {
  for (const { message, envelope, body, bodyStructure, structure } of corpus()) {
    const damages: string[] = [];
    const values = decodeHeader(encodeHeader(convertEnvelope(envelope, damages)));
    const part = decodeStructure(convertStructure(structure, damages));
    assert.deepEqual(damages, [], message);
    assert.equal(encodeEnvelopeItem(values), envelope);
    assert.equal(encodeBody(part), body);
    assert.equal(encodeBodyStructure(part), bodyStructure);
  }
});

test('the values are those that the parser reads, but for references and what format 1 could not distinguish', () => {
  const plain = (text: string) => {
    const { headerText, structureText } = parseMessage(Buffer.from(text, 'latin1'));
    return { header: decodeHeader(headerText), structure: structureText };
  };
  const { header } = plain('Date: d\r\nSubject: s\r\nFrom: A "B" <a@b>\r\nTo: g: c@d;\r\nMessage-ID: <1@x>\r\n\r\n');
  const address = '(("A B" NIL "a" "b"))';
  const group = '((NIL NIL "g" NIL)(NIL NIL "c" "d")(NIL NIL NIL NIL))';
  const envelope = `("d" "s" ${address} ${address} ${address} ${group} NIL NIL NIL "<1@x>")`;
  assert.deepEqual(convertEnvelope(envelope, []), header);
});

test('an envelope that cannot be read becomes empty values and is named', () => {
  const cut = '("d" "s" ((NIL NIL "a" "b")';
  for (const text of [
    '',
    'NIL',
    cut,
    `${cut} NIL`,
    '("d")',
    '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) x',
    '({9}\r\nx)',
  ]) {
    const damages: string[] = [];
    assert.deepEqual(convertEnvelope(text, damages), EMPTY_HEADER, text);
    assert.equal(damages.length, 1, text);
  }
  const damages: string[] = [];
  const structure = JSON.stringify(['message/rfc822', 0, 1, 2, 0, 0, 0, [['text/plain']], 'broken']);
  assert.deepEqual(decodeStructure(convertStructure(structure, damages)).header, EMPTY_HEADER);
  assert.equal(convertStructure('["message/rfc822"', damages), '["message/rfc822"');
  assert.equal(damages.length, 2);
});
