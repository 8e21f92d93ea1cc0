import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HashGate } from './hash-gate.ts';
import { hashPassword } from './password.ts';
import { PasswordCheck } from './password-check.ts';

const hash = await hashPassword(Buffer.from('secret'), new HashGate({ slots: 1 }));

/** A gate that counts what passes it. */
class CountingGate extends HashGate {
  hashes = 0;
  override run<T>(task: () => Promise<T>): Promise<T> {
    this.hashes++;
    return super.run(task);
  }
}

function setUp(passwords: readonly string[] = [hash]) {
  const state = { now: 0, gate: new CountingGate({ slots: 1 }), account: { uuid: 'u1', passwords } };
  const check = new PasswordCheck(state.gate, { now: () => 0, monotonic: () => state.now });
  return {
    state,
    is: (password: string) => check.isRight(state.account, 'ann@acme.example', Buffer.from(password)),
    isOfNobody: (password: string, name = 'nobody') => check.isRight(undefined, name, Buffer.from(password)),
  };
}

describe('a password', () => {
  it('costs a hash when it is wrong, and when there is no such account', async () => {
    const { state, is, isOfNobody } = setUp();
    assert.equal(await is('wrong'), false);
    assert.equal(state.gate.hashes, 1);
    assert.equal(await isOfNobody('secret'), false);
    assert.equal(state.gate.hashes, 2);
  });

  it('costs none again when it was right before, of however many accounts', async () => {
    const { state } = setUp();
    const check = new PasswordCheck(state.gate, { now: () => 0, monotonic: () => state.now });
    const of = (uuid: string) => check.isRight({ uuid, passwords: [hash] }, uuid, Buffer.from('secret'));
    for (const uuid of ['u1', 'u2', 'u3', 'u1', 'u2', 'u3']) assert.equal(await of(uuid), true);
    assert.equal(state.gate.hashes, 3);
  });

  it('costs a hash also when the stored value is a fast one, or none', async () => {
    for (const passwords of [['{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll'], []]) {
      const { state, is } = setUp(passwords);
      assert.equal(await is('wrong'), false);
      assert.equal(state.gate.hashes, 1);
    }
  });

  it('is never the empty one', async () => {
    assert.equal(await setUp().is(''), false);
  });

  it('is remembered for a minute', async () => {
    const { state, is } = setUp();
    for (const now of [0, 1, 59_999]) {
      state.now = now;
      assert.equal(await is('secret'), true);
      assert.equal(state.gate.hashes, 1);
    }
    state.now = 60_000;
    assert.equal(await is('secret'), true);
    assert.equal(state.gate.hashes, 2);
  });

  it('is never another one than that which is remembered', async () => {
    const { state, is } = setUp();
    assert.equal(await is('secret'), true);
    assert.equal(await is('secret2'), false);
    assert.equal(await is('secret'), true);
    assert.equal(state.gate.hashes, 2);
  });

  it('is forgotten when the stored value changes', async () => {
    const { state, is } = setUp();
    assert.equal(await is('secret'), true);
    state.account = { uuid: 'u1', passwords: [await hashPassword(Buffer.from('new'), new HashGate({ slots: 1 }))] };
    assert.equal(await is('secret'), false);
    assert.equal(await is('new'), true);
  });

  it('is hashed once for connections that come together', async () => {
    const { state, is } = setUp();
    assert.deepEqual(await Promise.all([1, 2, 3, 4, 5].map(() => is('secret'))), [true, true, true, true, true]);
    assert.equal(state.gate.hashes, 1);
  });

  it('is hashed for each name, known or not, however many come together with the same one', async () => {
    const { state, is, isOfNobody } = setUp();
    const names = ['x', 'y', 'x'].map((name) => isOfNobody('guess', name));
    assert.deepEqual(await Promise.all([is('guess'), ...names]), [false, false, false, false]);
    assert.equal(state.gate.hashes, 3);
  });
});
