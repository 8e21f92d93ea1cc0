// In which order the operations of one connection start, and what each waits for.
//
// write   starts at once: the writer carries changes out as they were posted, and none waits for another's commit
// read    starts when all earlier writes are answered, so that a client reads what it has written
// alone   a bind and StartTLS: starts when all earlier operations are answered; nothing is read from the connection until it has ended
// RFC 4511 §3.1 §4.2.1 §4.14.1

import { CANCEL } from '../../wire/ldap/extended/cancel.ts';
import { CHANGE_LIST } from '../../wire/ldap/extended/change-list.ts';
import { PASSWORD_MODIFY } from '../../wire/ldap/extended/password-modify.ts';
import { START_TLS } from '../../wire/ldap/operations/extended.ts';
import type { AnsweredKind, AnsweredRequest } from './handlers.ts';

const ORDER = {
  add: 'write',
  delete: 'write',
  modify: 'write',
  modifyDn: 'write',
  search: 'read',
  compare: 'read',
  extended: 'read',
  bind: 'alone',
} as const satisfies Record<AnsweredKind, 'write' | 'read' | 'alone'>;

/** Changes; and Cancel, which starts at once, since what it is about may be under way. */
const WRITES: ReadonlySet<string> = new Set([CANCEL, CHANGE_LIST, PASSWORD_MODIFY]);

export function orderOf(request: AnsweredRequest): 'write' | 'read' | 'alone' {
  if (request.kind !== 'extended') return ORDER[request.kind];
  if (request.name === START_TLS) return 'alone';
  return WRITES.has(request.name) ? 'write' : 'read';
}

const NOW = Promise.resolve();

/** What is carried out resolves when it is answered, and never rejects. */
type CarryOut = () => Promise<void>;

export class OperationOrder {
  /** Operations that are not answered, and the writes among them. */
  #operations = 0;
  #writes = 0;
  /** Resolves when all writes so far are answered. */
  #written: Promise<void> = NOW;
  #idle: (() => void)[] = [];

  write(carryOut: CarryOut): void {
    this.#operations++;
    this.#writes++;
    const answered = carryOut().then(() => {
      this.#writes--;
      this.#end();
    });
    const earlier = this.#written;
    this.#written = answered.then(() => earlier);
  }

  read(carryOut: CarryOut): void {
    this.#operations++;
    const answered = this.#writes === 0 ? carryOut() : this.#written.then(carryOut);
    void answered.then(() => this.#end());
  }

  /** Resolves when it is answered. Nothing else may be added until then. */
  async alone(carryOut: CarryOut): Promise<void> {
    await this.answered();
    await carryOut();
  }

  /** Resolves when all operations so far are answered. */
  answered(): Promise<void> {
    if (this.#operations === 0) return NOW;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #end(): void {
    if (--this.#operations > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
