// Is this the password of an account: the stored values are asked, and what was right is remembered. One a thread.
//
// Limits  remembered successes: 10,000, for a minute
// Never   says whether the account exists by the time that a "no" takes

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { AttributeValue } from '../directory/entry.ts';
import { isScramKeys } from '../directory/scram-values.ts';
import { keepBelow } from './bounds.ts';
import type { HashGate } from './hash-gate.ts';
import { valueOfPassword } from './password.ts';

const REMEMBER_MS = 60_000;
const REMEMBERED_MAX = 10_000;

/** What is behind a login, as far as a password is concerned. */
export interface PasswordAccount {
  /** The entry's UUID. */
  readonly uuid: string;
  /** The values of userPassword. */
  readonly passwords: readonly AttributeValue[];
  /** Of an entry that is another directory's: its name there. What is stored is theirs, and stays. */
  readonly dnAtSource?: string;
}

/** `value` is the stored one that the password was right for. */
export type VerifiedPassword = (account: PasswordAccount, password: Uint8Array, value: AttributeValue) => void;

interface Remembered {
  readonly mac: Buffer;
  readonly until: number;
}

export class PasswordCheck {
  readonly #gate: HashGate;
  readonly #clock: Clock;
  readonly #verified: VerifiedPassword;
  readonly #key = randomBytes(32);
  readonly #remembered = new Map<string, Remembered>();
  readonly #underWay = new Map<string, Promise<AttributeValue | undefined>>();

  /** `verified` is called for each password that matches a stored value, not for one that is remembered. */
  constructor(gate: HashGate, clock: Clock, verified: VerifiedPassword = () => {}) {
    this.#gate = gate;
    this.#clock = clock;
    this.#verified = verified;
  }

  /**
   * Undefined: there is no such account, which costs what a wrong password costs. `name` is one text for all spellings of the
   * name that was given. Throws `unavailable`.
   */
  async isRight(account: PasswordAccount | undefined, name: string, password: Uint8Array): Promise<boolean> {
    if (account !== undefined && this.#isRemembered(account, password)) return true;
    const value = await this.#verify(account?.passwords ?? [], name, password);
    if (value === undefined || account === undefined) return false;
    this.#remember(account, password);
    if (account.dnAtSource === undefined) this.#verified(account, password, value);
    return true;
  }

  /**
   * A client that opens five connections at once costs one hash; two names cost two, whether or not there are such accounts:
   * names of nobody that shared one would be told apart by their time.
   */
  #verify(stored: readonly AttributeValue[], name: string, password: Uint8Array): Promise<AttributeValue | undefined> {
    const key = `${this.#mac(stored, password).toString('latin1')} ${name}`;
    let verdict = this.#underWay.get(key);
    if (verdict === undefined) {
      verdict = valueOfPassword(stored, password, this.#gate).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, verdict);
    }
    return verdict;
  }

  #isRemembered({ uuid, passwords }: PasswordAccount, password: Uint8Array): boolean {
    const remembered = this.#remembered.get(uuid);
    if (remembered === undefined) return false;
    if (remembered.until <= this.#clock.monotonic()) {
      this.#remembered.delete(uuid);
      return false;
    }
    return timingSafeEqual(remembered.mac, this.#mac(passwords, password));
  }

  #remember({ uuid, passwords }: PasswordAccount, password: Uint8Array): void {
    keepBelow(this.#remembered, REMEMBERED_MAX);
    this.#remembered.delete(uuid);
    this.#remembered.set(uuid, { mac: this.#mac(passwords, password), until: this.#clock.monotonic() + REMEMBER_MS });
  }

  /** Bound to what is stored: any change of it is another text. Keys that come to a password change nothing of it. */
  #mac(stored: readonly AttributeValue[], password: Uint8Array): Buffer {
    const mac = createHmac('sha256', this.#key);
    const hashes = stored.filter((value) => !isScramKeys(value));
    for (const value of hashes.length > 0 ? hashes : stored) mac.update(`${value.length} `).update(value);
    return mac.update('\0').update(password).digest();
  }
}
