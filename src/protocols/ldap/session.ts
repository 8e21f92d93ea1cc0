// One LDAP connection, from its first message to unbind: which request runs when, and what is answered.
//
// In      messages; requests from wire/ldap
// Out     responses; changes of the directory through the door
// States  anonymous <-> bound; closed
// Order   order.ts. Abandon, unbind and requests that make no sense are looked at when they arrive
// Login   worth at each operation what the directory says then; its end is told by the commit, in silence too
// Ends    behind the last answer when the peer has said all; at once at an unbind; with a notice when it is at fault, or we
//         stop. Writes that are under way go on to their commit in any case
// Limits  a message 64 KiB before a bind, 2 MiB after it, 16 MiB of the administrator's, 24 MiB of another server's; operations and octets that wait; 20 bad requests; 1 minute to
//         the first message, 5 for one that has begun, or to read what was answered; see base/limits.ts
// Never   reads on while too much waits, or while a bind decides how much may be sent
// RFC 4511 §3 §4.1.1 §4.2.1 §4.4.1 §5.3

import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StandingLogin } from '../../auth/standing-login.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { asFailure } from '../../base/failure.ts';
import {
  FAILED_LOGINS_MAX,
  LDAP_ADMINISTRATOR_MESSAGE_BYTES,
  LDAP_ANONYMOUS_MESSAGE_BYTES,
  LDAP_MESSAGE_BYTES,
  LDAP_OPERATIONS_MAX,
  LDAP_SERVER_MESSAGE_BYTES,
  LDAP_TURN_MS,
  LOGIN_END_MS,
} from '../../base/limits.ts';
import { isServer } from '../../directory/access/is-server.ts';
import { ANONYMOUS, type Caller, LOGIN_IS_OVER } from '../../directory/caller.ts';
import { Connection, type ConnectionRecord } from '../../net/connection.ts';
import { startTls } from '../../net/start-tls.ts';
import type { AskedChange } from '../../provisioning/asked-change.ts';
import type { ChangeSummary } from '../../provisioning/change.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import { CHANGE_LIST } from '../../wire/ldap/extended/change-list.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import { decodeRequest, type LdapResponse, type RequestKind, UnacceptableRequest } from '../../wire/ldap/message.ts';
import { NOTICE_OF_DISCONNECTION } from '../../wire/ldap/operations/extended.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';
import { type LdapResultName, resultName } from '../../wire/ldap/result-codes.ts';
import { type AskedControls, askedControls, NOTHING_ASKED } from './controls.ts';
import type {
  CancelOutcome,
  LdapConversation,
  LdapFinal,
  LdapHandler,
  LdapOperation,
  PendingBind,
} from './conversation.ts';
import type { LdapDoor } from './door.ts';
import { failureResult } from './errors.ts';
import type { AnsweredRequest, LdapHandlers } from './handlers.ts';
import { OperationOrder, orderOf } from './order.ts';
import { Pages } from './pages.ts';
import { callerProxiedBy } from './proxied-caller.ts';
import { finalResponse } from './response.ts';
import { Responses } from './responses.ts';

const NOW = Promise.resolve();
/** For a slow peer to take the rest of what it asked for before it had said all. */
const END_MS = 60_000;
const CANCELED: LdapFinal = { result: result('canceled', 'You have canceled it') };

/** An operation that waits or runs. */
class PendingOperation implements LdapOperation {
  readonly messageId: number;
  readonly request: AnsweredRequest;
  readonly controls: readonly Control[];
  readonly bytes: number;
  asked: AskedControls = NOTHING_ASKED;
  caller: Caller = ANONYMOUS;
  /** Its end is its signal. */
  isEndless = false;
  /** Its signal has ended it, and it has an answer all the same: RFC 3909 §2. */
  isCanceled = false;
  isAborted = false;
  readonly #responses: Responses;
  /** Made for who waits for it: nobody does of nearly all operations. */
  #abort: AbortController | undefined;

  constructor(messageId: number, request: AnsweredRequest, controls: readonly Control[], bytes: number, to: Responses) {
    this.messageId = messageId;
    this.request = request;
    this.controls = controls;
    this.bytes = bytes;
    this.#responses = to;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.isAborted) this.#abort.abort();
    return this.#abort.signal;
  }

  get isWrite(): boolean {
    return orderOf(this.request) === 'write';
  }

  abort(): void {
    this.isAborted = true;
    this.#abort?.abort();
  }

  send(operation: LdapResponse, controls: readonly Control[] = []): Promise<void> {
    // RFC 4511 §4.11: responses that were gathered before the abandon are not sent either.
    if (this.isAborted) return NOW;
    return this.#responses.add({ messageId: this.messageId, operation, controls });
  }
}

export class LdapSession implements LdapConversation {
  readonly door: LdapDoor;
  readonly connection: Connection<LdapFramer>;
  #login: StandingLogin<Caller> | undefined;
  #unwatch: (() => void) | undefined;
  sasl: PendingBind | undefined;
  readonly pages = new Pages();
  #caller: Caller = ANONYMOUS;
  readonly #handlers: LdapHandlers;
  readonly #submit: ReturnType<LdapDoor['submitInOrder']>;
  readonly #responses: Responses;
  #lastLarge: Promise<void> = NOW;
  readonly #order = new OperationOrder();
  readonly #operations = new Set<PendingOperation>();
  #pendingBytes = 0;
  /** Resumes the reading of messages, which waits until fewer operations are pending. */
  #hasRoom: (() => void) | undefined;
  /** A bind or the end of the connection waits for all operations: those that never end by themselves are aborted. */
  #endsAll = false;
  /** What the deadline is for. */
  #waitsFor: 'first message' | 'rest of message' | 'next message' = 'first message';
  /** Messages are read until then; after that other connections have a turn. */
  #turnEndsAt = 0;
  /** A bind or StartTLS that has ended, and how much had come before it was answered: who cancels it there cannot. */
  #ended: { readonly messageId: number; left: number } | undefined;
  #badRequests = 0;
  #failedLogins = 0;
  #hasUnbound = false;
  /** The response that ends the connection was given. */
  #isAnswered = false;
  /** Why we end the connection. */
  #notice: LdapResult | undefined;

  constructor(door: LdapDoor, socket: Duplex, record: ConnectionRecord, handlers: LdapHandlers) {
    this.door = door;
    this.#handlers = handlers;
    this.#submit = door.submitInOrder();
    this.connection = new Connection(socket, record, () => new LdapFramer(this.#messageBytesMax));
    this.#responses = new Responses(this.connection, door.limits.commandTimeoutMs);
    this.connection.deadline(door.limits.loginTimeoutMs, this.#late);
    this.connection.onClose(() => this.#abortAll());
  }

  get record(): ConnectionRecord {
    return this.connection.record;
  }

  /** From the first message to the end of the connection. Never rejects. */
  async converse(): Promise<void> {
    try {
      do {
        for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
          const wait = this.#accept(frame) ?? this.#leaveTurn();
          if (wait !== undefined) await wait;
        }
        this.#waitForPeer();
      } while (!this.#isOver && (await this.connection.more()));
    } catch (error) {
      this.#refuse(error);
    }
    await this.#allAnswered();
    if (this.#notice !== undefined) await this.#sayGoodbye(this.#notice);
    await this.#responses.given();
    this.connection.end(this.#notice === undefined ? END_MS : undefined);
    // Not before: a bind may succeed whose client has left.
    this.#unwatch?.();
  }

  /** The server stops: writes get their answers first. */
  shutDown(): void {
    this.#disconnect('unavailable', 'The server is stopping');
  }

  change({ caller }: LdapOperation, ...changes: readonly AskedChange[]): Promise<ChangeSummary> {
    const session = this.#login?.id;
    return this.#submit({ changes, caller, peer: this.record.peerAddress, session });
  }

  takeOver(caller: Caller, changes: readonly AskedChange[]): Promise<ChangeSummary> {
    return this.#submit({ changes, caller, peer: this.record.peerAddress, isHandedOn: true });
  }

  cancel(messageId: number): CancelOutcome {
    for (const each of this.#operations) {
      if (each.messageId !== messageId || each.isAborted) continue;
      if (orderOf(each.request) !== 'read') return each.isWrite ? 'tooLate' : 'cannotCancel';
      each.isCanceled = true;
      each.abort();
      return 'canceled';
    }
    return this.#ended?.messageId === messageId ? 'cannotCancel' : 'noSuchOperation';
  }

  get login(): StandingLogin<Caller> | undefined {
    return this.#login;
  }

  /** The connection ends with its login, unless another bind comes before. */
  set login(login: StandingLogin<Caller> | undefined) {
    this.#unwatch?.();
    this.pages.clear();
    this.#login = login;
    this.#unwatch = login?.watch(() => {
      this.#disconnect('strongerAuthRequired', LOGIN_IS_OVER);
      this.connection.endWithin(LOGIN_END_MS);
    });
  }

  async turn(): Promise<void> {
    await this.door.longWork.turn();
  }

  oneAtATime(give: () => Promise<void>): Promise<void> {
    const given = this.#lastLarge.then(() => this.#responses.given()).then(give);
    this.#lastLarge = given.catch(() => {});
    return given;
  }

  neverEnds(operation: LdapOperation): void {
    for (const each of this.#operations) if (each === operation) each.isEndless = true;
    if (this.#endsAll) this.#abortEndless();
  }

  get waitingBytes(): number {
    return this.connection.framer.pending;
  }

  get #isOver(): boolean {
    return this.#isAnswered || this.#hasUnbound || this.#notice !== undefined;
  }

  get #messageBytesMax(): number {
    const caller = this.login?.now();
    if (caller === undefined) return LDAP_ANONYMOUS_MESSAGE_BYTES;
    if (caller.kind === 'administrator') return LDAP_ADMINISTRATOR_MESSAGE_BYTES;
    return isServer(this.door.reader, caller) ? LDAP_SERVER_MESSAGE_BYTES : LDAP_MESSAGE_BYTES;
  }

  #nextFrame(): Buffer | undefined {
    return this.#isOver || this.connection.gone ? undefined : this.connection.framer.next();
  }

  /** A wait before the next message may be read, or none. */
  #accept(frame: Buffer): Promise<void> | undefined {
    this.#wait('next message');
    if (this.#ended !== undefined && (this.#ended.left -= frame.length) < 0) this.#ended = undefined;
    const message = this.#decode(frame);
    if (message === undefined) return undefined;
    const { messageId, operation: request, controls } = message;
    switch (request.kind) {
      case 'unbind':
        this.#hasUnbound = true;
        this.#abortAll();
        return undefined;
      case 'abandon':
        for (const each of this.#operations) if (each.messageId === request.abandoned) each.abort();
        return undefined;
      default:
        return this.#begin(new PendingOperation(messageId, request, controls, frame.length, this.#responses));
    }
  }

  /** Undefined for a request that was answered already: it makes no sense, though its octets do. */
  #decode(frame: Buffer): ReturnType<typeof decodeRequest> | undefined {
    try {
      return decodeRequest(frame);
    } catch (error) {
      if (!(error instanceof UnacceptableRequest)) throw error;
      void this.#respond(error.messageId, error.operation, { result: result('protocolError', error.message) });
      if (++this.#badRequests >= this.door.limits.badCommandsMax) this.#disconnect('protocolError', 'Too many errors');
      return undefined;
    }
  }

  #begin(operation: PendingOperation): Promise<void> | undefined {
    this.#operations.add(operation);
    this.#pendingBytes += operation.bytes;
    const carryOut = (): Promise<void> => this.#carryOut(operation);
    switch (orderOf(operation.request)) {
      case 'write':
        this.#order.write(carryOut);
        break;
      case 'read':
        this.#order.read(carryOut);
        break;
      case 'alone':
        return this.#alone(operation.messageId, carryOut);
    }
    return this.#isFull ? new Promise((resolve) => (this.#hasRoom = resolve)) : undefined;
  }

  async #alone(messageId: number, carryOut: () => Promise<void>): Promise<void> {
    this.#endsAll = true;
    this.#abortEndless();
    await this.#order.alone(carryOut);
    const left = this.connection.framer.pending;
    this.#ended = left === 0 ? undefined : { messageId, left };
    this.#endsAll = false;
    this.connection.framer.limit = this.#messageBytesMax;
  }

  get #isFull(): boolean {
    return this.#operations.size >= LDAP_OPERATIONS_MAX || this.#pendingBytes >= LDAP_MESSAGE_BYTES;
  }

  /** Resolves when the operation is answered, or has ended after its signal. Never rejects. */
  async #carryOut(operation: PendingOperation): Promise<void> {
    const { messageId, request } = operation;
    try {
      const final = await this.#finalOf(operation);
      if (operation.isCanceled) await this.#respond(messageId, request.kind, CANCELED);
      else if (final !== undefined && !operation.isAborted) {
        await this.#respond(messageId, request.kind, final);
        if (final.next !== undefined) await this.#goOn(final.next);
      }
    } catch (error) {
      this.#refuse(error);
    }
    this.#operations.delete(operation);
    this.#pendingBytes -= operation.bytes;
    if (this.#waitsFor === 'next message') this.#wait('next message');
    if (this.#hasRoom === undefined || this.#isFull) return;
    this.#hasRoom();
    this.#hasRoom = undefined;
  }

  async #goOn(next: 'tls' | 'end'): Promise<void> {
    if (next === 'end') this.#isAnswered = true;
    else {
      await this.#responses.given();
      await startTls(this.connection, this.door.tls!, this.door.log);
    }
  }

  /** Undefined when it has none of its own: the notice answers it. */
  async #finalOf(operation: PendingOperation): Promise<LdapFinal | undefined> {
    const { request, controls } = operation;
    if (operation.isAborted) return undefined;
    const asked = askedControls(request.kind, controls);
    if ('refused' in asked) return { result: asked.refused };
    operation.asked = asked;
    try {
      // A bind ends the login before it, so that login is not read again.
      if (request.kind !== 'bind' && !this.#knowsCaller()) return undefined;
      operation.caller = asked.proxied === undefined ? this.#caller : this.#proxiedBy(operation, asked.proxied.value);
      const handler = this.#handlers[request.kind] as LdapHandler<AnsweredRequest>;
      const final = await handler(request, operation, this);
      return request.kind === 'bind' ? this.#afterBind(final) : final;
    } catch (error) {
      const failure = asFailure(error);
      const { detail } = failure;
      if (detail !== undefined)
        this.door.log.error('ldap.fail', { peer: this.record.peerAddress, operation: request.kind, detail });
      if (failure.ldap?.name !== 'strongerAuthRequired') return { result: failureResult(failure) };
      this.#disconnect('strongerAuthRequired', failure.message);
      return undefined;
    }
  }

  #proxiedBy({ request }: PendingOperation, identity: string): Caller {
    const isHandedOn = request.kind === 'extended' && request.name === CHANGE_LIST;
    return callerProxiedBy(this.#caller, { identity, isHandedOn }, this);
  }

  /** The fifth failed bind is the last. */
  #afterBind(final: LdapFinal): LdapFinal {
    const isWrong = resultName(final.result.resultCode) === 'invalidCredentials';
    return isWrong && ++this.#failedLogins >= FAILED_LOGINS_MAX ? { ...final, next: 'end' } : final;
  }

  /** Reads the login again where the directory has changed. False when it is over: then the connection ends. */
  #knowsCaller(): boolean {
    const caller = this.login === undefined ? ANONYMOUS : this.login.now();
    if (caller !== undefined) this.#caller = caller;
    else this.#disconnect('strongerAuthRequired', LOGIN_IS_OVER);
    return caller !== undefined;
  }

  /** Resolves when the response has found room. */
  #respond(messageId: number, kind: RequestKind, final: LdapFinal): Promise<void> {
    const response = finalResponse(messageId, kind, final);
    if (response === undefined || this.connection.gone) return NOW;
    this.door.countResult(kind, resultName(final.result.resultCode) ?? 'other');
    return this.#responses.add(response);
  }

  /** A message is no LDAP, or reading it failed: where the next message begins is not known, so the connection ends. */
  #refuse(error: unknown): void {
    const failure = asFailure(error);
    const isPeersFault = error instanceof SyntaxFailure;
    const peer = this.record.peerAddress;
    if (isPeersFault) this.door.log.info('ldap.refuse', { peer, reason: failure.message });
    else this.door.log.error('ldap.bug', { peer, detail: failure.detail });
    this.#disconnect(isPeersFault ? 'protocolError' : 'other', failure.message);
  }

  /** Nothing more is read, and what only reads need not go on. The notice follows the answers to the writes. */
  #disconnect(name: LdapResultName, reason: string): void {
    if (this.#isOver) return;
    this.#notice = result(name, reason);
    for (const operation of this.#operations) if (!operation.isWrite) operation.abort();
    this.connection.wake();
  }

  /** RFC 4511 §4.4.1: the notice of disconnection. */
  #sayGoodbye(notice: LdapResult): Promise<void> {
    const operation = {
      kind: 'extendedResponse',
      result: notice,
      name: NOTICE_OF_DISCONNECTION,
      value: undefined,
    } as const;
    return this.#responses.add({ messageId: 0, operation, controls: [] });
  }

  #allAnswered(): Promise<void> {
    this.#endsAll = true;
    this.#abortEndless();
    return this.#order.answered();
  }

  #abortEndless(): void {
    for (const operation of this.#operations) if (operation.isEndless) operation.abort();
  }

  #abortAll(): void {
    for (const operation of this.#operations) operation.abort();
  }

  /** Many requests in one packet leave other connections their turn. */
  #leaveTurn(): Promise<void> | undefined {
    const now = this.door.clock.monotonic();
    if (this.#turnEndsAt === 0) this.#turnEndsAt = now + LDAP_TURN_MS;
    if (now < this.#turnEndsAt) return undefined;
    this.#turnEndsAt = 0;
    return nextTurn();
  }

  /** A message that has begun has its time from its first octet; more octets do not lengthen it. */
  #waitForPeer(): void {
    this.#turnEndsAt = 0;
    if (this.#waitsFor === 'rest of message' || this.connection.framer.pending === 0) return;
    if (this.#waitsFor === 'next message') this.#wait('rest of message');
  }

  #wait(what: 'rest of message' | 'next message'): void {
    const { commandTimeoutMs, idleTimeoutMs } = this.door.limits;
    this.#waitsFor = what;
    const isBound = what === 'next message' && this.login !== undefined;
    this.connection.deadline(isBound ? idleTimeoutMs : commandTimeoutMs, this.#late);
  }

  readonly #late = (): void => {
    if (this.#waitsFor === 'rest of message') this.#disconnect('protocolError', 'The message did not end in time');
    // While an operation runs, the time is not counted as silence of the peer.
    else if (this.#operations.size > 0) this.#wait('next message');
    else this.connection.end();
  };
}
