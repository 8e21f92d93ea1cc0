// Who is it: login name and password, or DN and password, to the entry behind them. One a thread.
//
// In      `find`, which knows the addresses (logins.ts)
// Out     what `find` gave, once the password is right
// Limits  remembered successes and remembered failures: 10,000 each; a success for a minute
// Never   says whether the name exists: same text, same time; locks no account: a failure only makes the next one slower
// RFC 4513 §5.1, RFC 9051 §11

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { asciiLower } from '../base/characters.ts';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { AttributeValue } from '../directory/entry.ts';
import type { HashGate } from './hash-gate.ts';
import { verifyPassword } from './password.ts';

/** What is behind a login or a DN, as far as a password is concerned. */
export interface LoginAccount {
  /** The entry's UUID. */
  readonly uuid: string;
  /** The values of userPassword. */
  readonly passwords: readonly AttributeValue[];
  /** False when a status of user or domain forbids it. */
  readonly mayLogin: boolean;
}

/** What is found may hold more than a password needs: the caller gets it back. */
export interface AuthenticatorOptions<L extends LoginAccount, B extends LoginAccount> {
  /** By any address of the account, in any case. Throws `unavailable` when it cannot find out. */
  readonly find: (login: string) => L | undefined;
  /** Throws `invalidDnSyntax` for what is no DN. */
  readonly findEntry: (dn: string) => B | undefined;
  readonly gate: HashGate;
  readonly clock: Clock;
  /** Resolves after so many milliseconds; tests do not wait. */
  readonly wait?: (ms: number) => Promise<void>;
}

const REMEMBER_MS = 60_000;
const REMEMBERED_MAX = 10_000;
const FORGET_FAILURES_MS = 15 * 60_000;
const FIRST_DELAY_MS = 100;
const DELAY_MAX_MS = 5000;
const LOGIN_LENGTH_MAX = 512;

interface Remembered {
  readonly mac: Buffer;
  readonly until: number;
}

interface Failures {
  readonly count: number;
  readonly until: number;
}

export class Authenticator<L extends LoginAccount, B extends LoginAccount> {
  readonly #find: (login: string) => L | undefined;
  readonly #findEntry: (dn: string) => B | undefined;
  readonly #gate: HashGate;
  readonly #clock: Clock;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #key = randomBytes(32);
  readonly #remembered = new Map<string, Remembered>();
  readonly #failures = new Map<string, Failures>();
  readonly #underWay = new Map<string, Promise<boolean>>();

  constructor(options: AuthenticatorOptions<L, B>) {
    this.#find = options.find;
    this.#findEntry = options.findEntry;
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#wait = options.wait ?? ((ms) => new Promise((resolve) => setTimeout(resolve, ms)));
  }

  /**
   * The account. Throws `unauthenticated` for a wrong name or password, and, only with the right password, `denied` for an
   * account that may not log in; `unavailable` when it could not be found out. `peer` is the address of the client.
   */
  async login(login: string, password: string | Uint8Array, peer = ''): Promise<L> {
    const found = login.length > LOGIN_LENGTH_MAX ? undefined : this.#find(login);
    return this.#verified(found, login, password, peer);
  }

  /** The same of a simple bind; the caller has refused an empty name or password. */
  async bind(dn: string, password: string | Uint8Array, peer = ''): Promise<B> {
    return this.#verified(this.#findEntry(dn), dn, password, peer);
  }

  async #verified<T extends LoginAccount>(
    found: T | undefined,
    name: string,
    password: string | Uint8Array,
    peer: string,
  ): Promise<T> {
    await this.#check(found?.uuid, found?.passwords ?? [], octetsOf(password), whoOf(peer, name));
    if (!found!.mayLogin) throw new Failure('denied', 'This account may not log in');
    return found!;
  }

  async #check(
    uuid: string | undefined,
    stored: readonly AttributeValue[],
    password: Uint8Array,
    who: string,
  ): Promise<void> {
    if (uuid !== undefined && this.#isRemembered(uuid, stored, password)) return;
    if ((await this.#verify(stored, password)) && uuid !== undefined) {
      this.#remember(uuid, stored, password);
      this.#failures.delete(who);
      return;
    }
    await this.#wait(this.#noteFailure(who));
    throw new Failure('unauthenticated', 'Authentication failed');
  }

  /** A client that opens five connections at once costs one hash. */
  async #verify(stored: readonly AttributeValue[], password: Uint8Array): Promise<boolean> {
    const key = this.#mac(stored, password).toString('latin1');
    let verdict = this.#underWay.get(key);
    if (verdict === undefined) {
      verdict = verifyPassword(stored, password, this.#gate).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, verdict);
    }
    return verdict;
  }

  #isRemembered(uuid: string, stored: readonly AttributeValue[], password: Uint8Array): boolean {
    const remembered = this.#remembered.get(uuid);
    if (remembered === undefined) return false;
    if (remembered.until <= this.#clock.monotonic()) {
      this.#remembered.delete(uuid);
      return false;
    }
    return timingSafeEqual(remembered.mac, this.#mac(stored, password));
  }

  #remember(uuid: string, stored: readonly AttributeValue[], password: Uint8Array): void {
    keepBelow(this.#remembered, REMEMBERED_MAX);
    this.#remembered.delete(uuid);
    this.#remembered.set(uuid, { mac: this.#mac(stored, password), until: this.#clock.monotonic() + REMEMBER_MS });
  }

  /** Bound to what is stored: any change of it is another text. */
  #mac(stored: readonly AttributeValue[], password: Uint8Array): Buffer {
    const mac = createHmac('sha256', this.#key);
    for (const value of stored) mac.update(`${value.length} `).update(value);
    return mac.update('\0').update(password).digest();
  }

  /** How long the answer to this failure waits. */
  #noteFailure(who: string): number {
    const now = this.#clock.monotonic();
    const before = this.#failures.get(who);
    const count = before === undefined || before.until <= now ? 1 : before.count + 1;
    this.#failures.delete(who);
    keepBelow(this.#failures, REMEMBERED_MAX);
    this.#failures.set(who, { count, until: now + FORGET_FAILURES_MS });
    return Math.min(DELAY_MAX_MS, FIRST_DELAY_MS * 2 ** Math.min(count - 1, 10));
  }
}

/** Under what failures are counted: cut, because anybody can send long names. */
function whoOf(peer: string, name: string): string {
  return `${peer} ${asciiLower(name.slice(0, LOGIN_LENGTH_MAX))}`;
}

/** Maps keep the order of insertion: the oldest goes. */
function keepBelow(map: Map<string, unknown>, max: number): void {
  if (map.size < max) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}

function octetsOf(password: string | Uint8Array): Uint8Array {
  return typeof password === 'string' ? Buffer.from(password, 'utf8') : password;
}
