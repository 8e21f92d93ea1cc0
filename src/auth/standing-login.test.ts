// A login is read again where the directory has moved, and only there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { idOf, type PublishedRevision } from '../base/ids.ts';
import { StandingLogin } from './standing-login.ts';

function setUp() {
  const state = { revision: 7, reads: 0, entry: 'ann' as string | undefined, isDown: false };
  const login = new StandingLogin({
    revision: () => idOf<PublishedRevision>(state.revision),
    read() {
      state.reads++;
      if (state.isDown) throw new Failure('unavailable', 'down');
      return state.entry;
    },
  });
  return { state, login };
}

test('it is read at first, and then once for each revision', () => {
  const { state, login } = setUp();
  for (let i = 0; i < 3; i++) assert.equal(login.now(), 'ann');
  assert.equal(state.reads, 1);
  state.entry = 'anna';
  assert.equal(login.now(), 'ann', 'what is not published has not happened');
  state.revision = 8;
  for (let i = 0; i < 3; i++) assert.equal(login.now(), 'anna');
  assert.equal(state.reads, 2);
});

test('what was read with the password is not read again until the directory moves', () => {
  const state = { revision: 7, reads: 0 };
  const read = (): string => `reading ${++state.reads}`;
  const revision = () => idOf<PublishedRevision>(state.revision);
  const first = { revision: idOf<PublishedRevision>(7), value: 'with the password' };
  const login = new StandingLogin({ revision, read, first });
  assert.equal(login.now(), 'with the password');
  state.revision = 8;
  assert.equal(login.now(), 'reading 1');
  const late = new StandingLogin({ revision, read, first });
  assert.equal(late.now(), 'reading 2', 'the directory moved while the password was looked at');
});

test('one that is over is over, and comes back with its entry', () => {
  const { state, login } = setUp();
  state.entry = undefined;
  assert.equal(login.now(), undefined);
  assert.equal(login.now(), undefined);
  assert.equal(state.reads, 1);
  state.entry = 'ann';
  state.revision = -1;
  assert.equal(login.now(), 'ann');
});

test('one that was ended stays over, whatever the directory says', () => {
  const { state, login } = setUp();
  assert.equal(login.now(), 'ann');
  login.end();
  assert.equal(login.now(), undefined);
  state.revision = 8;
  assert.equal(login.now(), undefined);
  assert.equal(state.reads, 1);
});

test('what could not be found out is neither: it is tried again', () => {
  const { state, login } = setUp();
  assert.equal(login.now(), 'ann');
  state.revision = 8;
  state.isDown = true;
  for (let i = 0; i < 2; i++) assert.throws(() => login.now(), { kind: 'unavailable' });
  state.isDown = false;
  assert.equal(login.now(), 'ann');
});
