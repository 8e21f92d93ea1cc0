// A recipient with several delivery options has a target of each: what one of them takes when it is resolved again alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf } from '../../base/ids.ts';
import type { JsonObject } from '../../base/json.ts';
import { parseAddress } from '../../message/address.ts';
import { replies } from '../replies.ts';
import { holdTarget, hopTarget, mailboxTarget, type Target, withOrigin } from '../targets.ts';
import { chosenPart, type PartOf, partOf, partWaitedFor } from './part.ts';

const ANN = parseAddress('ann@acme.example');
const BOB = parseAddress('bob@acme.example');
const FAR = parseAddress('ann@far.example');
/** Entries' ids. */
const [OF_ANN, OF_BOB] = [11, 12];

const withOptions = (target: Target, options: JsonObject): Target => ({
  ...target,
  options: { ...target.options, ...options },
});
const forward = (of: number, to = 'far.example'): Target => withOptions(hopTarget(ANN, to), { part: 'forward', of });
const mailbox = (of: number): Target => withOptions(mailboxTarget(ANN, idOf(1)), { part: 'mailbox', of });

function chosen(targets: readonly Target[], wanted: PartOf | undefined): readonly Target[] {
  return chosenPart({ targets, reply: replies.accepted, failures: [] }, wanted, ANN).targets;
}

test('the whole recipient is all its targets, and a refusal holds for each part', () => {
  const targets = [mailbox(OF_ANN), forward(OF_ANN)];
  assert.deepEqual(chosen(targets, undefined), targets);
  const refused = { targets: [], reply: replies.disabled, failures: [] };
  assert.equal(chosenPart(refused, { part: 'forward', of: OF_ANN }, ANN), refused);
});

test('an option that is set has its own targets: not those of another option, nor of another entry', () => {
  const targets = [mailbox(OF_ANN), forward(OF_ANN), forward(OF_ANN, 'farther.example'), forward(OF_BOB)];
  assert.deepEqual(chosen(targets, { part: 'forward', of: OF_ANN }), [targets[1], targets[2]]);
  assert.deepEqual(chosen(targets, { part: 'forward', of: OF_BOB }), [targets[3]]);
  assert.deepEqual(chosen(targets, { part: 'mailbox', of: OF_ANN }), [targets[0]]);
  assert.deepEqual(chosen(targets, { part: 'forward' }), targets.slice(1), 'whoever has it');
});

test('an option that is set no more has nothing, while the entry has others; a list’s members stay', () => {
  assert.deepEqual(chosen([mailbox(OF_ANN)], { part: 'forward', of: OF_ANN }), []);
  assert.deepEqual(chosen([mailbox(OF_ANN)], { part: 'forward' }), []);
  assert.deepEqual(chosen([forward(OF_ANN)], { part: 'mailbox', of: OF_ANN }), []);
  const member = mailboxTarget(BOB, idOf(2));
  assert.deepEqual(chosen([member], { part: 'members', of: OF_ANN }), [member]);
});

test('an address that another entry has now is what that entry says', () => {
  assert.deepEqual(chosen([forward(OF_BOB)], { part: 'forward', of: OF_ANN }), [forward(OF_BOB)]);
  assert.deepEqual(chosen([mailbox(OF_BOB)], { part: 'forward', of: OF_ANN }), []);
});

test('what takes all of the entry’s mail takes the part; what other addresses get has been served', () => {
  const usual = mailboxTarget(ANN, idOf(1));
  const sentOn = mailboxTarget(BOB, idOf(2));
  assert.deepEqual(chosen([usual, sentOn], { part: 'mailbox', of: OF_ANN }), [
    withOptions(usual, { part: 'mailbox', of: OF_ANN }),
  ]);
  const away = withOrigin(hopTarget(FAR, 'far.example'), ANN);
  const [only, ...others] = chosen([usual, away], { part: 'forward' });
  assert.deepEqual([only, others], [withOptions(away, { part: 'forward' }), []], 'a mailbox here is no forward');
});

test('two parts that are kept again are two rows', () => {
  const kept = holdTarget(ANN, 'route acme.example');
  const keys = (['forward', 'program'] as const).map((part) => chosen([kept], { part, of: OF_ANN })[0]!.key);
  assert.equal(new Set([kept.key, ...keys]).size, 3);
  assert.equal(
    chosen([hopTarget(ANN, 'far.example')], { part: 'forward', of: OF_ANN })[0]!.key,
    hopTarget(ANN, 'far.example').key,
  );
});

test('a mailbox that was all there was stays the mailbox, and where it is gone all takes it', () => {
  const alone: PartOf = { part: 'mailbox', aloneOf: 1 };
  assert.deepEqual(partWaitedFor(mailboxTarget(ANN, idOf(1))), alone);
  assert.deepEqual(chosen([mailbox(OF_ANN), forward(OF_ANN)], alone), [mailbox(OF_ANN)]);
  assert.deepEqual(chosen([forward(OF_ANN)], alone), [forward(OF_ANN)]);
  const kept = holdTarget(ANN, 'route acme.example');
  assert.deepEqual(chosen([kept], alone), [withOptions(kept, { account: 1 })]);
  const others = holdTarget(BOB, 'route acme.example');
  assert.deepEqual(chosen([others], alone), [others]);
});

test('a target says which part it is; one without a word stands for the whole recipient', () => {
  assert.equal(partOf(mailboxTarget(ANN, idOf(1))), undefined);
  assert.deepEqual(partOf(forward(OF_ANN)), { part: 'forward', of: OF_ANN });
  assert.deepEqual(partOf(withOptions(hopTarget(ANN, 'far.example'), { part: 'forward' })), { part: 'forward' });
  assert.equal(partWaitedFor(hopTarget(ANN, 'far.example')), undefined);
});
