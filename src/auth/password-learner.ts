// What a password in the clear teaches: keys for SCRAM where it has none, and a hash of today where its own is another.
//
// In      each password that a stored value was right for
// Out     the values that are to be stored while the stored ones are still those
// Limits  one at a time, and LEARNING_MAX that wait; others learn at a later login
// Never   keeps a login waiting, or takes the place of one in the gate more than once
// Errors  none: what fails is tried again at the next login

import type { AttributeValue } from '../directory/entry.ts';
import { type Hashing, passwordValues } from './hash-clear.ts';
import { isOldHash } from './password.ts';
import type { VerifiedPassword } from './password-check.ts';
import { keysOf, lacksKeys, makeKeys, newSalting } from './scram-keys.ts';

const LEARNING_MAX = 100;

export interface LearnedPassword {
  /** The entry's UUID. */
  readonly uuid: string;
  /** The values among which the password's was. */
  readonly seen: readonly AttributeValue[];
  /** What is to stand there instead. */
  readonly values: readonly AttributeValue[];
}

export function learnPasswordsFrom(
  hashing: Hashing,
  store: (learned: LearnedPassword) => Promise<unknown>,
): VerifiedPassword {
  const { gate, makesKeys } = hashing;
  const learning = new Set<string>();
  let last: Promise<void> = Promise.resolve();

  /** What a write of the password in the clear would store, with the salt that other keys of the entry have. */
  async function learn(seen: readonly AttributeValue[], password: Uint8Array, value: AttributeValue) {
    const salting = keysOf(seen)[0] ?? newSalting();
    if (isOldHash(value)) {
      const [hash, ...keys] = await passwordValues(password, hashing, salting);
      const replaced = seen.map((each) => (each === value ? hash! : each));
      return [...replaced, ...keys.filter((each) => !seen.includes(each))];
    }
    const keys = await makeKeys(password, gate, salting);
    // An entry with two passwords may have them for this one.
    return keys === undefined || seen.includes(keys) ? undefined : [...seen, keys];
  }

  return ({ uuid, passwords: seen }, password, value) => {
    if (learning.has(uuid) || learning.size >= LEARNING_MAX) return;
    if (!isOldHash(value) && !(makesKeys && lacksKeys(seen))) return;
    learning.add(uuid);
    const done = (): void => void learning.delete(uuid);
    last = last
      .then(() => learn(seen, password, value))
      .then((values) => values && store({ uuid, seen, values }))
      .then(done, done);
  };
}
