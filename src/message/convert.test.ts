import assert from 'node:assert/strict';
import { isAscii } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { toAscii, toSevenBit } from './convert.ts';
import { decodeWords } from './decode.ts';
import { findValue, parseHeader } from './header.ts';

// A reader that knows nothing of ours: it splits at delimiters that it looks for line by line.

interface Read {
  readonly fields: ReadonlyMap<string, string>;
  readonly type: string;
  readonly content: string | readonly Read[];
}

function read(text: string): Read {
  const empty = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  const fields = new Map<string, string>();
  for (const line of text
    .slice(0, empty)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const body = text.slice(empty + 2);
  const type = (fields.get('content-type') ?? 'text/plain').split(';')[0]!.trim().toLowerCase();
  const encoding = fields.get('content-transfer-encoding')?.toLowerCase();
  if (type.startsWith('multipart/')) {
    const boundary = /boundary="?([^";]+)"?/.exec(fields.get('content-type')!)![1]!;
    const parts = `\r\n${body}`.split(`\r\n--${boundary}`);
    assert.match(parts.at(-1)!, /^--/);
    return { fields, type, content: parts.slice(1, -1).map((part) => read(part.slice(2))) };
  }
  if (type === 'message/rfc822') return { fields, type, content: [read(body)] };
  if (encoding === 'base64') return { fields, type, content: Buffer.from(body, 'base64').toString('latin1') };
  if (encoding !== 'quoted-printable') return { fields, type, content: body };
  const joined = body.replace(/=\r\n/g, '');
  const content = joined.replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return { fields, type, content };
}

/** What a reader sees: encoded words decoded, raw octets as UTF-8 or Windows-1252, no label of an encoding. */
function seen({ fields, type, content }: Read): unknown {
  const shown = [...fields].filter(([name]) => name !== 'content-transfer-encoding' && name !== 'mime-version');
  return {
    fields: shown.map(([name, value]) => [name, name === 'content-type' ? parametersOf(value) : wordsOf(value)]),
    type,
    content: typeof content === 'string' ? content : content.map(seen),
  };
}

function wordsOf(value: string): string {
  const joined = value.replace(/\?=\s+=\?/g, '?==?');
  return joined
    .split(/(=\?utf-8\?B\?[^?]*\?=)/)
    .map((piece) => {
      const word = /^=\?utf-8\?B\?([^?]*)\?=$/.exec(piece);
      return word === null ? raw(piece) : Buffer.from(word[1]!, 'base64').toString();
    })
    .join('')
    .replaceAll('"', '');
}

function parametersOf(value: string): unknown {
  const [type, ...parameters] = value.split(/;\s*/);
  const values = new Map<string, string>();
  for (const parameter of parameters) {
    const equals = parameter.indexOf('=');
    const name = parameter.slice(0, equals).replace(/\*.*$/, '');
    const text = parameter.slice(equals + 1).replaceAll('"', '');
    values.set(name, (values.get(name) ?? '') + text);
  }
  return [type, ...[...values].map(([name, text]) => [name, percentOf(text)])];
}

function percentOf(text: string): string {
  return text.startsWith("utf-8''") ? decodeURIComponent(text.slice(7)) : raw(text);
}

function raw(text: string): string {
  const octets = Buffer.from(text, 'latin1');
  const utf8 = octets.toString();
  return utf8.includes('\u{fffd}') ? text : utf8;
}

// Messages.

interface Made {
  readonly type: string;
  readonly head: string;
  readonly body: string | readonly Made[];
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

const line = fc.oneof(
  fc.constantFrom('', '--', '-- ', '--b0', 'From here', '.', 'a = b', `${'x'.repeat(75)}--b1`, ' end ', '\t'),
  fc.constantFrom(utf8('Grüße'), '\xff\xfe', utf8('日本語'.repeat(30)), 'caf\xe9 '),
);
const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.filter((l) => l !== '--b0').join('\r\n'));
const words = fc.constantFrom('Hello', utf8('Grüße aus Köln'), utf8('日本語'.repeat(40)), '');
const head = fc.record({ subject: words, description: words, name: words }, { requiredKeys: [] });

const { message } = fc.letrec<{ part: Made; message: Made }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(fc.constantFrom('text/plain', 'text/html', 'application/x-data'), head, text).map(leaf),
    fc.tuple(fc.array(tie('part'), { minLength: 1, maxLength: 3 }), words).map(multipart),
    tie('message').map((body) => ({ type: 'message/rfc822', head: '', body: [body] })),
  ),
  message: tie('part'),
}));

function leaf([type, { subject, description, name }, body]: [
  string,
  Record<string, string | undefined>,
  string,
]): Made {
  const parameter = name === undefined || name === '' ? '' : `; name="${name}"`;
  const fields = [
    subject === undefined ? '' : `Subject: ${subject}\r\n`,
    description === undefined ? '' : `Content-Description: ${description}\r\n`,
    `Content-Type: ${type}${parameter}\r\n`,
  ];
  const label = isAscii(Buffer.from(body, 'latin1')) ? '' : 'Content-Transfer-Encoding: 8bit\r\n';
  return { type, head: fields.join('') + label, body };
}

function multipart([body, preamble]: [readonly Made[], string]): Made {
  return { type: 'multipart/mixed', head: preamble, body };
}

function write({ type, head: own, body }: Made, depth = 0): string {
  if (typeof body === 'string') return `${own}\r\n${body}`;
  if (type === 'message/rfc822') return `Content-Type: message/rfc822\r\n\r\n${write(body[0]!, depth + 1)}`;
  const boundary = `b${depth}=_q`;
  const parts = body.map((part) => `\r\n--${boundary}\r\n${write(part, depth + 1)}`).join('');
  return `Content-Type: multipart/mixed;\r\n boundary="${boundary}"\r\n\r\n${own}${parts}\r\n--${boundary}--\r\n${own}`;
}

test('property: without octets beyond ASCII it has the same parts, for a reader that is not ours', () => {
  fc.assert(
    fc.property(message, (made) => {
      const before = write(made);
      const after = toSevenBit(Buffer.from(before, 'latin1'));
      assert.ok(Buffer.isBuffer(after), String(after));
      assert.ok(isAscii(after));
      assert.deepEqual(seen(read(after.toString('latin1'))), seen(read(before)));
      assert.deepEqual(toSevenBit(after), after);
    }),
    { numRuns: 500 },
  );
});

test('property: with a header in ASCII it has the same parts, and bodies are not touched', () => {
  fc.assert(
    fc.property(message, (made) => {
      const before = write(made);
      const after = toAscii(Buffer.from(before, 'latin1'))!.toString('latin1');
      assert.deepEqual(seen(read(after)), seen(read(before)));
      assert.ok(isAscii(Buffer.from(after.slice(0, after.indexOf('\r\n\r\n')), 'latin1')));
    }),
    { numRuns: 500 },
  );
});

function seven(message: string): string {
  const converted = toSevenBit(Buffer.from(message, 'latin1'));
  return Buffer.isBuffer(converted) ? converted.toString('latin1') : converted;
}

test('text becomes quoted-printable, all else base64', () => {
  assert.equal(
    seven(utf8('From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n')),
    'From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\nMIME-Version: 1.0\r\n' +
      'Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n',
  );
  assert.equal(
    seven('MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\0\n'),
    'MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n/wAK\r\n',
  );
});

test('what is signed is not changed: it is refused, and sent as it is where it needs no change', () => {
  const signed = (body: string, outer = ''): string =>
    `Subject: ${outer}\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n` +
    `Content-Transfer-Encoding: 8bit\r\n\r\n${body}\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n`;
  assert.equal(seven(signed('\xff')), 'signed');
  assert.equal(seven(signed('\xff').replace('signed', 'encrypted')), 'signed');
  assert.equal(seven(signed('plain')), signed('plain'));
  const around = seven(signed('plain', utf8('Grüße')));
  assert.match(around, /^Subject: =\?utf-8\?B\?R3LDvMOfZQ==\?=\r\n/);
  assert.ok(around.endsWith(signed('plain').slice('Subject: \r\n'.length)));
  const forwarded = `Content-Type: message/rfc822\r\n\r\n${signed('\xff')}`;
  assert.equal(seven(forwarded), 'signed');
});

test('what was not read whole, or says of itself what is not so, is not changed', () => {
  const unreadable = [
    'Content-Type: multipart/mixed\r\n\r\n\xff',
    'Content-Type: multipart/mixed; boundary="\xff"\r\n\r\n--\xff\r\n\r\na\r\n--\xff--\r\n',
    'Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n--b\r\n\r\n\xff\r\n--b--\r\n',
    'Content-Type: message/partial\r\n\r\n\xff',
    'Message-ID: <\xff@b.example>\r\n\r\na',
    'From: <\xff@b.example>\r\n\r\na',
    'no field \xff\r\n\r\na',
    `X: ${'a\r\n '.repeat(90_000)}\xff`,
    `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\na\r\n'.repeat(1001)}\xff\r\n--b--\r\n`,
    `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${'--c\r\n'.repeat(60_000)}\xff\r\n--b--\r\n`,
  ];
  for (const message of unreadable) assert.equal(seven(message), 'unreadable', message.slice(0, 80));
});

test('a label that says 8bit without need is corrected; other encodings are read first', () => {
  const message =
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n' +
    '--b\r\nContent-Transfer-Encoding: 8bit (so)\r\n\r\nplain\r\n--b\r\n' +
    'Content-Transfer-Encoding: Quoted-Printable\r\n\r\n=2D-b \xff\r\n--b--\r\n';
  assert.equal(
    seven(message),
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n' +
      '--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\nplain\r\n--b\r\n' +
      'Content-Transfer-Encoding: quoted-printable\r\n\r\n=2D-b =FF\r\n--b--\r\n',
  );
});

function ascii(message: string): string | undefined {
  return toAscii(Buffer.from(message, 'latin1'))?.toString('latin1');
}

test('addresses keep their names, hosts become A-labels', () => {
  assert.equal(
    ascii(utf8('To: Jörg <joerg@bücher.example>, =?utf-8?q?J?= <a@b.example>, "x, y" <c@d.example>\r\n\r\n')),
    'To: =?utf-8?B?SsO2cmc=?= <joerg@xn--bcher-kva.example>,\r\n =?utf-8?q?J?= <a@b.example>,\r\n "x, y" <c@d.example>\r\n\r\n',
  );
  assert.equal(
    ascii(utf8('Cc: Bücher: a@b.example, c@d.example;, e@f.example\r\n\r\n')),
    'Cc: =?utf-8?B?QsO8Y2hlcg==?=: a@b.example,\r\n c@d.example;,\r\n e@f.example\r\n\r\n',
  );
  assert.equal(ascii(utf8('To: jörg@b.example\r\n\r\n')), undefined);
  assert.equal(ascii(utf8('References: <jörg@b.example>\r\n\r\n')), undefined);
});

test('names of files get their character set, and a trace field keeps its lines', () => {
  assert.equal(
    ascii(utf8('Content-Disposition: attachment; filename="Grüße.txt"; size=3\r\n\r\n\xff')),
    "Content-Disposition: attachment;\r\n filename*=utf-8''Gr%C3%BC%C3%9Fe.txt;\r\n size=3\r\n\r\n\xc3\xbf",
  );
  assert.equal(ascii('Received: from a (\xff)\r\n\tby b\r\n\r\n'), 'Received: from a (?)\r\n by b\r\n\r\n');
});

test('a message within the message is content; a header that is signed is not changed', () => {
  const inner = utf8('Content-Type: message/rfc822\r\n\r\nSubject: Grüße\r\n\r\n');
  assert.equal(ascii(inner), inner);
  const signed = utf8(
    'Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Description: Grüße\r\n\r\n\r\n--s--\r\n',
  );
  assert.equal(ascii(signed), undefined);
});

test('property: any octets are converted or refused', () => {
  const octets = fc
    .array(
      fc.oneof(
        fc.constantFrom('\r\n', '\n', '--b', '--', 'Content-Type: multipart/mixed; boundary=b', '\xff', 'To: ', '<'),
        fc.constantFrom('Content-Type: message/rfc822', 'Content-Transfer-Encoding: base64', ':', ' ', '\0', 'a'),
      ),
      { maxLength: 30 },
    )
    .map((pieces) => Buffer.from(pieces.join(''), 'latin1'));
  fc.assert(
    fc.property(octets, (bytes) => {
      const converted = toSevenBit(bytes);
      if (Buffer.isBuffer(converted)) assert.ok(isAscii(converted));
      toAscii(bytes);
    }),
    { numRuns: 2000 },
  );
});

test('a header that came raw says the same in ASCII, whether its letters were UTF-8 or Latin-1', () => {
  const message = `From: "J${utf8('ö')}" <j@remote.example>\r\nSubject: J\xf6\r\nContent-Type: text/plain; name="d${utf8('ö')}.txt"\r\n\r\nx\r\n`;
  const header = parseHeader(toAscii(Buffer.from(message, 'latin1'))!);
  assert.ok(isAscii(Buffer.from(header.text, 'latin1')));
  assert.equal(decodeWords(findValue(header, 'from') ?? ''), 'Jö <j@remote.example>');
  assert.equal(decodeWords(findValue(header, 'subject') ?? ''), 'Jö');
  assert.match(findValue(header, 'content-type') ?? '', /name\*=utf-8''d%C3%B6\.txt/);
});
