// LDIF read and written: both ends agree, in whatever pieces the octets come, and beside Python's reader.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import type { Attribute, DirectoryChange } from './entry.ts';
import { type LdifRecord, LdifSplitter, parseLdif, parseRecord } from './ldif.ts';
import { changeRecord, entryRecord } from './ldif-text.ts';

const runs = (usual: number) => Number(process.env['FUZZ_CASES'] ?? usual);

function recordsIn(pieces: readonly Buffer[]): LdifRecord[] {
  const splitter = new LdifSplitter();
  const records: LdifRecord[] = [];
  for (const piece of pieces) records.push(...splitter.push(piece));
  return [...records, ...splitter.end()];
}

const name = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,20}(;[a-z]{1,5})?$/)
  .filter((text) => !/^(changetype|control|dn)$/.test(text));
const octets = fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array));
const value = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => text.isWellFormed()),
  fc.constantFrom('', ' ', ' x', 'x ', ':x', '<x', 'a\nb', '\n', 'x'.repeat(400), '- ', '-'),
  // Octets that are text come back as text.
  octets.filter((array) => Buffer.from(array).toString('utf8').includes('\ufffd')),
);
const text = value.filter((each): each is string => typeof each === 'string');
const attributes: fc.Arbitrary<Attribute[]> = fc
  .uniqueArray(name, { minLength: 1, maxLength: 5 })
  .chain((names) =>
    fc.tuple(
      ...names.map((each) => fc.array(value, { minLength: 1, maxLength: 4 }).map((values) => ({ name: each, values }))),
    ),
  );
const plain = { noNullPrototype: true };
const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), dn: text, attributes }, plain),
  fc.record({ kind: fc.constant('delete' as const), dn: text }, plain),
  fc.record(
    {
      kind: fc.constant('modify' as const),
      dn: text,
      modifications: fc.array(
        fc.record(
          {
            operation: fc.constantFrom('add' as const, 'delete' as const, 'replace' as const, 'increment' as const),
            attribute: name,
            values: fc.array(value, { maxLength: 3 }),
          },
          plain,
        ),
        { maxLength: 3 },
      ),
    },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant('rename' as const),
      dn: text,
      newRdn: text,
      deleteOldRdn: fc.boolean(),
      newSuperior: fc.option(text, { nil: undefined }),
    },
    plain,
  ),
);

test('what is written is read, in pieces of any size, with the lines at which records begin', () => {
  const written = fc.array(fc.tuple(change, fc.boolean(), fc.string({ maxLength: 20 })), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(written, fc.array(fc.nat(400), { maxLength: 20 }), fc.boolean(), (changes, sizes, crlf) => {
      const texts = changes.map(([each, isBare, comment]) =>
        each.kind === 'add' && isBare
          ? entryRecord(each.dn, each.attributes, [comment])
          : changeRecord(each, [comment]),
      );
      const joined = texts.join('');
      const all = Buffer.from(crlf ? joined.replaceAll('\n', '\r\n') : joined);
      const pieces: Buffer[] = [];
      let at = 0;
      for (const size of sizes) pieces.push(all.subarray(at, (at += size)));
      const records = recordsIn([...pieces, all.subarray(at)]);
      assert.deepEqual(
        records.map(parseRecord),
        changes.map(([each]) => each),
      );
      let line = 1;
      for (const [index, each] of texts.entries()) {
        assert.equal(records[index]!.line, line);
        line += each.split('\n').length - 1;
      }
      for (const each of joined.split('\n')) assert.ok(Buffer.byteLength(each) <= 76);
    }),
    { numRuns: runs(300) },
  );
});

test('any octets are records or `syntax` with a line, whatever pieces they come in', () => {
  const word = fc.constantFrom(
    'dn: x',
    'dn:: eA==',
    'changetype: modify',
    'add: mail',
    '-',
    ' more',
    '#c',
    'a:: !',
    'a:< file:///x',
    '',
    '\r',
    'control: 1.2 true',
    'version: 1',
    ':',
    'newrdn: a=b',
  );
  const junk = fc.oneof(
    fc.array(word, { maxLength: 15 }).map((words) => Buffer.from(words.join('\n'))),
    fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array)),
  );
  const outcome = (pieces: readonly Buffer[]): unknown => {
    try {
      return recordsIn(pieces).map(parseRecord);
    } catch (error) {
      assert.ok(error instanceof Failure && error.kind === 'syntax', String(error));
      assert.match(error.message, /^line \d+: /);
      return error.message;
    }
  };
  fc.assert(
    fc.property(junk, fc.nat(100), (all, cut) => {
      assert.deepEqual(outcome([all.subarray(0, cut), all.subarray(cut)]), outcome([all]));
    }),
    { numRuns: runs(1000) },
  );
});

const PYTHON =
  'import sys, ldif, json\nr = ldif.LDIFRecordList(sys.stdin.buffer)\nr.parse()\nprint(json.dumps([[d, {k: [v.hex() for v in vs] for k, vs in a.items()}] for d, a in r.all_records]))';
const python = spawnSync('/usr/bin/python3', ['-c', PYTHON], { input: 'dn: o=x\no: x\n\n' });

test("Python's reader reads what is written", { skip: python.status !== 0 && 'python3-ldap is not installed' }, () => {
  const dn = fc.stringMatching(/^o=[a-zA-Zé ]{1,100}x$/);
  const entries = fc.sample(fc.tuple(dn, attributes), 100);
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', PYTHON], {
    input: entries.map(([of, list]) => entryRecord(of, list)).join(''),
    encoding: 'utf8',
  });
  const read = JSON.parse(stdout || stderr) as [string, Record<string, string[]>][];
  const hex = (each: Attribute['values'][number]) =>
    (typeof each === 'string' ? Buffer.from(each) : Buffer.from(each)).toString('hex');
  assert.deepEqual(
    read,
    entries.map(([of, list]) => [of, Object.fromEntries(list.map((each) => [each.name, each.values.map(hex)]))]),
  );
});

const WRONG: readonly [text: string, message: RegExp][] = [
  ['dn: o=x\no: x\n\nno colon\n', /^line 4: a name and a colon/],
  ['dn: o=x\n', /^line 1: an entry has attributes/],
  ['# c\ncn: 1\n', /^line 2: a record begins with dn/],
  ['dn: o=x\nphoto:< file:///etc/passwd\n', /^line 2: a value from a URL/],
  ['dn: o=x\no:: x\n', /^line 2: this is not base64/],
  ['dn: o=x\ncontrol: 1.2.3 true\nchangetype: delete\n', /^line 2: no control/],
  // As many as LDAP takes: who sends a million of them holds up nobody.
  [`dn: o=x\n${'control: 1.2\n'.repeat(51)}changetype: delete\n`, /^line 52: a change has at most 50 controls/],
  ['dn: o=x\nchangetype: modify\nadd: cn\nsn: x\n', /^line 4: a value of cn/],
  ['dn: o=x\nchangetype: delete\ncn: x\n', /^line 3: nothing stands/],
  ['dn: o=x\nchangetype: modrdn\n', /^line 2: newrdn is missing/],
];
for (const [ldif, message] of WRONG)
  test(`${JSON.stringify(ldif.slice(0, 60))} is refused with its line`, () => {
    assert.throws(
      () => parseLdif(ldif, 10),
      (error: Failure) => error.kind === 'syntax' && message.test(error.message),
    );
  });

test('a version, comments, folded comments and the octets that begin a file are no part of an entry; octets that are no UTF-8 are told by their line', () => {
  const ldif = '\ufeffversion: 1\n# a\n b\n\n\n#c\ndn: o=\n x\n#d\no: x\ncontrol\n : y\n\n';
  assert.deepEqual(parseLdif(ldif, 1), [
    {
      kind: 'add',
      dn: 'o=x',
      attributes: [
        { name: 'o', values: ['x'] },
        { name: 'control', values: ['y'] },
      ],
    },
  ]);
  assert.throws(() => recordsIn([Buffer.from('dn: o=x\no: \xff\n', 'latin1')]).map(parseRecord), {
    message: 'line 2: this is not UTF-8',
  });
  assert.throws(() => parseLdif('dn: o=x\no: x\n\ndn: o=y\no: y\n', 1), { kind: 'too-large' });
});

test('a record of more than twelve MiB is refused by its first line; a file of such size is not', () => {
  const piece = Buffer.alloc(1024 * 1024, 'x');
  piece[piece.length - 1] = 0x0a;
  const dn = Buffer.from('dn: o=corp\n\n');
  const many = Array.from({ length: 12 }, () => piece);
  assert.equal(recordsIn([dn, ...many]).length, 2);
  assert.throws(() => recordsIn([dn, ...many, Buffer.from('x')]), { kind: 'too-large', message: /^line 3: / });
  assert.equal(recordsIn([...many.slice(1), Buffer.from('\n'), ...many]).length, 2);
});

test('a text has so many records at most', () => {
  const text = 'dn: o=a\no: a\n\ndn: o=b\no: b\n';
  assert.equal(parseLdif(text, 2).length, 2);
  assert.throws(() => parseLdif(text, 1), { kind: 'too-large', message: 'more than 1 changes' });
});
