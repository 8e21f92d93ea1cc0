import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstComponent, parseClassDefinition, parseTypeDefinition } from './definitions.ts';
import { schema } from './schema.ts';
import { attributeTypeDefinition, objectClassDefinition } from './subschema.ts';

test('what we publish is read back', () => {
  for (const type of schema().attributeTypes) {
    const parsed = parseTypeDefinition(attributeTypeDefinition(type));
    assert.ok('definition' in parsed, JSON.stringify(parsed));
    const { oid, names, superior, equality, singleValued } = parsed.definition;
    assert.deepEqual(
      [oid, names, superior, equality, singleValued],
      [type.oid, type.names, type.supertype?.name, type.equality, type.singleValued],
    );
  }
  for (const each of schema().objectClasses) {
    const parsed = parseClassDefinition(objectClassDefinition(each));
    assert.ok('definition' in parsed, JSON.stringify(parsed));
    const { oid, names, kind, must, may } = parsed.definition;
    assert.deepEqual([oid, names, kind, must, may], [each.oid, [each.name], each.kind, each.must, each.may]);
  }
});

const problems: [text: string, problem: string][] = [
  ['', 'column 1: "(" is expected'],
  ['( name', 'column 3: a numeric OID is expected'],
  ["( 1.2.3 NAME 'a", 'column 15: a closing quote is expected'],
  ["( 1.2.3 NAME '1a' )", 'column 14: a name in quotes is expected'],
  ["( 1.2.3 NAME 'a' SYNTAX 1.2.3 SYNTAX 1.2.3 )", 'column 31: SYNTAX once is expected'],
  ["( 1.2.3 NAME 'a' NONSENSE )", 'column 18: a keyword of the definition, or ")" is expected'],
  ["( 1.2.3 NAME 'a' ) x", 'column 20: the end is expected'],
  ['( 1.2.3 )', 'column 10: a NAME is expected'],
  [`( 1.2.3 NAME 'a' DESC '${'x'.repeat(9000)}' )`, 'column 8193: the definition is too long'],
];
for (const [text, problem] of problems)
  test(`${text.slice(0, 50)}: ${problem}`, () => {
    const parsed = parseTypeDefinition(text);
    assert.ok('problem' in parsed);
    assert.match(parsed.problem, /^column \d+: .* is expected$|too long$/);
    if (!text.includes("'a") && !text.includes('1a')) assert.equal(parsed.problem, problem);
  });

test('any text is read or refused, and never throws', () => {
  const token = fc.constantFrom(
    ...[
      '(',
      ')',
      ' ',
      "'",
      '$',
      '{',
      '}',
      'NAME',
      'SUP',
      'MUST',
      'MAY',
      'SYNTAX',
      'DESC',
      '1.2.3',
      "'a'",
      'a',
      '\0',
      'é',
    ],
  );
  const text = fc.oneof(
    fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join(' ')),
    fc.array(token, { maxLength: 40 }).map((tokens) => `( 1.2.3 NAME 'a' ${tokens.join(' ')} )`),
    fc.string({ unit: 'binary', maxLength: 100 }),
  );
  const numRuns = Number(process.env['FUZZ_CASES'] ?? 3000);
  fc.assert(
    fc.property(text, (written) => {
      for (const parsed of [parseTypeDefinition(written), parseClassDefinition(written)])
        if ('problem' in parsed) assert.match(parsed.problem, /^column \d+: /);
        else assert.equal(firstComponent(written), parsed.definition.oid);
    }),
    { numRuns },
  );
});
