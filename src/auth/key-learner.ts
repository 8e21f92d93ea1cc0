// Accounts whose password has no keys for SCRAM learn them from the password in the clear. One a thread.
//
// In      each password that a stored value was right for
// Out     keys, to be stored while the stored values are still those
// Limits  one at a time, and LEARNING_MAX that wait; others learn at a later login
// Never   keeps a login waiting, or takes the place of one in the gate more than once
// Errors  none: what fails is tried again at the next login

import type { AttributeValue } from '../directory/entry.ts';
import type { HashGate } from './hash-gate.ts';
import type { VerifiedPassword } from './password-check.ts';
import { keysOf, lacksKeys, makeKeys, newSalting } from './scram-keys.ts';

const LEARNING_MAX = 100;

export interface LearnedKeys {
  /** The entry's UUID. */
  readonly uuid: string;
  /** The values that the password was right for. */
  readonly seen: readonly AttributeValue[];
  readonly keys: string;
}

export function learnKeysFrom(gate: HashGate, store: (learned: LearnedKeys) => Promise<unknown>): VerifiedPassword {
  const learning = new Set<string>();
  let last: Promise<void> = Promise.resolve();

  async function learn(uuid: string, seen: readonly AttributeValue[], password: Uint8Array): Promise<void> {
    const keys = await makeKeys(password, gate, keysOf(seen)[0] ?? newSalting());
    // An entry with two passwords may have them for this one.
    if (keys !== undefined && !seen.includes(keys)) await store({ uuid, seen, keys });
  }

  return ({ uuid, passwords: seen }, password) => {
    if (learning.has(uuid) || learning.size >= LEARNING_MAX || !lacksKeys(seen)) return;
    learning.add(uuid);
    const done = (): void => void learning.delete(uuid);
    last = last.then(() => learn(uuid, seen, password)).then(done, done);
  };
}
