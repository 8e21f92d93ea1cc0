// One connection to another LDAP server: requests and their answers, many at a time, and one bind at its start.
//
// In      where the servers are (the first that answers is taken), a certificate authority of their own, a login
// Out     a result for each request; a search's entries, references and intermediate responses as they come, then its result
// States  connecting -> (TLS) -> (StartTLS) -> (bind) -> open -> closed. Once closed it stays so: the owner opens another
// Errors  Failure 'unavailable' for a server that is not there, is silent, breaks off, says what is no LDAP or has a
//         certificate that does not verify: all that waits here gets it. 'unauthenticated': our bind is refused.
//         'not-private': clear text would leave this host. A result other than success is no error here: the caller judges it
// Limits  a message of LDAP_SOURCE_MESSAGE_BYTES, where nothing else is said; QUEUED_BYTES that nobody has read yet, then the socket rests; SILENCE_MS
//         without an octet for a request that waits, but for a search that goes on for ever
// Never   believes in TLS what was sent before it; uses the clear text of another host
// RFC 4511 §4.1.1 §4.11 §4.14 §5.2, RFC 4533

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { asFailure, Failure } from '../../base/failure.ts';
import { LDAP_SOURCE_MESSAGE_BYTES } from '../../base/limits.ts';
import { Deadline } from '../../net/deadline.ts';
import type { AddressesAnswer } from '../../net/dns-client.ts';
import { errorCode } from '../../net/listen.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import {
  type SyncDone,
  type SyncRequest,
  type SyncState,
  syncDone,
  syncRequest,
  syncState,
} from '../../wire/ldap/controls/sync.ts';
import { ZONE_MARKS } from '../../wire/ldap/controls/zone-marks.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import { SYNC_INFO, type SyncInfo, syncInfo } from '../../wire/ldap/extended/sync-info.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import {
  decodeResponse,
  encodeRequest,
  type LdapMessage,
  type LdapRequest,
  type LdapResponse,
} from '../../wire/ldap/message.ts';
import { START_TLS } from '../../wire/ldap/operations/extended.ts';
import type { SearchEntry, SearchRequest } from '../../wire/ldap/operations/search.ts';
import type { LdapResult } from '../../wire/ldap/result.ts';
import { resultCodes, resultName } from '../../wire/ldap/result-codes.ts';
import { isLoopback, parseServerUrl, type ServerUrl } from './server-url.ts';

export interface LdapServers {
  /** In the order in which they are asked. */
  readonly urls: readonly string[];
  /** TLS begins behind the first answer, on `ldap:` URLs. */
  readonly startTls?: boolean;
  /** Certificates in PEM that are believed; undefined: those of the system. */
  readonly ca?: string | undefined;
  /** A DN; undefined: nobody binds. */
  readonly login?: string | undefined;
  readonly password?: string | Uint8Array | undefined;
  /** For names of hosts; without it addresses and `localhost` alone are reached. */
  readonly resolver?: { addresses(host: string): Promise<AddressesAnswer> };
  readonly silenceMs?: number;
  /** The largest message that it may send. */
  readonly messageBytes?: number;
}

export type SearchItem =
  | {
      readonly kind: 'entry';
      readonly entry: SearchEntry;
      readonly controls: readonly Control[];
      readonly sync: SyncState | undefined;
    }
  | { readonly kind: 'reference'; readonly uris: readonly string[]; readonly sync: SyncState | undefined }
  | { readonly kind: 'info'; readonly info: SyncInfo }
  /** See zones/marks.ts. */
  | { readonly kind: 'zone-marks'; readonly octets: Uint8Array };

/** The end of an operation. */
export interface LdapOutcome {
  readonly result: LdapResult;
  readonly controls: readonly Control[];
  /** Of a search that synchronizes. */
  readonly sync: SyncDone | undefined;
  /** Of an extended operation, where the server gives one. */
  readonly value: Uint8Array | undefined;
}

export interface RequestOptions {
  readonly controls?: readonly Control[];
}

export interface SingleRequestOptions extends RequestOptions {
  /** How long its answer may take, where that is not the connection's. */
  readonly silenceMs?: number;
}

export interface SearchOptions extends RequestOptions {
  /** Asks for the content and its changes. `refreshAndPersist` may be silent for ever. */
  readonly sync?: SyncRequest;
}

/** What a search needs beside its base. */
export type SearchAsked = Pick<SearchRequest, 'baseObject' | 'filter'> & Partial<Omit<SearchRequest, 'kind'>>;

/** A search on its way: read it to its end, then ask for the outcome. A reader who leaves abandons it. */
export interface RunningSearch extends AsyncIterable<SearchItem> {
  /** After the last item. */
  readonly outcome: LdapOutcome;
}

const SILENCE_MS = 5000;
const QUEUED_BYTES = 1024 * 1024;

/** A request on its way. */
interface Operation {
  readonly mayBeSilent: boolean;
  readonly silenceMs: number;
  readonly silence: Deadline;
  take(response: LdapMessage<LdapResponse>, octets: number): void;
  fail(failure: Failure): void;
}

export class LdapConnection {
  readonly url: string;
  readonly #silenceMs: number;
  readonly #operations = new Map<number, Operation>();
  readonly #framer: LdapFramer;
  #socket: Socket | TLSSocket;
  #lastId = 0;
  #queuedBytes = 0;
  #rests = false;
  #failure: Failure | undefined;
  #onClose: ((failure: Failure) => void) | undefined;

  private constructor(url: string, socket: Socket, servers: LdapServers & { readonly silenceMs: number }) {
    const { silenceMs, messageBytes = LDAP_SOURCE_MESSAGE_BYTES } = servers;
    this.#framer = new LdapFramer(messageBytes);
    this.url = url;
    this.#socket = socket;
    this.#silenceMs = silenceMs;
    this.#listen();
  }

  /** Bound. The failure of the last server, where none can be used. */
  static async open(servers: LdapServers): Promise<LdapConnection> {
    let last: Failure | undefined;
    for (const text of servers.urls)
      try {
        return await LdapConnection.#openAt(parseServerUrl(text), servers);
      } catch (error) {
        last = asFailure(error);
      }
    throw last ?? new Failure('invalid', 'No URL of a server is given');
  }

  static async #openAt(url: ServerUrl, servers: LdapServers): Promise<LdapConnection> {
    const silenceMs = servers.silenceMs ?? SILENCE_MS;
    const isPrivate = url.isSecure || servers.startTls === true;
    if (!isPrivate && !isLoopback(url.host))
      throw new Failure('not-private', `${url.text}: clear text goes to this host alone; use ldaps: or StartTLS`);
    const socket = await connectToHost(url, { ...servers, silenceMs });
    const connection = new LdapConnection(url.text, socket, { ...servers, silenceMs });
    try {
      if (url.isSecure) await connection.#secure(url, servers.ca);
      else if (servers.startTls === true) await connection.#startTls(url, servers.ca);
      if (servers.login !== undefined) await connection.#logIn(servers.login, servers.password ?? '');
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Why it is closed, when it is or as soon as it is. */
  whenClosed(then: (failure: Failure) => void): void {
    if (this.#failure === undefined) this.#onClose = then;
    else then(this.#failure);
  }

  /** Any request with one answer. */
  request(
    request: Exclude<LdapRequest, { readonly kind: 'search' }>,
    options: SingleRequestOptions = {},
  ): Promise<LdapOutcome> {
    return new Promise((resolve, reject) => {
      this.#begin(request, {
        controls: options.controls ?? [],
        mayBeSilent: false,
        silenceMs: options.silenceMs,
        take: ({ operation, controls }) => {
          if (!('result' in operation))
            throw new Failure('unavailable', `an answer that is no result: ${operation.kind}`);
          resolve(outcomeOf(operation, controls));
          return true;
        },
        fail: reject,
      });
    });
  }

  /** The outcome of a simple bind; no other request may be on its way. */
  bind(name: string, password: string | Uint8Array): Promise<LdapOutcome> {
    return this.request({ kind: 'bind', version: 3, name, authentication: { method: 'simple', password } });
  }

  search(search: SearchAsked, options: SearchOptions = {}): RunningSearch {
    const { sync, controls = [] } = options;
    const items: { readonly item: SearchItem; readonly octets: number }[] = [];
    let ended: { readonly outcome: LdapOutcome } | { readonly failure: Failure } | undefined;
    let wake = (): void => {};
    const messageId = this.#begin(
      {
        kind: 'search',
        ...{ scope: 'sub', derefAliases: 'never', sizeLimit: 0, timeLimit: 0, typesOnly: false, attributes: [] },
        ...search,
      },
      {
        controls: sync === undefined ? controls : [...controls, controlOf(syncRequest, sync, true)],
        mayBeSilent: sync?.mode === 'refreshAndPersist',
        take: (message, octets) => {
          const item = itemOf(message);
          if (item === undefined) ended = { outcome: outcomeOf(message.operation, message.controls) };
          else {
            items.push({ item, octets });
            this.#queued(octets);
          }
          wake();
          return item === undefined;
        },
        fail: (failure) => {
          ended = { failure };
          wake();
        },
      },
    );
    const connection = this;
    let isLeft = false;
    async function* found(): AsyncGenerator<SearchItem, void> {
      try {
        while (!isLeft) {
          const next = items.shift();
          if (next !== undefined) {
            connection.#queued(-next.octets);
            yield next.item;
            continue;
          }
          if (ended !== undefined && 'failure' in ended) throw ended.failure;
          if (ended !== undefined) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        connection.#leave(
          messageId,
          items.reduce((sum, { octets }) => sum + octets, 0),
        );
      }
    }
    return {
      get outcome() {
        if (ended === undefined || 'failure' in ended) throw new Failure('unavailable', 'The search has no outcome');
        return ended.outcome;
      },
      [Symbol.asyncIterator]() {
        const running = found();
        return {
          next: () => running.next(),
          // Who leaves while nothing comes does not wait until something does.
          return: () => {
            isLeft = true;
            wake();
            return running.return();
          },
        };
      },
    };
  }

  /** What waits gets a failure. */
  close(): void {
    if (this.#failure === undefined && this.#socket.writable)
      this.#socket.write(encodeRequest({ messageId: ++this.#lastId, operation: { kind: 'unbind' }, controls: [] }));
    this.#end(new Failure('unavailable', `${this.url}: closed`));
  }

  async #logIn(login: string, password: string | Uint8Array): Promise<void> {
    const { result } = await this.bind(login, password);
    if (result.resultCode === resultCodes.success) return;
    const kind = REFUSED.has(result.resultCode) ? 'unauthenticated' : 'unavailable';
    throw new Failure(kind, `${this.url}: the bind as ${login} is refused: ${resultText(result)}`);
  }

  async #startTls(url: ServerUrl, ca: string | undefined): Promise<void> {
    const { result } = await this.request({ kind: 'extended', name: START_TLS, value: undefined });
    if (result.resultCode !== resultCodes.success)
      throw new Failure('unavailable', `${this.url}: StartTLS is refused: ${resultText(result)}`);
    // What came behind the answer came in the clear, from anybody.
    if (this.#framer.pending > 0) throw new Failure('unavailable', `${this.url}: octets between StartTLS and TLS`);
    await this.#secure(url, ca);
  }

  /** Goes on in TLS. */
  #secure({ host }: ServerUrl, ca: string | undefined): Promise<void> {
    const raw = this.#socket;
    for (const event of ['data', 'error', 'close']) raw.removeAllListeners(event);
    return new Promise((resolve, reject) => {
      const secure = connectTls({
        socket: raw,
        minVersion: 'TLSv1.2',
        // RFC 6066 §3: no addresses there.
        ...(isIP(host) === 0 ? { servername: host } : {}),
        host,
        ...(ca === undefined ? {} : { ca }),
      });
      const late = new Deadline();
      const fail = (why: string): void => {
        late.clear();
        secure.destroy();
        reject(this.#end(new Failure('unavailable', `${this.url}: ${why}`)));
      };
      late.set(this.#silenceMs, () => fail('no TLS in time'));
      secure.once('error', (error) => fail(`TLS fails: ${error.message}`));
      secure.once('close', () => fail('cut off in the TLS handshake'));
      secure.once('secureConnect', () => {
        late.clear();
        for (const event of ['error', 'close']) secure.removeAllListeners(event);
        this.#socket = secure;
        this.#listen();
        resolve();
      });
    });
  }

  #listen(): void {
    const socket = this.#socket;
    const failed = (why: string): void => {
      this.#end(new Failure('unavailable', `${this.url}: ${why}`));
    };
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#take(chunk);
      } catch (error) {
        failed(`what it says is no LDAP answer: ${asFailure(error).message}`);
      }
    });
    socket.on('error', (error) => failed(errorCode(error)));
    socket.on('close', () => failed('the server has closed the connection'));
  }

  #take(chunk: Buffer): void {
    this.#framer.push(chunk);
    for (let octets = this.#framer.next(); octets !== undefined; octets = this.#framer.next()) {
      const message = decodeResponse(octets);
      if (message.messageId === 0) {
        const { operation } = message;
        const why = 'result' in operation ? resultText(operation.result) : operation.kind;
        this.#end(new Failure('unavailable', `${this.url}: the server ends the connection: ${why}`));
        return;
      }
      const operation = this.#operations.get(message.messageId);
      if (operation === undefined && message.messageId > this.#lastId)
        throw new Failure('unavailable', `a message ID that was never used: ${message.messageId}`);
      // Else it was abandoned: answers may have been on their way.
      operation?.take(message, octets.length);
      if (this.#failure !== undefined) return;
    }
    // A large message comes in pieces; the server is not silent meanwhile.
    if (this.#framer.pending > 0) this.#expectAll();
  }

  #begin(
    operation: LdapRequest,
    {
      controls,
      mayBeSilent,
      silenceMs = this.#silenceMs,
      take,
      fail,
    }: {
      readonly controls: readonly Control[];
      readonly mayBeSilent: boolean;
      readonly silenceMs?: number | undefined;
      /** True: it was the last one. */
      readonly take: (message: LdapMessage<LdapResponse>, octets: number) => boolean;
      readonly fail: (failure: Failure) => void;
    },
  ): number {
    const messageId = ++this.#lastId;
    if (this.#failure !== undefined) {
      fail(this.#failure);
      return messageId;
    }
    const silence = new Deadline();
    const waiting: Operation = {
      mayBeSilent,
      silenceMs,
      silence,
      take: (message, octets) => {
        if (!take(message, octets)) return this.#expect(waiting);
        silence.clear();
        this.#operations.delete(messageId);
      },
      fail,
    };
    this.#operations.set(messageId, waiting);
    this.#socket.write(encodeRequest({ messageId, operation, controls }));
    this.#expect(waiting);
    return messageId;
  }

  #expect(operation: Operation): void {
    // Nobody listens while the socket rests, and the server cannot be blamed.
    if (operation.mayBeSilent || this.#rests) return;
    operation.silence.set(operation.silenceMs, () => {
      this.#end(new Failure('unavailable', `${this.url}: silent for ${operation.silenceMs / 1000} seconds`));
    });
  }

  #expectAll(): void {
    for (const operation of this.#operations.values()) this.#expect(operation);
  }

  /** So many octets more wait for their reader. */
  #queued(octets: number): void {
    this.#queuedBytes += octets;
    if (!this.#rests && this.#queuedBytes > QUEUED_BYTES) {
      this.#rests = true;
      this.#socket.pause();
      for (const { silence } of this.#operations.values()) silence.clear();
    } else if (this.#rests && this.#queuedBytes <= QUEUED_BYTES / 2) {
      this.#rests = false;
      this.#socket.resume();
      this.#expectAll();
    }
  }

  /** The reader of a search reads no further. */
  #leave(messageId: number, unread: number): void {
    this.#queued(-unread);
    const operation = this.#operations.get(messageId);
    if (operation === undefined) return;
    operation.silence.clear();
    this.#operations.delete(messageId);
    if (this.#failure !== undefined) return;
    const abandon = { kind: 'abandon', abandoned: messageId } as const;
    this.#socket.write(encodeRequest({ messageId: ++this.#lastId, operation: abandon, controls: [] }));
  }

  #end(failure: Failure): Failure {
    if (this.#failure !== undefined) return this.#failure;
    this.#failure = failure;
    this.#socket.on('error', () => {});
    // What was written still goes out; a peer that does not read is not waited for.
    this.#socket.destroySoon();
    if (this.#socket.writableLength > 0) setTimeout(() => this.#socket.destroy(), this.#silenceMs).unref();
    const waiting = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of waiting) {
      operation.silence.clear();
      operation.fail(failure);
    }
    this.#onClose?.(failure);
    return failure;
  }
}

/** Results of a bind that say that these credentials will not do. */
const REFUSED: ReadonlySet<number> = new Set([
  resultCodes.invalidCredentials,
  resultCodes.inappropriateAuthentication,
  resultCodes.insufficientAccessRights,
  resultCodes.authMethodNotSupported,
  resultCodes.strongerAuthRequired,
  resultCodes.confidentialityRequired,
  resultCodes.noSuchObject,
  resultCodes.invalidDnSyntax,
  resultCodes.unwillingToPerform,
]);

/** `49 invalidCredentials, what the server says of it` */
export function resultText({ resultCode, diagnosticMessage }: LdapResult): string {
  const name = resultName(resultCode);
  const code = name === undefined ? String(resultCode) : `${resultCode} ${name}`;
  return diagnosticMessage === '' ? code : `${code}, ${printable(diagnosticMessage)}`;
}

const SAID_MAX = 300;

/** Another server's words, for one line. */
function printable(text: string): string {
  return Array.from(text.slice(0, SAID_MAX), (character) => (character < ' ' ? ' ' : character)).join('');
}

/** Undefined for the result. */
function itemOf({ operation, controls }: LdapMessage<LdapResponse>): SearchItem | undefined {
  switch (operation.kind) {
    case 'searchEntry':
      return { kind: 'entry', entry: operation, controls, sync: syncStateOf(controls) };
    case 'searchReference':
      return { kind: 'reference', uris: operation.uris, sync: syncStateOf(controls) };
    case 'intermediateResponse':
      if (operation.name === ZONE_MARKS) return { kind: 'zone-marks', octets: operation.value ?? new Uint8Array() };
      if (operation.name !== SYNC_INFO || operation.value === undefined)
        throw new Failure('unavailable', `an intermediate response that nobody has asked for: ${operation.name}`);
      return { kind: 'info', info: syncInfo.decode(operation.value) };
    case 'searchDone':
      return undefined;
    default:
      throw new Failure('unavailable', `an answer to another question than a search: ${operation.kind}`);
  }
}

function syncStateOf(controls: readonly Control[]): SyncState | undefined {
  const control = controls.find(({ type }) => type === syncState.type);
  return control === undefined ? undefined : syncState.decode(control.value);
}

function outcomeOf(operation: LdapResponse, controls: readonly Control[]): LdapOutcome {
  if (!('result' in operation)) throw new Failure('unavailable', `an answer that is no result: ${operation.kind}`);
  const done = controls.find(({ type }) => type === syncDone.type);
  return {
    result: operation.result,
    controls,
    sync: done === undefined ? undefined : syncDone.decode(done.value),
    value: operation.kind === 'extendedResponse' ? operation.value : undefined,
  };
}

/** A socket to the first of the host's addresses that takes one. */
async function connectToHost(url: ServerUrl, servers: LdapServers & { readonly silenceMs: number }): Promise<Socket> {
  const addresses = await addressesOf(url, servers);
  let last: Failure | undefined;
  for (const address of addresses)
    try {
      return await connectTo({ address, port: url.port, silenceMs: servers.silenceMs });
    } catch (error) {
      last = new Failure('unavailable', `${url.text}: ${asFailure(error).message}`);
    }
  throw last ?? new Failure('unavailable', `${url.text}: the host has no address`);
}

const ADDRESSES_MAX = 4;

async function addressesOf({ host, text }: ServerUrl, { resolver }: LdapServers): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  if (host === 'localhost') return ['127.0.0.1', '::1'];
  const answer = await resolver?.addresses(host);
  if (answer?.result === 'found') return answer.addresses.slice(0, ADDRESSES_MAX);
  const why =
    answer === undefined
      ? 'no name of a host can be looked up here'
      : 'reason' in answer
        ? answer.reason
        : answer.result;
  throw new Failure('unavailable', `${text}: the host is not found: ${why}`);
}

function connectTo({
  address,
  port,
  silenceMs,
}: {
  readonly address: string;
  readonly port: number;
  readonly silenceMs: number;
}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port, noDelay: true, keepAlive: true });
    const late = new Deadline();
    const fail = (why: string): void => {
      late.clear();
      socket.destroy();
      reject(new Failure('unavailable', why));
    };
    late.set(silenceMs, () => fail('no connection in time'));
    socket.once('error', (error) => fail(errorCode(error)));
    socket.once('connect', () => {
      late.clear();
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
