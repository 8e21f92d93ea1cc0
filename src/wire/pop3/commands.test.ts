import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { type Pop3Command, parseCommand } from './commands.ts';

const good: Readonly<Record<string, Pop3Command>> = {
  'USER ann@acme.example': { verb: 'USER', name: 'ann@acme.example' },
  'user Ann Other': { verb: 'USER', name: 'Ann Other' },
  'PASS  two  blanks ': { verb: 'PASS', password: ' two  blanks ' },
  CAPA: { verb: 'CAPA' },
  'utf8 ': { verb: 'UTF8' },
  LANG: { verb: 'LANG', range: undefined },
  'LANG ': { verb: 'LANG', range: undefined },
  'lang EN-gb': { verb: 'LANG', range: 'en-gb' },
  'LANG * ': { verb: 'LANG', range: '*' },
  'Quit ': { verb: 'QUIT' },
  'stls  ': { verb: 'STLS' },
  LIST: { verb: 'LIST', message: undefined },
  'LIST ': { verb: 'LIST', message: undefined },
  'list 7': { verb: 'LIST', message: 7 },
  'UIDL 007': { verb: 'UIDL', message: 7 },
  'RETR 999999999999999': { verb: 'RETR', message: 999_999_999_999_999 },
  'DELE 1  ': { verb: 'DELE', message: 1 },
  'TOP 1 0': { verb: 'TOP', message: 1, lines: 0 },
  'TOP 1 2147483648': { verb: 'TOP', message: 1, lines: 2_147_483_648 },
  'AUTH plain': { verb: 'AUTH', mechanism: 'PLAIN', initial: undefined },
  'AUTH PLAIN =': { verb: 'AUTH', mechanism: 'PLAIN', initial: '=' },
  'AUTH PLAIN AGEAYg==': { verb: 'AUTH', mechanism: 'PLAIN', initial: 'AGEAYg==' },
  '': { verb: 'unknown' },
  ' STAT': { verb: 'unknown' },
  'APOP mrose c4c9334bac560ecc979e58001b3e22fb': { verb: 'unknown' },
  CONSTRUCTOR: { verb: 'unknown' },
};

for (const [line, command] of Object.entries(good))
  test(`'${line}' is ${command.verb}`, () => assert.deepEqual(parseCommand(line), command));

const bad = [
  ...[
    'USER',
    'USER ',
    'PASS',
    'PASS ',
    'USER\tann',
    'AUTH',
    'AUTH ',
    'AUTH *',
    'AUTH PLAIN,',
    'STAT 1',
    'CAPA x',
    'STLS x',
  ],
  ...['UTF8 USER', 'LANG en de', 'LANG "en"', 'LANG en_GB', `LANG ${'e'.repeat(101)}`],
  ...[
    'LIST -1',
    'LIST 1 2',
    'LIST  1',
    'LIST one',
    'LIST 1234567890123456',
    'RETR',
    'RETR ',
    'RETR  1',
    'RETR 1e0',
    'RETR 0x1',
  ],
  ...['TOP', 'TOP 1', 'TOP 1 ', 'TOP 1 -1', 'TOP  1 1', 'TOP 1 1 1', 'DELE 1,2', 'UIDL *', 'NOOP\t'],
];

for (const line of bad) test(`'${line}' does not parse`, () => assert.throws(() => parseCommand(line), SyntaxFailure));

test('any line is a command or a syntax failure', () => {
  const word = fc.constantFrom('USER', 'PASS', 'LIST', 'UIDL', 'RETR', 'TOP', 'AUTH', 'stat', '1', '-1', ' ', '  ');
  const noise = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(fc.array(fc.oneof(word, noise), { maxLength: 6 }), (parts) => {
      try {
        assert.equal(typeof parseCommand(parts.join('')).verb, 'string');
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure);
      }
    }),
  );
});

test('any octets near a command are one, or a syntax failure', () => {
  fc.assert(
    fc.property(mutatedOctets(Object.keys(good)), (octets) => {
      try {
        const command = parseCommand(octets.toString('latin1'));
        for (const value of Object.values(command))
          if (typeof value === 'number') assert.ok(Number.isSafeInteger(value));
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure, String(error));
      }
    }),
    fuzzCases(2000),
  );
});
