// Addresses that this site has signed: where they lead, for whom, how long, in the tables' own resolve.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { DAY_MS } from '../base/duration.ts';
import { formatAddress, parseAddress } from '../message/address.ts';
import { INTERNAL_REQUEST, type RouteRequest } from './route-request.ts';
import { createTokens, mayBeToken } from './tokens.ts';

const START = 231 * 90;
let now = START * DAY_MS;
const clock = { now: () => now };
const tokens = createTokens(Buffer.alloc(32, 7), clock);
const NULL_SENDER: RouteRequest = { ...INTERNAL_REQUEST, sender: undefined, mayRelay: false, door: 'smtp' };
const FROM_CAROL = { ...NULL_SENDER, sender: parseAddress('carol@remote.example') };

function leadsTo(text: string, request: RouteRequest): string | undefined {
  const meaning = tokens.meaning(parseAddress(text), request);
  return meaning?.kind === 'onward' ? formatAddress(meaning.address) : meaning?.kind;
}

test('a report to a signed address goes to the original sender, other mail does not', () => {
  const made = formatAddress(tokens.srs(parseAddress('carol@remote.example'), 'acme.example')!);
  assert.equal(leadsTo(made, NULL_SENDER), 'carol@remote.example');
  assert.equal(leadsTo(made.toLowerCase(), NULL_SENDER), 'carol@remote.example');
  assert.equal(leadsTo(made, FROM_CAROL), 'refused');
  assert.equal(leadsTo(made.replace('carol', 'dave'), NULL_SENDER), 'refused');
  assert.equal(leadsTo('SRS0=x@acme.example', NULL_SENDER), 'refused');
  assert.equal(leadsTo('ann@acme.example', NULL_SENDER), undefined);
});

test('another secret every 90 days; what the one before has signed is good for 21 more', () => {
  const first = 'SRS0=AA=BB=first.example=carol@first.example';
  now = START * DAY_MS;
  const early = formatAddress(tokens.srs(parseAddress(first), 'acme.example')!);
  now = (START + 89) * DAY_MS;
  const late = formatAddress(tokens.srs(parseAddress(first), 'acme.example')!);
  assert.equal(early, late, 'one key for the whole period');
  assert.equal(leadsTo(late, NULL_SENDER), first);
  now = (START + 90 + 20) * DAY_MS;
  assert.equal(leadsTo(late, NULL_SENDER), first);
  assert.notEqual(formatAddress(tokens.srs(parseAddress(first), 'acme.example')!), late);
  now = (START + 90 + 21) * DAY_MS;
  assert.equal(leadsTo(late, NULL_SENDER), 'refused');
});

test('what a moderator was sent decides as that moderator, in any case, for thirty days; nobody else, and nothing else', () => {
  const asked = { row: 12_345, moderator: 'carol@remote.example', verb: 'approve' } as const;
  now = START * DAY_MS;
  const made = formatAddress(tokens.verdict(parseAddress('all@acme.example'), asked));
  const meant = (text: string, request = FROM_CAROL) => tokens.meaning(parseAddress(text), request);
  assert.deepEqual(meant(made), { kind: 'verdict', ...asked });
  assert.deepEqual(meant(made.toUpperCase()), { kind: 'verdict', ...asked });
  const refused = { kind: 'refused' };
  assert.deepEqual(meant(made, { ...FROM_CAROL, sender: parseAddress('dave@remote.example') }), refused);
  assert.deepEqual(tokens.meaning(parseAddress(made), NULL_SENDER), refused);
  assert.deepEqual(meant(made.replace('approve', 'refuse')), refused);
  for (const more of ['!', '.0', '_x'])
    assert.deepEqual(meant(made.replace(/(-\w+)(?=-)/, `$1${more}`)), refused, 'behind the number of the row');
  assert.deepEqual(meant(made.replace('=', '=0')), refused, 'in front of the day');
  for (const broken of ['approve=', 'approve=x', 'approve=1-2-3-4', 'approve=1-2', 'approve=--'])
    assert.deepEqual(meant(`all+${broken}@acme.example`), refused, broken);
  for (const plain of ['all+approve', 'all+other=1-2-3', '+approve=1-2-3', 'approve=1-2-3'])
    assert.equal(meant(`${plain}@acme.example`), undefined, plain);
  now = (START + 30) * DAY_MS;
  assert.deepEqual(meant(made), { kind: 'verdict', ...asked });
  now = (START + 31) * DAY_MS;
  assert.deepEqual(meant(made), refused);
  now = (START - 1) * DAY_MS;
  assert.deepEqual(meant(made), refused);
});

test('nearly no address is looked at', () => {
  for (const text of ['SRS0=a', 'srs1=a', 'Srs0=']) assert.equal(mayBeToken(text), text.length > 5, text);
  for (const text of ['', 'ann', 'srs0', 'srs2=a', 'xrs0=a', 'sr50=a', 'srs0+a', 's2s0=a', 'SRSO=a'])
    assert.equal(mayBeToken(text), false, text);
});

test('any local part near a signed one decides nothing, unless it is that one in another case', () => {
  now = START * DAY_MS;
  const verdicts = (['approve', 'refuse'] as const).map((verb) => ({
    row: 12_345,
    moderator: 'carol@remote.example',
    verb,
  }));
  const made = verdicts.map((asked) => tokens.verdict(parseAddress('all@acme.example'), asked).localPart);
  const srs = tokens.srs(parseAddress('carol@remote.example'), 'acme.example')!.localPart;
  fc.assert(
    fc.property(mutatedText([...made, srs, 'all+approve=', 'all+refuse=1-2-3', 'srs0=a']), (localPart) => {
      const meaning = tokens.meaning({ localPart, domain: 'acme.example' }, FROM_CAROL);
      assert.equal(meaning !== undefined, mayBeToken(localPart));
      if (meaning?.kind !== 'verdict') return;
      // Before the sign stands whatever the list is called.
      const said = localPart.slice(localPart.lastIndexOf('+')).toLowerCase();
      const { row, moderator, verb } = meaning;
      const again = tokens.verdict({ localPart: '', domain: '' }, { row, moderator, verb }).localPart;
      assert.deepEqual([row, moderator], [12_345, 'carol@remote.example']);
      assert.equal(said, again);
    }),
    fuzzCases(2000),
  );
});
