import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DirectoryChange } from '../directory/entry.ts';
import { hashClearPasswords } from './hash-clear.ts';
import { HashGate } from './hash-gate.ts';
import { verifyPassword } from './password.ts';
import { keysOf } from './scram-keys.ts';

const gate = new HashGate({ slots: 1 });
const hashing = { gate, makesKeys: true };

describe('clear passwords in a change', () => {
  it('are hashed in an add, by any name of the attribute; values with a prefix stay', async () => {
    const change: DirectoryChange = {
      kind: 'add',
      dn: 'cn=a',
      attributes: [
        { name: 'cn', values: ['a'] },
        { name: '2.5.4.35', values: ['secret', '{CRYPT}x', '{SSHA}y'] },
      ],
    };
    const hashed = await hashClearPasswords(change, hashing);
    assert.ok(hashed.kind === 'add');
    assert.deepEqual(hashed.attributes[0], change.attributes[0]);
    const [first, keys, ...rest] = hashed.attributes[1]!.values;
    assert.equal(await verifyPassword([first!], Buffer.from('secret'), gate), true);
    assert.equal(await verifyPassword([keys!], Buffer.from('secret'), gate), true);
    assert.deepEqual(rest, ['{CRYPT}x', '{SSHA}y']);
  });

  it('are hashed in a modify, but not where they are deleted', async () => {
    const hashed = await hashClearPasswords(
      {
        kind: 'modify',
        dn: 'cn=a',
        modifications: [
          { operation: 'delete', attribute: 'userPassword', values: ['old'] },
          { operation: 'replace', attribute: 'USERPASSWORD', values: ['new'] },
          { operation: 'add', attribute: 'description', values: ['new'] },
        ],
      },
      hashing,
    );
    assert.ok(hashed.kind === 'modify');
    assert.deepEqual(hashed.modifications[0]!.values, ['old']);
    const [hash, keys, ...more] = hashed.modifications[1]!.values as readonly string[];
    assert.match(hash!, /^\{ARGON2\}\$argon2id\$/);
    assert.match(keys!, /^\{SCRAM-SHA-256\}65536,/);
    assert.deepEqual(more, []);
    assert.deepEqual(hashed.modifications[2]!.values, ['new']);
  });

  it('of one change share a salt in their keys, and have none where they are not asked for or cannot be', async () => {
    const values = ['one', 'two', '\u{1f40e}'];
    const change: DirectoryChange = { kind: 'add', dn: 'cn=a', attributes: [{ name: 'userPassword', values }] };
    const stored = async (makesKeys: boolean) => {
      const hashed = await hashClearPasswords(change, { gate, makesKeys });
      assert.ok(hashed.kind === 'add');
      return hashed.attributes[0]!.values;
    };
    const made = await stored(true);
    assert.deepEqual([made.length, keysOf(made).length], [5, 2]);
    const without = await stored(false);
    assert.deepEqual([without.length, keysOf(without).length], [3, 0]);
  });

  it('are bounded in length and number', async () => {
    for (const values of [[''], ['x'.repeat(1025)], Array.from({ length: 11 }, (_, i) => `p${i}`)]) {
      const change: DirectoryChange = { kind: 'add', dn: 'cn=a', attributes: [{ name: 'userPassword', values }] };
      await assert.rejects(hashClearPasswords(change, hashing));
    }
  });
});
