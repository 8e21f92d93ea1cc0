// One LDAP connection, from its first message to unbind: which request runs when, and what is answered.
//
// In      chunks; requests from wire/ldap
// Out     responses; changes of the directory through the door
// States  anonymous <-> bound; closed
// Order   one operation after another, so a bind finds nothing outstanding and writes keep their order. Abandon, unbind and
//         requests that can't be carried out are looked at when they arrive
// Limits  a message 64 KiB before a bind and 2 MiB after it; operations and octets that wait; 20 bad requests; 1 minute to
//         the first message, 5 for one that has begun, or to read what was answered; see base/limits.ts
// Never   reads on while too much waits, or while a bind decides how much may be sent
// RFC 4511 §3 §4.1.1 §4.2.1 §4.4.1 §5.3

import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SyntaxFailure } from '../../base/cursor.ts';
import { asFailure } from '../../base/failure.ts';
import {
  LDAP_ANONYMOUS_MESSAGE_BYTES,
  LDAP_MESSAGE_BYTES,
  LDAP_OPERATIONS_MAX,
  LDAP_TURN_MS,
} from '../../base/limits.ts';
import { ANONYMOUS, type Caller } from '../../directory/caller.ts';
import { type ConnectionRecord, Deadline, Output } from '../../net/connection.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import {
  decodeRequest,
  encodeResponse,
  type LdapMessage,
  type LdapResponse,
  type RequestKind,
  UnacceptableRequest,
} from '../../wire/ldap/message.ts';
import { NOTICE_OF_DISCONNECTION } from '../../wire/ldap/operations/extended.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';
import { type LdapResultName, resultName } from '../../wire/ldap/result-codes.ts';
import type { LdapDoor } from './door.ts';
import { failureResult } from './errors.ts';
import { type AnsweredRequest, carryOut, responseTo } from './operations.ts';

/** An operation that waits or runs. */
export interface RunningOperation {
  readonly messageId: number;
  /** Nobody waits for it any more: it need not go on, and gets no response. */
  readonly abandoned: boolean;
}

interface PendingOperation extends RunningOperation {
  readonly message: LdapMessage<AnsweredRequest>;
  readonly bytes: number;
  abandoned: boolean;
}

/** An answer larger than this is given to the socket in pieces. */
const PIECE_BYTES = 1024 * 1024;
/** A peer that has vanished without a word is asked after so long. */
const KEEP_ALIVE_MS = 60_000;

export class LdapSession {
  readonly door: LdapDoor;
  readonly connection: ConnectionRecord;
  caller: Caller = ANONYMOUS;
  readonly #socket: Socket;
  readonly #framer = new LdapFramer(LDAP_ANONYMOUS_MESSAGE_BYTES);
  readonly #output: Output;
  readonly #deadline: Deadline;
  /** In the order in which they came; the first one runs. */
  readonly #operations: PendingOperation[] = [];
  #pendingBytes = 0;
  #working = false;
  /** What the deadline is for. */
  #waitsFor: 'first message' | 'rest of message' | 'next message' | 'reader' = 'first message';
  /** An answer waits for the peer to read it. */
  #isUnread = false;
  #peerEnded = false;
  #badRequests = 0;
  #closed = false;

  /** Takes the socket over, and closes it in the end. */
  constructor(door: LdapDoor, socket: Socket, connection: ConnectionRecord) {
    this.door = door;
    this.connection = connection;
    this.#socket = socket;
    this.#output = new Output(socket);
    this.#deadline = new Deadline(() => this.#expired());
    this.#deadline.set(door.limits.loginTimeoutMs);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      this.#read();
    });
    socket.on('end', () => {
      this.#peerEnded = true;
      if (!this.#working) this.#end();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#gone());
    socket.resume();
  }

  /** Ends the session from outside: the server stops. */
  close(): void {
    this.#disconnect('unavailable', 'The server is stopping');
  }

  /** Sends the octets of whole responses; resolves when the client has taken most of them, or is gone. */
  async send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#closed; at += PIECE_BYTES) {
      this.#output.writeBytes(bytes.subarray(at, at + PIECE_BYTES));
      this.#output.flush();
      if (!this.#socket.writableNeedDrain) continue;
      this.#wait('reader', this.door.limits.commandTimeoutMs);
      this.#isUnread = true;
      await this.#output.drained();
      this.#isUnread = false;
    }
  }

  /** All whole messages that are there, as far as they may be read now. */
  #read(): void {
    try {
      while (this.#mayRead) {
        const frame = this.#framer.next();
        if (frame === undefined) break;
        this.#accept(frame);
      }
    } catch (error) {
      this.#refuse(error);
    }
    if (this.#closed) return;
    if (this.#mayRead) this.#socket.resume();
    else this.#socket.pause();
    this.#waitForPeer();
    if (!this.#working) void this.#work();
  }

  get #mayRead(): boolean {
    if (this.#closed || this.#operations.length >= LDAP_OPERATIONS_MAX) return false;
    if (this.#pendingBytes >= LDAP_MESSAGE_BYTES) return false;
    return this.#operations.at(-1)?.message.operation.kind !== 'bind';
  }

  #accept(frame: Buffer): void {
    if (this.#waitsFor === 'first message') this.#waitsFor = 'next message';
    const message = this.#decode(frame);
    if (message === undefined) return;
    const { messageId, operation } = message;
    switch (operation.kind) {
      case 'unbind':
        this.#end();
        return;
      case 'abandon':
        for (const each of this.#operations) if (each.messageId === operation.abandoned) each.abandoned = true;
        return;
      default:
        this.#pendingBytes += frame.length;
        this.#operations.push({
          messageId,
          message: { ...message, operation },
          bytes: frame.length,
          abandoned: false,
        });
    }
  }

  /** Undefined for a request that was answered already: it makes no sense, though its octets do. */
  #decode(frame: Buffer): ReturnType<typeof decodeRequest> | undefined {
    try {
      return decodeRequest(frame);
    } catch (error) {
      if (!(error instanceof UnacceptableRequest)) throw error;
      this.#respond(error.messageId, error.operation, result('protocolError', error.message));
      if (++this.#badRequests >= this.door.limits.badCommandsMax) this.#disconnect('protocolError', 'Too many errors');
      return undefined;
    }
  }

  /** What came is no LDAP, or the reading of it failed: nobody knows where the next message begins. */
  #refuse(error: unknown): void {
    const failure = asFailure(error);
    const isPeersFault = error instanceof SyntaxFailure;
    if (isPeersFault) this.door.log.info('ldap.refuse', { peer: this.connection.peerAddress, reason: failure.message });
    else this.door.log.error('ldap.bug', { peer: this.connection.peerAddress, detail: failure.detail });
    this.#disconnect(isPeersFault ? 'protocolError' : 'other', failure.message);
  }

  /** Operations one by one, until none is left. */
  async #work(): Promise<void> {
    this.#working = true;
    let turnEndsAt = this.door.clock.monotonic() + LDAP_TURN_MS;
    for (let next = this.#operations[0]; next !== undefined; next = this.#operations[0]) {
      await this.#run(next);
      this.#operations.shift();
      this.#pendingBytes -= next.bytes;
      this.#framer.limit = this.caller.kind === 'anonymous' ? LDAP_ANONYMOUS_MESSAGE_BYTES : LDAP_MESSAGE_BYTES;
      this.#read();
      if (this.door.clock.monotonic() < turnEndsAt) continue;
      await nextTurn();
      turnEndsAt = this.door.clock.monotonic() + LDAP_TURN_MS;
    }
    this.#working = false;
    if (this.#peerEnded) this.#end();
  }

  async #run(operation: PendingOperation): Promise<void> {
    if (operation.abandoned) return;
    const { kind } = operation.message.operation;
    let outcome: LdapResult;
    try {
      outcome = await carryOut(this, operation.message, operation);
    } catch (error) {
      const failure = asFailure(error);
      if (failure.detail !== undefined)
        this.door.log.error('ldap.fail', {
          peer: this.connection.peerAddress,
          operation: kind,
          detail: failure.detail,
        });
      // The login is over: what it was refused for is no matter of this operation.
      if (failure.ldap?.name === 'strongerAuthRequired')
        return this.#disconnect('strongerAuthRequired', failure.message);
      outcome = failureResult(failure);
    }
    if (!operation.abandoned) this.#respond(operation.messageId, kind, outcome);
  }

  #respond(messageId: number, kind: RequestKind, outcome: LdapResult): void {
    const response = responseTo(kind, outcome);
    if (response === undefined || this.#closed) return;
    this.door.countResult(kind, resultName(outcome.resultCode) ?? 'other');
    this.#write(messageId, response);
  }

  #write(messageId: number, operation: LdapResponse): void {
    this.#output.writeBytes(encodeResponse({ messageId, operation, controls: [] }));
  }

  /** RFC 4511 §4.4.1: the last words, about no request in particular. */
  #disconnect(name: LdapResultName, reason: string): void {
    if (this.#closed) return;
    const notice = result(name, reason);
    this.#write(0, { kind: 'extendedResponse', result: notice, name: NOTICE_OF_DISCONNECTION, value: undefined });
    this.#end();
  }

  /** Sends what is gathered and closes. What still runs goes on to its end; nobody is told. */
  #end(): void {
    if (this.#closed) return;
    this.#gone();
    this.#output.end();
    // What the peer still sends is thrown away: unread bytes would make the kernel cut off our last words.
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
  }

  #gone(): void {
    this.#closed = true;
    this.#deadline.clear();
    for (const operation of this.#operations) operation.abandoned = true;
  }

  /** A message that has begun has its time from its first octet; more octets do not lengthen it. */
  #waitForPeer(): void {
    if (this.#waitsFor === 'first message' || this.#isUnread) return;
    const { commandTimeoutMs, idleTimeoutMs } = this.door.limits;
    if (this.#framer.pending > 0 && this.#mayRead) {
      if (this.#waitsFor !== 'rest of message') this.#wait('rest of message', commandTimeoutMs);
      return;
    }
    this.#wait('next message', this.caller.kind === 'anonymous' ? commandTimeoutMs : idleTimeoutMs);
  }

  #wait(what: 'rest of message' | 'next message' | 'reader', timeoutMs: number): void {
    if (this.#closed) return;
    // A deadline only moves forward by itself.
    if (what !== this.#waitsFor) this.#deadline.clear();
    this.#waitsFor = what;
    this.#deadline.set(timeoutMs);
  }

  #expired(): void {
    if (this.#waitsFor === 'reader') this.#socket.destroy();
    else if (this.#waitsFor === 'rest of message') this.#disconnect('protocolError', 'The message did not end in time');
    // An operation that takes long is no silence of the peer.
    else if (this.#working) this.#waitForPeer();
    else this.#end();
  }
}
