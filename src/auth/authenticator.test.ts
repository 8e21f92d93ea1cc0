import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../base/failure.ts';
import { Authenticator, type LoginAccount } from './authenticator.ts';
import { HashGate } from './hash-gate.ts';
import { hashPassword } from './password.ts';

const gate = new HashGate({ slots: 1 });
const hash = await hashPassword(Buffer.from('secret'), gate);

/** A gate that counts what passes it. */
class CountingGate extends HashGate {
  hashes = 0;
  override run<T>(task: () => Promise<T>): Promise<T> {
    this.hashes++;
    return super.run(task);
  }
}

function setUp(changes: Partial<LoginAccount> = {}) {
  const account = {
    uuid: 'u1',
    passwords: [hash],
    mayLogin: true,
    ...changes,
  };
  const state = { now: 0, account, waited: [] as number[], gate: new CountingGate({ slots: 1 }) };
  const authenticator = new Authenticator({
    find: (login) => (login.toLowerCase() === 'ann@acme.example' ? state.account : undefined),
    findEntry: (dn) => (dn === 'uid=ann,o=internet' ? state.account : undefined),
    gate: state.gate,
    clock: { now: () => 0, monotonic: () => state.now },
    wait: async (ms) => void state.waited.push(ms),
  });
  return { state, authenticator };
}

const failing = (kind: string, text?: string) => (error: unknown) =>
  error instanceof Failure && error.kind === kind && (text === undefined || error.message === text);

describe('the authenticator', () => {
  it('gives the account for an address in any case and the right password', async () => {
    const { authenticator } = setUp();
    assert.equal((await authenticator.login('Ann@ACME.example', 'secret')).uuid, 'u1');
  });

  it('answers a wrong name and a wrong password in the same words and at the same cost', async () => {
    const { authenticator, state } = setUp();
    await assert.rejects(
      authenticator.login('ann@acme.example', 'wrong'),
      failing('unauthenticated', 'Authentication failed'),
    );
    assert.equal(state.gate.hashes, 1);
    await assert.rejects(
      authenticator.login('bob@acme.example', 'secret'),
      failing('unauthenticated', 'Authentication failed'),
    );
    assert.equal(state.gate.hashes, 2);
  });

  it('costs a hash also when the stored value is a fast one, or none', async () => {
    for (const passwords of [['{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll'], []]) {
      const { authenticator, state } = setUp({ passwords });
      await assert.rejects(authenticator.login('ann@acme.example', 'wrong'), failing('unauthenticated'));
      assert.equal(state.gate.hashes, 1);
    }
  });

  it('refuses the empty password', async () => {
    const { authenticator } = setUp();
    await assert.rejects(authenticator.login('ann@acme.example', ''), failing('unauthenticated'));
  });

  it('remembers a success for a minute', async () => {
    const { authenticator, state } = setUp();
    for (const now of [0, 1, 59_999]) {
      state.now = now;
      await authenticator.login('ann@acme.example', 'secret');
      assert.equal(state.gate.hashes, 1);
    }
    state.now = 60_000;
    await authenticator.login('ann@acme.example', 'secret');
    assert.equal(state.gate.hashes, 2);
  });

  it('never takes another password for the remembered one', async () => {
    const { authenticator, state } = setUp();
    await authenticator.login('ann@acme.example', 'secret');
    await assert.rejects(authenticator.login('ann@acme.example', 'secret2'), failing('unauthenticated'));
    await authenticator.login('ann@acme.example', 'secret');
    assert.equal(state.gate.hashes, 2);
  });

  it('forgets a success when the stored value changes', async () => {
    const { authenticator, state } = setUp();
    await authenticator.login('ann@acme.example', 'secret');
    state.account = { ...state.account, passwords: [await hashPassword(Buffer.from('new'), gate)] };
    await assert.rejects(authenticator.login('ann@acme.example', 'secret'), failing('unauthenticated'));
    assert.equal((await authenticator.login('ann@acme.example', 'new')).uuid, 'u1');
  });

  it('hashes once for connections that come together', async () => {
    const { authenticator, state } = setUp();
    await Promise.all([1, 2, 3, 4, 5].map(() => authenticator.login('ann@acme.example', 'secret')));
    assert.equal(state.gate.hashes, 1);
  });

  it('says that an account may not log in only to a client that has its password', async () => {
    const { authenticator } = setUp({ mayLogin: false });
    await assert.rejects(authenticator.login('ann@acme.example', 'secret'), failing('denied'));
    await assert.rejects(authenticator.login('ann@acme.example', 'wrong'), failing('unauthenticated'));
  });

  it('delays each failure of one peer and name more, up to a bound, and no other login', async () => {
    const { authenticator, state } = setUp();
    for (let i = 0; i < 8; i++) await authenticator.login('ann@acme.example', 'wrong', '192.0.2.1').catch(() => {});
    assert.deepEqual(state.waited, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    await authenticator.login('ann@acme.example', 'wrong', '192.0.2.2').catch(() => {});
    assert.equal(state.waited.at(-1), 100);
    await authenticator.login('ann@acme.example', 'secret', '192.0.2.1');
    assert.equal(state.waited.length, 9);
  });

  it('passes on that it could not find out', async () => {
    const authenticator = new Authenticator({
      find: () => {
        throw new Failure('unavailable', 'x');
      },
      findEntry: () => undefined,
      gate,
      clock: { now: () => 0, monotonic: () => 0 },
    });
    await assert.rejects(authenticator.login('a', 'b'), failing('unavailable'));
  });
});

describe('a simple bind', () => {
  it('gives the entry', async () => {
    const { authenticator } = setUp();
    assert.equal((await authenticator.bind('uid=ann,o=internet', 'secret')).uuid, 'u1');
  });

  it('of an entry that is not there costs and says the same as a wrong password', async () => {
    const { authenticator, state } = setUp();
    await assert.rejects(authenticator.bind('uid=bob,o=internet', 'secret'), failing('unauthenticated'));
    await assert.rejects(authenticator.bind('uid=ann,o=internet', 'wrong'), failing('unauthenticated'));
    assert.equal(state.gate.hashes, 2);
  });

  it('of an entry that may not log in is refused after the right password', async () => {
    const { authenticator } = setUp({ mayLogin: false });
    await assert.rejects(authenticator.bind('uid=ann,o=internet', 'secret'), failing('denied'));
  });
});
