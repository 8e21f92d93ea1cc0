import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HEADER_BYTES } from '../base/limits.ts';
import { countFields, cutFields, fieldValue, findField, findValue, type Header, parseHeader } from './header.ts';

function read(text: string): Header {
  return parseHeader(Buffer.from(text, 'latin1'));
}

function pairs(header: Header): string[] {
  return header.fields.map((field) => `${field.name}=${fieldValue(header, field)}`);
}

const simple = 'Received: one\r\nSubject:  a\r\n folded\tline \r\nRECEIVED: two\r\nX-Empty:\r\n\r\nbody: no field\r\n';

test('fields are found with their values unfolded, the body is not read', () => {
  const header = read(simple);
  assert.deepEqual(pairs(header), ['received=one', 'subject=a folded\tline', 'received=two', 'x-empty=']);
  assert.equal(simple.slice(header.end), 'body: no field\r\n');
  assert.equal(header.hasEmptyLine, true);
  assert.equal(countFields(header, 'received'), 2);
  assert.equal(findValue(header, 'received'), 'one');
  assert.equal(findValue(header, 'x-empty'), '');
  assert.equal(findField(header, 'to'), undefined);
  assert.equal(findValue(header, 'to'), undefined);
});

test('the offsets cut the field byte for byte', () => {
  const header = read(simple);
  const subject = findField(header, 'subject')!;
  assert.equal(simple.slice(subject.start, subject.end), 'Subject:  a\r\n folded\tline \r\n');
  assert.equal(simple.slice(subject.valueStart, subject.end), '  a\r\n folded\tline \r\n');
  const wanted = new Set(['x-empty', 'subject']);
  assert.equal(
    cutFields(header, (name) => wanted.has(name)),
    'Subject:  a\r\n folded\tline \r\nX-Empty:\r\n\r\n',
  );
  assert.equal(
    cutFields(header, (name) => !wanted.has(name)),
    'Received: one\r\nRECEIVED: two\r\n\r\n',
  );
  assert.equal(
    cutFields(header, () => true),
    header.text,
  );
});

test('a header may begin anywhere in the bytes', () => {
  const bytes = Buffer.from(`preamble\r\n${simple}`);
  const header = parseHeader(bytes, 10);
  assert.equal(header.start, 10);
  assert.equal(bytes.toString('latin1', header.end), 'body: no field\r\n');
  assert.equal(parseHeader(bytes, 10, 25).end, 25);
});

test('a header ends at its first empty line: what is no field is passed over', () => {
  const cases: readonly [text: string, fields: string[], body: string][] = [
    ['', [], ''],
    ['\r\n', [], ''],
    ['\r\nbody', [], 'body'],
    ['body', ['=body'], ''],
    [' body', ['=body'], ''],
    ['\tA: b\r\n\r\n', ['=A: b'], ''],
    [': b\r\n\r\n', ['=: b'], ''],
    ['A: b', ['a=b'], ''],
    ['A: b\r\n', ['a=b'], ''],
    ['A: b\r\nline\r\nC: d\r\n', ['a=b', '=line', 'c=d'], ''],
    ['A: b\r\nline\r\n folded\r\nline\r\nC: d\r\n\r\nx', ['a=b', '=line folded line', 'c=d'], 'x'],
    ['A: b\r\nno space: d\r\n\r\nx', ['a=b', '=no space: d'], 'x'],
    ['From ann Tue\r\nA: b\r\n\r\nx', ['=From ann Tue', 'a=b'], 'x'],
    [' b\r\nC: d\r\n\r\nx', ['=b', 'c=d'], 'x'],
    ['A \t: b\r\n\r\nc', ['a=b'], 'c'],
    ['A: b\r\n \r\n\r\nc', ['a=b'], 'c'],
    ['A: b\n c\nD: e\n\nbody', ['a=b c', 'd=e'], 'body'],
    ['A: b\r\n\nbody', ['a=b'], 'body'],
    ['A: b\rC: d\r\n\r\nbody', ['a=b\rC: d'], 'body'],
    ['A: \x00\xff\r\n\r\nbody', ['a=\x00\xff'], 'body'],
    ['A\xff: b\r\n\r\nbody', ['=A\xff: b'], 'body'],
    ['A: b\r\n\r', ['a=b', '='], ''],
    ['__proto__: x\r\n\r\n', ['__proto__=x'], ''],
  ];
  for (const [text, fields, body] of cases) {
    const header = read(text);
    assert.deepEqual(pairs(header), fields, JSON.stringify(text));
    assert.equal(text.slice(header.end), body, JSON.stringify(text));
  }
});

test('lines that are no field are cut by a list of what is not wanted alone', () => {
  const header = read('Received: a\r\nwith SMTP id 5; today\r\nFrom: b\r\n\r\n');
  assert.equal(
    cutFields(header, (name) => name === 'received'),
    'Received: a\r\n\r\n',
  );
  assert.equal(
    cutFields(header, (name) => name !== 'received'),
    'with SMTP id 5; today\r\nFrom: b\r\n\r\n',
  );
  assert.equal(
    cutFields(header, (name) => name === 'x'),
    '\r\n',
  );
});

test('a header without an empty line gets none when it is cut', () => {
  assert.equal(
    cutFields(read('A: b\r\nC: d'), () => true),
    'A: b\r\nC: d',
  );
});

test('a delimiter of the enclosing multipart ends the header, even where it looks like a field', () => {
  const bytes = Buffer.from('A: b\r\n--x: y\r\n--z: y\r\n\r\n');
  const header = parseHeader(bytes, 0, bytes.length, (text, at) => text.startsWith('--z', at));
  assert.deepEqual(pairs(header), ['a=b', '--x=y']);
  assert.equal(bytes.toString('latin1', header.end, header.end + 3), '--z');
});

test('a header beyond the bound is cut at a line, the rest is body', () => {
  const line = 'To: ann@acme.example\r\n';
  const bytes = Buffer.from(line.repeat(20_000));
  const header = parseHeader(bytes);
  assert.equal(header.end, Math.floor(HEADER_BYTES / line.length) * line.length);
  assert.equal(header.fields.length, header.end / line.length);
  assert.equal(header.hasEmptyLine, false);

  const long = Buffer.from(`Subject: a\r\nTo: ${'ann@acme.example, '.repeat(20_000)}\r\n\r\nbody`);
  assert.deepEqual(pairs(parseHeader(long)), ['subject=a']);

  const folded = Buffer.from(`To: a@b.example${',\r\n ann@acme.example'.repeat(20_000)}\r\n\r\nbody`);
  const cut = parseHeader(folded);
  assert.equal(cut.fields.length, 1);
  assert.ok(cut.end <= HEADER_BYTES && cut.end > HEADER_BYTES - 40);
});

test('a header longer than the first window is read whole', () => {
  const text = `${'X-Field: value\r\n'.repeat(2000)}\r\nbody`;
  const header = read(text);
  assert.equal(header.fields.length, 2000);
  assert.equal(text.slice(header.end), 'body');
});

test('a fold with its white space is one space', () => {
  const cases: readonly [string, string][] = [
    ['a\r\n\tb', 'a b'],
    ['a \t\r\n  b', 'a b'],
    ['a\r\n \r\n b', 'a b'],
    ['a\n b\n\tc\r d', 'a b c\r d'],
    ['a\tb  c', 'a\tb  c'],
    ['\r\n a', 'a'],
  ];
  for (const [folded, value] of cases) assert.equal(findValue(read(`X: ${folded}\r\n\r\n`), 'x'), value, folded);
});

const pieces = fc.constantFrom(
  'A',
  'Subject',
  ':',
  ' ',
  '\t',
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '--b',
  '\x00',
  '\xff',
  'x: y\r\n',
);
const anyText = fc.oneof(
  fc.array(pieces, { maxLength: 60 }).map((list) => list.join('')),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);

/** The same in plain words: lines up to the first empty one, each begins a field, goes on with one, or is nothing. */
function naiveFields(text: string): { fields: (readonly [name: string, text: string])[]; end: number } {
  const fields: [name: string, text: string][] = [];
  let end = 0;
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    end += line.length;
    if (line === '\n' || line === '\r\n') return { fields, end };
    const name = /^([!-9;-~]+)[ \t]*:/.exec(line)?.[1]?.toLowerCase() ?? '';
    const last = fields.at(-1);
    if (last !== undefined && (/^[ \t]/.test(line) || (name === '' && last[0] === ''))) last[1] += line;
    else fields.push([name, line]);
  }
  return { fields, end };
}

test('property: header and body together are the bytes, and the fields cover the header in order', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const header = read(text);
      assert.equal(header.text, text.slice(0, header.end));
      let at = 0;
      for (const field of header.fields) {
        assert.equal(field.start, at);
        assert.ok(field.start <= field.valueStart && field.valueStart <= field.end);
        at = field.end;
      }
      const plain = naiveFields(text);
      assert.deepEqual(
        header.fields.map((field) => [field.name, header.text.slice(field.start, field.end)]),
        plain.fields,
      );
      assert.equal(header.end, plain.end);
      assert.equal(header.text.slice(at), header.hasEmptyLine ? header.text.slice(at) : '');
      assert.ok(header.text.length - at <= 2);
    }),
    { numRuns: 2000 },
  );
});

test('property: a header cut at any byte keeps the complete fields before the cut', () => {
  const bytes = Buffer.from(simple);
  const whole = pairs(parseHeader(bytes));
  for (let end = 0; end <= bytes.length; end++) {
    const header = parseHeader(bytes, 0, end);
    const complete = header.fields.filter((field) => field.end < end);
    assert.deepEqual(pairs(header).slice(0, complete.length), whole.slice(0, complete.length), `cut at ${end}`);
  }
});
