import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import nodemailer, { type SendMailOptions } from 'nodemailer';
import { fuzzCases, mutatedOctets } from '../../test/support/nearly-right.ts';
import { MIME_DEPTH_MAX, MIME_PARTS_MAX, MIME_STRUCTURE_BYTES } from '../base/limits.ts';
import { decodeHeader, EMPTY_HEADER } from './header-values.ts';
import { isMultipart, type Part } from './part.ts';
import { decodeStructure, encodeStructure, parseMessage } from './structure.ts';

function read(text: string): Part {
  return parseMessage(Buffer.from(text, 'latin1')).structure;
}

/** Each part on a line, indented by depth: type, and its body. */
function outline(text: string): string[] {
  const lines: string[] = [];
  const add = (part: Part, depth: number): void => {
    const body = part.parts.length > 0 ? '' : ` ${JSON.stringify(text.slice(part.bodyStart, part.bodyEnd))}`;
    lines.push(`${'  '.repeat(depth)}${part.type}/${part.subtype}${body}`);
    for (const inner of part.parts) add(inner, depth + 1);
  };
  add(read(text), 0);
  return lines;
}

function message(...lines: string[]): string {
  return lines.join('\r\n');
}

const MIXED = 'Content-Type: multipart/mixed; boundary="b"';

test('a message without MIME is one part of US-ASCII text', () => {
  const text = message('From: a@x', '', 'one', 'two', 'three');
  assert.deepEqual(read(text), {
    type: 'text',
    subtype: 'plain',
    headerStart: 0,
    bodyStart: 13,
    bodyEnd: text.length,
    lines: 2,
    parameters: ['charset', 'us-ascii'],
    encoding: '7bit',
    id: undefined,
    description: undefined,
    md5: undefined,
    disposition: undefined,
    languages: [],
    location: undefined,
    header: undefined,
    parts: [],
  });
});

test('what a part says of itself', () => {
  const text = message(
    'Content-Type: Image/PNG; name="a b.png"',
    'Content-Transfer-Encoding: BASE64',
    'Content-ID: <1@x>',
    'Content-Description: the',
    ' picture',
    'Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==',
    'Content-Disposition: inline; filename="a b.png"',
    'Content-Language: en, de',
    'Content-Location: http://x.example/',
    'Content-ID: <2@x>',
    '',
    'AAAA\r\n',
  );
  const part = read(text);
  assert.deepEqual([part.type, part.subtype, part.encoding, part.lines], ['image', 'png', 'base64', 0]);
  assert.deepEqual(part.parameters, ['name', 'a b.png']);
  assert.deepEqual([part.id, part.description, part.md5], ['<1@x>', 'the picture', 'Q2hlY2sgSW50ZWdyaXR5IQ==']);
  assert.deepEqual(part.disposition, { type: 'inline', parameters: ['filename', 'a b.png'] });
  assert.deepEqual([part.languages, part.location], [['en', 'de'], 'http://x.example/']);
});

test('the parts of a multipart stand between its delimiters, and the break before one is not theirs', () => {
  const text = message(
    MIXED,
    '',
    'preamble',
    '--b',
    '',
    'one',
    '',
    '--b  ',
    'Content-Type: text/html',
    '',
    'two',
    '--b-- \t',
    'epilogue',
    '--b',
    'not a part',
  );
  assert.deepEqual(outline(text), ['multipart/mixed', '  text/plain "one\\r\\n"', '  text/html "two"']);
  const root = read(text);
  assert.equal(text.slice(root.bodyStart), text.slice(text.indexOf('preamble')));
  assert.equal(root.bodyEnd, text.length);
  assert.equal(text.slice(root.parts[1]!.headerStart, root.parts[1]!.bodyStart), 'Content-Type: text/html\r\n\r\n');
});

test('an inner multipart ends where an outer delimiter comes, closed or not', () => {
  const inner = 'Content-Type: multipart/alternative; boundary=c';
  assert.deepEqual(
    outline(message(MIXED, '', '--b', inner, '', '--c', '', 'one', '--c', '', 'two', '--b', '', 'three', '--b--', '')),
    [
      'multipart/mixed',
      '  multipart/alternative',
      '    text/plain "one"',
      '    text/plain "two"',
      '  text/plain "three"',
    ],
  );
  assert.deepEqual(
    outline(message(MIXED, '', '--b', inner, '', '--c', '', 'one', '--c--', 'x', '--c', 'y', '--b', '', 'three')),
    ['multipart/mixed', '  multipart/alternative', '    text/plain "one"', '  text/plain "three"'],
  );
});

test('the same boundary inside and outside is the inner one until that is closed', () => {
  assert.deepEqual(
    outline(message(MIXED, '', '--b', MIXED, '', '--b', '', 'one', '--b--', '--b', '', 'two', '--b--')),
    ['multipart/mixed', '  multipart/mixed', '    text/plain "one"', '  text/plain "two"'],
  );
});

test('a message in a message has parts, lines and header values of its own', () => {
  const text = message(
    MIXED,
    '',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: inside',
    'Content-Type: multipart/mixed; boundary=c',
    '',
    '--c',
    '',
    'one',
    'two',
    '--c--',
    '--b--',
    '',
  );
  assert.deepEqual(outline(text), [
    'multipart/mixed',
    '  message/rfc822',
    '    multipart/mixed',
    '      text/plain "one\\r\\ntwo"',
  ]);
  const inside = read(text).parts[0]!;
  assert.deepEqual(inside.header, [null, 'inside', null, null, null, null, null, null, null, null, null]);
  assert.equal(inside.lines, 7);
  assert.equal(inside.parts[0]!.parts[0]!.lines, 1);
  assert.equal(inside.parts[0]!.headerStart, inside.bodyStart);
  assert.equal(inside.parts[0]!.bodyEnd, inside.bodyEnd);
});

test('the parts of a digest are messages', () => {
  const text = message(
    'Content-Type: multipart/digest; boundary=b',
    '',
    '--b',
    '',
    'Subject: x',
    '',
    'one',
    '--b',
    'Content-Type: text/plain',
    '',
    'y',
    '--b--',
  );
  assert.deepEqual(outline(text), ['multipart/digest', '  message/rfc822', '    text/plain "one"', '  text/plain "y"']);
});

const oddities: readonly [name: string, text: string, ...expected: string[]][] = [
  [
    'no boundary parameter',
    message('Content-Type: multipart/mixed', '', '--', '', 'x'),
    'multipart/mixed "--\\r\\n\\r\\nx"',
  ],
  ['no delimiter', message(MIXED, '', 'x'), 'multipart/mixed "x"'],
  ['a delimiter at once', message(MIXED, '', '--b', '', 'x'), 'multipart/mixed', '  text/plain "x"'],
  ['a delimiter at the end', message(MIXED, '', '--b'), 'multipart/mixed', '  text/plain ""'],
  ['closed at once', message(MIXED, '', '--b--'), 'multipart/mixed "--b--"'],
  [
    'an empty body',
    message(MIXED, '', '--b', '', '--b', '', '', '--b--'),
    'multipart/mixed',
    '  text/plain ""',
    '  text/plain ""',
  ],
  [
    'a header without empty line',
    message(MIXED, '', '--b', 'X: y', '--b', '', 'x'),
    'multipart/mixed',
    '  text/plain ""',
    '  text/plain "x"',
  ],
  ['no empty line', message(MIXED, '', '--b', 'x', '--b--'), 'multipart/mixed', '  text/plain ""'],
  [
    'lines that are no field',
    message(
      'From ann Tue',
      'Content-Type: multipart/mixed;',
      ' boundary=b',
      'x y',
      '',
      '--b',
      '>From x',
      'Content-Type: a/b',
      '',
      'z',
    ),
    'multipart/mixed',
    '  a/b "z"',
  ],
  [
    'a boundary in pieces',
    message("Content-Type: multipart/mixed; boundary*1=d; boundary*0*=us-ascii''%62c", '', '--bcd', '', 'z', '--bcd--'),
    'multipart/mixed',
    '  text/plain "z"',
  ],
  [
    'a line that begins with the boundary',
    message(MIXED, '', '--bx', '', 'one', ' --b', '--b--x', 'y'),
    'multipart/mixed',
    '  text/plain "one\\r\\n --b"',
  ],
  [
    'a boundary that begins with another',
    message(
      MIXED,
      '',
      '--b',
      'Content-Type: multipart/mixed; boundary=bc',
      '',
      '--bc',
      '',
      'one',
      '--bc--',
      '--b',
      '',
      'two',
    ),
    'multipart/mixed',
    '  multipart/mixed',
    '    text/plain "one"',
    '  text/plain "two"',
  ],
  [
    'lone line feeds',
    `${MIXED}\n\n--b\n\none\n--b\n\ntwo\n--b--\n`,
    'multipart/mixed',
    '  text/plain "one"',
    '  text/plain "two"',
  ],
  [
    'a boundary like a field',
    message('Content-Type: multipart/mixed; boundary="x:y"', '', '--x:y', 'A: b', '--x:y', '', 'z'),
    'multipart/mixed',
    '  text/plain ""',
    '  text/plain "z"',
  ],
  [
    'a message cut in its header',
    message(MIXED, '', '--b', 'Content-Type: message/rfc822', '', 'A: b', '--b', '', 'x'),
    'multipart/mixed',
    '  message/rfc822',
    '    text/plain ""',
    '  text/plain "x"',
  ],
  ['a message without a body', message('Content-Type: message/rfc822', '', ''), 'message/rfc822', '  text/plain ""'],
  ['nothing', '', 'text/plain ""'],
];

test('broken messages have parts all the same', () => {
  for (const [name, text, ...expected] of oddities) assert.deepEqual(outline(text), expected, name);
});

test('deeper than the bound a part is opaque text', () => {
  let text = '';
  for (let depth = 0; depth < 2 * MIME_DEPTH_MAX; depth++)
    text += `Content-Type: multipart/mixed; boundary=x${depth}x\r\n\r\n--x${depth}x\r\n`;
  const lines = outline(`${text}\r\nbody`);
  assert.equal(lines.length, MIME_DEPTH_MAX + 1);
  assert.match(lines.at(-1)!, /^ *text\/plain "--x100x\\r\\n/);

  const messages = outline(`${'Content-Type: message/rfc822\r\n\r\n'.repeat(2 * MIME_DEPTH_MAX)}\r\nbody`);
  assert.equal(messages.length, MIME_DEPTH_MAX + 1);
  assert.match(messages.at(-1)!, /^ *text\/plain "Content-Type: message\/rfc822/);
});

test('more parts than the bound are one opaque part', () => {
  const text = `${MIXED}\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(10 * MIME_PARTS_MAX)}--b--\r\n`;
  const root = read(text);
  assert.equal(root.parts.length, MIME_PARTS_MAX - 1);
  assert.equal(text.slice(root.parts.at(-1)!.bodyEnd), '\r\n--b--\r\n');
  const digest = read(text.replace('mixed', 'digest'));
  assert.ok(digest.parts.length <= MIME_PARTS_MAX / 2);
});

test('header text beyond the bound does not swell the stored structure', () => {
  const part = `--b\r\nContent-Description: ${'x'.repeat(10_000)}\r\n\r\n\r\n`;
  const { structure, structureText } = parseMessage(Buffer.from(`${MIXED}\r\n\r\n${part.repeat(500)}--b--\r\n`));
  assert.equal(structure.parts.length, 500);
  assert.equal(structure.parts[0]!.description?.length, 10_000);
  assert.equal(structure.parts[499]!.description, undefined);
  assert.ok(structureText.length < 2 * MIME_STRUCTURE_BYTES);
  const digest = `--b\r\n\r\nSubject: ${'x'.repeat(10_000)}\r\n\r\n\r\n`;
  const messages = parseMessage(Buffer.from(`Content-Type: multipart/digest; boundary=b\r\n\r\n${digest.repeat(100)}`));
  assert.deepEqual(messages.structure.parts[99]!.header, EMPTY_HEADER);
});

test('bodies made of delimiters, dashes and line feeds are read once', () => {
  for (const piece of [
    '\n--',
    '\n--b',
    '\n--bx',
    '\n',
    '-',
    '\r\n--b\r\n\r\n',
    '--b--\n',
    'Content-Type: message/rfc822\n\n',
    'a:b\n',
  ]) {
    const bytes = Buffer.from(`${MIXED}\r\n\r\n--b\r\n\r\n${piece.repeat(1_000_000)}`);
    encodeStructure(parseMessage(bytes).structure);
  }
});

test('lines of a header that look like delimiters are counted as those of a body are', () => {
  const lookalikes = '--bc\n'.repeat(40_000);
  const { parts } = read(`Content-Type: multipart/mixed; boundary=bb\r\n\r\n${`--bb\n${lookalikes}`.repeat(6)}`);
  assert.ok(parts.length > 0 && parts.length < 6, `${parts.length} parts`);
});

test('what is computed beside the structure', () => {
  const parsed = parseMessage(
    Buffer.from('Received: a\r\nReceived: b\r\nMessage-ID: (x) <1.2@x.example>\r\nSubject: x\r\n\r\nbody', 'latin1'),
  );
  assert.equal(parsed.receivedCount, 2);
  assert.equal(parsed.messageId, '1.2@x.example');
  assert.equal(parsed.isEightBit, false);
  assert.equal(parsed.structureText, encodeStructure(parsed.structure));
  assert.equal(decodeHeader(parsed.headerText)[9], '(x) <1.2@x.example>');
  assert.equal(parseMessage(Buffer.from('\r\n\xff', 'latin1')).isEightBit, true);
  assert.equal(parseMessage(Buffer.from('\r\n')).messageId, undefined);
});

test('a stored structure that is damaged is a plain error', () => {
  for (const text of ['', '{}', '[]', '[1]', 'null', '"text/plain"']) assert.throws(() => decodeStructure(text), Error);
  assert.equal(decodeStructure('["text/plain"]').bodyEnd, 0);
});

async function compose(options: SendMailOptions): Promise<string> {
  const transport = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'windows' });
  const { message: bytes } = await transport.sendMail({
    from: 'Ann <ann@acme.example>',
    to: 'bob@acme.example',
    ...options,
  });
  return (bytes as Buffer).toString('latin1');
}

test('what nodemailer composes is taken apart', async () => {
  const text = await compose({
    subject: 'Grüße',
    text: 'Hello',
    html: '<p>Hello <img src="cid:pic@x"></p>',
    attachments: [
      { filename: 'pic.png', content: Buffer.from([1, 2, 3]), cid: 'pic@x' },
      { filename: 'Jahresbericht für 2026.pdf', content: Buffer.alloc(300, 7) },
      { filename: 'forwarded.eml', content: 'Subject: inner\r\n\r\nText', contentType: 'message/rfc822' },
    ],
  });
  const shapes = outline(text).map((line) => line.replace(/ ".*/, ''));
  assert.deepEqual(shapes, [
    'multipart/mixed',
    '  multipart/alternative',
    '    text/plain',
    '    multipart/related',
    '      text/html',
    '      image/png',
    '  application/pdf',
    '  message/rfc822',
    '    text/plain',
  ]);
  const [, pdf, eml] = read(text).parts;
  assert.deepEqual(Buffer.from(text.slice(pdf!.bodyStart, pdf!.bodyEnd), 'base64'), Buffer.alloc(300, 7));
  assert.equal(pdf!.disposition!.type, 'attachment');
  assert.equal(text.slice(eml!.bodyStart, eml!.bodyEnd), 'Subject: inner\r\n\r\nText');
});

/** What holds for every tree, whatever the bytes were. */
function check(bytes: Buffer): void {
  const { structure, structureText } = parseMessage(bytes);
  assert.deepEqual(decodeStructure(structureText), structure);
  assert.equal(structure.headerStart, 0);
  assert.equal(structure.bodyEnd, bytes.length);
  const visit = (part: Part, depth: number): void => {
    assert.ok(depth <= MIME_DEPTH_MAX);
    assert.ok(part.headerStart <= part.bodyStart && part.bodyStart <= part.bodyEnd);
    const isCounted = part.type === 'text' || part.header !== undefined;
    const lines = bytes.toString('latin1', part.bodyStart, part.bodyEnd).split('\n').length - 1;
    assert.equal(part.lines, isCounted ? lines : 0);
    let at = part.bodyStart;
    for (const inner of part.parts) {
      assert.ok(inner.headerStart >= at && inner.bodyEnd <= part.bodyEnd, 'parts lie in their order in the body');
      at = inner.bodyEnd;
      visit(inner, depth + 1);
    }
    assert.ok(part.parts.length === 0 || isMultipart(part) || part.parts.length === 1);
  };
  visit(structure, 0);
}

const piece = fc.constantFrom(
  MIXED,
  'Content-Type: multipart/digest; boundary=c\r\n',
  'Content-Type: message/rfc822\r\n',
  'Content-Type: text/html; charset=x',
  'Subject: \xfc',
  '--b',
  '--b--',
  '--c',
  '--c--',
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  'x',
  ' ',
  '\0',
);

test('property: any bytes have a sound structure that is stored and read back', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => check(Buffer.from(pieces.join(''), 'latin1'))),
    { numRuns: 1000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => check(Buffer.from(bytes))));
});

test('a message cut at any byte, and with any byte changed, has a sound structure', async () => {
  const text = await compose({ text: 'Hello', html: '<p>Hello</p>', attachments: [{ filename: 'a', content: 'b' }] });
  const bytes = Buffer.from(text, 'latin1');
  for (let end = 0; end <= bytes.length; end++) check(bytes.subarray(0, end));
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.constantFrom(0, 0x0a, 0x0d, 0x20, 0x2d, 0x3a, 0x3b, 0x22, 0xff),
      (at, byte) => {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        check(changed);
      },
    ),
    { numRuns: 500 },
  );
});

test('any octets near a message have a sound structure, which is stored and read back', () => {
  const header =
    'From: Ann <a@x>\r\nTo: b@y\r\nDate: Wed, 17 Jul 1996 02:23:25 -0700\r\nSubject: =?utf-8?q?x?=\r\nMIME-Version: 1.0\r\n';
  const part = (type: string, body: string): string => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  const inner = `${header}Content-Type: multipart/alternative; boundary="c"\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n`;
  const seeds = [
    `${header}Content-Type: multipart/mixed; boundary=b\r\n\r\n${part('text/plain', 'hi')}${part('message/rfc822', inner)}--b--\r\nend`,
    `${header}Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n${header}\r\nx\r\n--b\r\n\r\n${inner}--b--`,
    `${header}\r\nplain\r\n`,
  ];
  fc.assert(fc.property(mutatedOctets(seeds), check), fuzzCases(1000));
});
