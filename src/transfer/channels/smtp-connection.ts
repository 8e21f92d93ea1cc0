// One connection to another host's SMTP server: commands out, exactly as many replies back, nothing beside.
//
// In      an address and port; command text; data
// Out     replies; HostFailure for whatever ends the conversation: silence, a close, bytes that are no reply, a reply that
//         no command has asked for; TlsFailure where TLS did not come about
// Limits  a time for each reply as a whole; replies are bounded by wire/smtp/client.ts
// Never   waits without a time; keeps what a server says out of turn
// RFC 5321 §4.2 §4.5.3.2, RFC 2920 §3.1, RFC 3207 §4

import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { asFailure } from '../../base/failure.ts';
import { type Capabilities, type ClientReply, QUIT_COMMAND, ReplyReader } from '../../wire/smtp/client.ts';

/** No answer, broken off, not SMTP, no login, no TLS. RFC 3463 §3.5 §3.6 §3.8 */
export type HostFailureStatus = '4.4.1' | '4.4.2' | '4.5.0' | '4.7.0' | '4.7.5';

/** The conversation is over, or never began. */
export class HostFailure extends Error {
  readonly status: HostFailureStatus;

  constructor(status: HostFailureStatus, words: string) {
    super(words);
    this.name = 'HostFailure';
    this.status = status;
  }
}

/** There is no TLS with this host, or none that may be used: in the clear, or with another host, it may go better. */
export class TlsFailure extends HostFailure {
  constructor(words: string) {
    super('4.7.5', words);
    this.name = 'TlsFailure';
  }
}

/** What was agreed with the host. */
export interface OutgoingTlsState {
  /** `TLSv1.3` */
  readonly protocol: string;
  /** Its certificate is from an authority that we know, and for its name. */
  readonly isVerified: boolean;
}

export interface Peer {
  readonly address: string;
  readonly port: number;
  /** Where it is called from; undefined: the system chooses. */
  readonly source?: string | undefined;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (failure: HostFailure) => void;
}

export class SmtpConnection {
  /** The socket, or TLS over it. */
  #socket: Socket;
  readonly #reader = new ReplyReader();
  #replies: ClientReply[] = [];
  /** Replies that are still due. The greeting comes unasked. */
  #due = 1;
  #waiter: Waiter | undefined;
  #lost: HostFailure | undefined;
  /** The final dot is on its way: from here on only the reply says what became of the message. */
  isCommitted = false;
  /** What the host offers; undefined: nothing has been said yet, not even its greeting has been read. */
  offered: Capabilities | undefined;
  /** Of a transaction the host knows something, and it has had no end. */
  isInTransaction = false;
  /** Those that have begun. */
  transactions = 0;
  /** Monotonic. */
  readonly openedAt = performance.now();
  /** Undefined: in the clear. */
  tls: OutgoingTlsState | undefined;
  /** Nothing has come through TLS yet: with 1.3 a server refuses the handshake behind what our side takes for its end. */
  #isTlsUnproven = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  #listen(socket: Socket): void {
    socket.on('data', this.#receive);
    socket.on('drain', this.#drained);
    socket.on('error', this.#broken);
    socket.on('end', this.#ended);
    socket.on('close', this.#closed);
  }

  readonly #drained = (): void => this.#wake();
  readonly #broken = (error: NodeJS.ErrnoException & { readonly reason?: string }): void => {
    const tlsWords = this.#isTlsUnproven ? (error.reason ?? error.message) : undefined;
    this.#lose('4.4.2', tlsWords ?? `the connection broke (${error.code})`);
  };
  readonly #ended = (): void => this.#lose('4.4.2', 'the connection was closed by the other side');
  readonly #closed = (): void => this.#lose('4.4.2', 'the connection was closed');

  /** Nothing can be said any more. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Rejects with HostFailure. The greeting is the first reply. */
  static open({ address, port, source }: Peer, timeoutMs: number, signal: AbortSignal): Promise<SmtpConnection> {
    return new Promise((resolve, reject) => {
      const from = source === undefined ? {} : { localAddress: source };
      const socket = connect({ host: address, port, noDelay: true, ...from });
      const fail = (words: string): void => {
        socket.destroy();
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        reject(new HostFailure('4.4.1', words));
      };
      const abort = (): void => fail('this server is stopping');
      const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
      socket.once('error', (error: NodeJS.ErrnoException) => fail(`no connection (${error.code ?? error.message})`));
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      socket.once('connect', () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        socket.removeAllListeners('error');
        resolve(new SmtpConnection(socket));
      });
    });
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#lost !== undefined) return;
    this.#isTlsUnproven = false;
    this.#reader.push(chunk);
    try {
      while (this.#due > 0) {
        const reply = this.#reader.next();
        if (reply === undefined) break;
        this.#replies.push(reply);
        this.#due--;
        this.#wake();
      }
      // RFC 2920 §3.1: a reply to each command, in order. What comes beside might be taken for the next one's.
      if (this.#due === 0 && !this.#reader.isEmpty) this.#loseOutOfTurn();
    } catch (error) {
      this.#lose('4.5.0', `this is not an SMTP reply: ${asFailure(error).message}`);
    }
  };

  #loseOutOfTurn(): void {
    const reply = this.#reader.next();
    this.#lose('4.5.0', `a reply that was not asked for${reply === undefined ? '' : `: ${reply.said}`}`);
  }

  #lose(status: HostFailureStatus, words: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = this.#isTlsUnproven ? new TlsFailure(`no TLS: ${words}`) : new HostFailure(status, words);
    this.#socket.destroy();
    this.#wake();
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) return;
    // What was said before the close counts.
    if (this.#lost === undefined || this.#replies.length > 0) waiter.resolve();
    else waiter.reject(this.#lost);
  }

  /** Waits for one event of the socket: a reply, a drain, the end. */
  #wait(timeoutMs: number, tooLate: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#lose('4.4.2', tooLate), timeoutMs);
      this.#waiter = {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (failure) => {
          clearTimeout(timer);
          reject(failure);
        },
      };
    });
  }

  /** The server speaks first. */
  greeting(timeoutMs: number): Promise<ClientReply> {
    return this.reply(timeoutMs);
  }

  /** Sends a command, gives its reply. */
  async command(text: string, timeoutMs: number): Promise<ClientReply> {
    this.#send(text, 1);
    return this.reply(timeoutMs);
  }

  /** Sends commands together, gives their replies in order; each has its time. For a server that offers PIPELINING. */
  async commands(texts: readonly string[], timeoutMs: number): Promise<ClientReply[]> {
    this.#send(texts.join(''), texts.length);
    const replies: ClientReply[] = [];
    while (replies.length < texts.length) replies.push(await this.reply(timeoutMs));
    return replies;
  }

  /**
   * Puts TLS in the socket's place, behind the 220 to STARTTLS. Rejects with TlsFailure; with another HostFailure where
   * something stood behind that 220, which did not come through TLS and must not be read as if it had.
   */
  async startTls(options: ConnectionOptions, timeoutMs: number): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    const raw = this.#socket;
    raw.off('data', this.#receive).off('drain', this.#drained).off('error', this.#broken);
    raw.off('end', this.#ended).off('close', this.#closed);
    // Whatever the error, TLS reports it.
    raw.on('error', () => {});
    this.#isTlsUnproven = true;
    const secure = connectTls({ ...options, socket: raw });
    this.#socket = secure;
    this.#listen(secure);
    let isSecure = false;
    secure.once('secureConnect', () => {
      isSecure = true;
      this.#wake();
    });
    while (!isSecure) {
      if (this.#lost !== undefined) throw this.#lost;
      await this.#wait(timeoutMs, `no handshake within ${timeoutMs} ms`);
    }
    this.tls = { protocol: secure.getProtocol() ?? 'TLS', isVerified: secure.authorized };
  }

  #send(text: string, replies: number): void {
    if (this.#lost !== undefined) return;
    this.#due = replies;
    this.#socket.write(text, 'latin1');
  }

  /** The next of those that are due. */
  async reply(timeoutMs: number): Promise<ClientReply> {
    const deadline = performance.now() + timeoutMs;
    while (this.#replies.length === 0) {
      if (this.#lost !== undefined) throw this.#lost;
      await this.#wait(Math.max(1, Math.ceil(deadline - performance.now())), `no reply within ${timeoutMs} ms`);
    }
    const reply = this.#replies.shift()!;
    // The server goes, whatever it was asked. RFC 5321 §3.8
    if (reply.code === 421) {
      this.#lose('4.4.2', reply.said);
      throw new HostFailure('4.4.2', reply.said);
    }
    return reply;
  }

  /** Data; resolves when the socket takes more. The server has nothing to say meanwhile. */
  async write(bytes: readonly Buffer[], timeoutMs: number): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    let hasRoom = true;
    this.#socket.cork();
    for (const buffer of bytes) hasRoom = this.#socket.write(buffer);
    this.#socket.uncork();
    while (!hasRoom && this.#socket.writableNeedDrain) {
      await this.#wait(timeoutMs, `no data taken within ${timeoutMs} ms`);
      if (this.#lost !== undefined) throw this.#lost;
    }
  }

  /** The end of the data; so many replies are due then. */
  finish(bytes: readonly Buffer[], replies: number): void {
    if (this.#lost !== undefined) throw this.#lost;
    this.#due = replies;
    this.isCommitted = true;
    this.isInTransaction = false;
    this.#socket.cork();
    for (const buffer of bytes) this.#socket.write(buffer);
    this.#socket.uncork();
  }

  /** Sends QUIT and closes once it is answered, or after a time. Its caller need not wait. */
  quit(timeoutMs: number): void {
    if (this.#lost !== undefined) return;
    this.command(QUIT_COMMAND, timeoutMs).then(
      () => this.close(),
      () => this.close(),
    );
  }

  close(): void {
    this.#lose('4.4.2', 'closed here');
  }
}
