import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutHeaderFields, findPart, findSection, type SectionName } from './section.ts';
import { parseMessage } from './structure.ts';

/** The message of RFC 3501 §6.4.5's example: 4.2.2 is a text in a multipart in a message in a multipart. */
const text = [
  'Subject: outer',
  'Content-Type: multipart/mixed; boundary=a',
  '',
  '--a',
  '',
  'one',
  '--a',
  'Content-Type: application/octet-stream',
  '',
  'two',
  '--a',
  'Content-Type: message/rfc822',
  'X-Part: three',
  '',
  'Subject: inner',
  '',
  'three',
  '--a',
  'Content-Type: message/rfc822',
  '',
  'Subject: mixed',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: image/gif',
  '',
  'four one',
  '--b',
  'Content-Type: multipart/alternative; boundary=c',
  '',
  '--c',
  '',
  'plain',
  '--c',
  'Content-Type: text/html',
  '',
  'html',
  '--c--',
  '--b--',
  '--a--',
].join('\r\n');

function cut(message: string, name: string): string | undefined {
  const part: number[] = [];
  const words = name.split('.').filter((word) => word !== '');
  while (words.length > 0 && /^\d+$/.test(words[0]!)) part.push(Number(words.shift()));
  const section: SectionName = { part, text: (words.join('.') || undefined) as SectionName['text'] };
  const range = findSection(parseMessage(Buffer.from(message, 'latin1')).structure, section);
  return range === undefined ? undefined : message.slice(range.start, range.end);
}

test('sections of a multipart', () => {
  const cases: readonly [string, string | undefined][] = [
    ['', text],
    ['HEADER', 'Subject: outer\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n'],
    ['TEXT', text.slice(text.indexOf('--a'))],
    ['MIME', undefined],
    ['1', 'one'],
    ['1.MIME', '\r\n'],
    ['1.HEADER', undefined],
    ['1.TEXT', undefined],
    ['1.1', undefined],
    ['2', 'two'],
    ['2.MIME', 'Content-Type: application/octet-stream\r\n\r\n'],
    ['3', 'Subject: inner\r\n\r\nthree'],
    ['3.MIME', 'Content-Type: message/rfc822\r\nX-Part: three\r\n\r\n'],
    ['3.HEADER', 'Subject: inner\r\n\r\n'],
    ['3.TEXT', 'three'],
    ['3.1', 'three'],
    ['3.1.MIME', 'Subject: inner\r\n\r\n'],
    ['3.1.1', undefined],
    ['3.2', undefined],
    ['4.HEADER.FIELDS', 'Subject: mixed\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n'],
    ['4.1', 'four one'],
    ['4.1.MIME', 'Content-Type: image/gif\r\n\r\n'],
    ['4.2.1', 'plain'],
    ['4.2.2', 'html'],
    ['4.2.2.MIME', 'Content-Type: text/html\r\n\r\n'],
    ['4.2.3', undefined],
    ['5', undefined],
    ['4294967295', undefined],
  ];
  for (const [name, expected] of cases) assert.equal(cut(text, name), expected, name);
});

test('a message that is no multipart has one part', () => {
  const single = 'Subject: x\r\n\r\nbody';
  const cases: readonly [string, string | undefined][] = [
    ['1', 'body'],
    ['TEXT', 'body'],
    ['1.MIME', 'Subject: x\r\n\r\n'],
    ['1.HEADER', undefined],
    ['1.1', undefined],
    ['2', undefined],
  ];
  for (const [name, expected] of cases) assert.equal(cut(single, name), expected, name);
});

test('a message that is a message', () => {
  const nested = 'Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody';
  assert.equal(cut(nested, '1'), 'Subject: inner\r\n\r\nbody');
  assert.equal(cut(nested, '1.HEADER'), 'Subject: inner\r\n\r\n');
  assert.equal(cut(nested, '1.1'), 'body');
  assert.equal(cut(nested, '1.1.1'), undefined);
});

test('a multipart without parts has the empty one that BODYSTRUCTURE shows', () => {
  const empty = 'Content-Type: multipart/mixed; boundary=a\r\n\r\nnothing';
  assert.equal(cut(empty, '1'), '');
  assert.equal(cut(empty, '1.MIME'), '');
  assert.equal(cut(empty, '2'), undefined);
  assert.equal(findPart(parseMessage(Buffer.from(empty)).structure, [1])!.type, 'text');
});

test('header fields are cut byte for byte, with the empty line', () => {
  const header = Buffer.from('Subject: a\r\n b\r\nTO: x\r\nto: y\r\nX-\xff: z\r\n\r\n'.replace('\xff', 'q'), 'latin1');
  assert.equal(cutHeaderFields(header, ['to', 'Date'], 'HEADER.FIELDS'), 'TO: x\r\nto: y\r\n\r\n');
  assert.equal(cutHeaderFields(header, ['TO'], 'HEADER.FIELDS.NOT'), 'Subject: a\r\n b\r\nX-q: z\r\n\r\n');
  assert.equal(cutHeaderFields(header, ['date'], 'HEADER.FIELDS'), '\r\n');
  assert.equal(cutHeaderFields(Buffer.from('A: b'), ['a'], 'HEADER.FIELDS'), 'A: b');
  assert.equal(cutHeaderFields(Buffer.from('A: b'), ['c'], 'HEADER.FIELDS'), '');
});

test('property: FIELDS and FIELDS.NOT share out the header', () => {
  const name = fc.constantFrom('A', 'b', 'C', '__proto__', 'constructor');
  const fields = fc.array(fc.tuple(name, fc.constantFrom('x', 'x\r\n y', '', '\xff\0')));
  fc.assert(
    fc.property(fields, fc.array(name), (list, names) => {
      const lines = list.map(([field, value]) => `${field}: ${value}\r\n`);
      const header = Buffer.from(`${lines.join('')}\r\n`, 'latin1');
      const isNamed = (line: string): boolean =>
        names.some((wanted) => line.toLowerCase().startsWith(`${wanted.toLowerCase()}:`));
      assert.equal(cutHeaderFields(header, names, 'HEADER.FIELDS'), `${lines.filter(isNamed).join('')}\r\n`);
      assert.equal(
        cutHeaderFields(header, names, 'HEADER.FIELDS.NOT'),
        `${lines.filter((line) => !isNamed(line)).join('')}\r\n`,
      );
    }),
  );
});
