// Addresses that this site has signed: where they lead, for whom, how long, in the tables' own resolve.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '../message/address.ts';
import { INTERNAL_REQUEST, type RouteRequest } from './route-request.ts';
import { createTokens, mayBeToken } from './tokens.ts';

const DAY_MS = 86_400_000;
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

test('nearly no address is looked at', () => {
  for (const text of ['SRS0=a', 'srs1=a', 'Srs0=']) assert.equal(mayBeToken(text), text.length > 5, text);
  for (const text of ['', 'ann', 'srs0', 'srs2=a', 'xrs0=a', 'sr50=a', 'srs0+a', 's2s0=a', 'SRSO=a'])
    assert.equal(mayBeToken(text), false, text);
});
