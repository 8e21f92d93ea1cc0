// Another host's SMTP server, in the process of a test: it answers by script, keeps what it took, misbehaves on demand.
//
// In      a script: for each step a reply, silence, or a close; in turn, or as the argument is
// Out     what was said to it, command by command; the messages that it took, with their bytes as they were sent
// Never   resends or judges; a message is kept only when the reply to its final dot began with 2, or the script says so
// RFC 5321 §4.1.1 §4.5.2

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { awaitMessage, type MessageWishes, type ReceivedMessage, receivedMessage } from './received.ts';

/**
 * `250 2.1.5 ok`: a reply without its last CRLF; `close`: the connection ends without a word, and `taken` says that what was sent
 * counts as taken; `silence`: nothing is said.
 */
export type RemoteAnswer = string | { readonly close: true; readonly taken?: true } | { readonly silence: true };
export const CLOSE: RemoteAnswer = { close: true };
export const SILENCE: RemoteAnswer = { silence: true };

/** A list is said in turn, its last one from then on; a function that says nothing leaves the usual answer. */
type Answers = RemoteAnswer | readonly RemoteAnswer[] | ((argument: string) => RemoteAnswer | undefined);

export interface RemoteHostScript {
  readonly greeting?: Answers;
  /** Asked with `''` in the clear, with the protocol in TLS. */
  readonly ehlo?: Answers;
  /**
   * Offers STARTTLS, with this certificate; `broken`: what stands behind the 220 is no TLS;
   * `mute`: nothing does.
   */
  readonly tls?: { readonly key: string; readonly cert: string } | 'broken' | 'mute';
  readonly starttls?: Answers;
  readonly helo?: Answers;
  readonly mail?: Answers;
  /** Asked with the address. */
  readonly rcpt?: Answers;
  readonly data?: Answers;
  /** The reply to the final dot; asked with the message as latin1. */
  readonly dot?: Answers;
  readonly quit?: Answers;
  /** Asked with each line of AUTH, decoded where it is base64; `235` where nothing is said. */
  readonly auth?: Answers;
  /** What EHLO offers, when `ehlo` is not given; where it is absent, what the first script said. */
  readonly extensions?: readonly string[];
  /** Do not read the data. */
  readonly deaf?: boolean;
}

export interface RemoteMessage extends ReceivedMessage {
  readonly sender: string;
  /** As in MAIL, without the path. */
  readonly parameters: string;
  /** Those that got a 2xx. */
  readonly recipients: readonly string[];
  /** All of it, unstuffed, an octet a character. */
  readonly data: string;
  /** `TLSv1.3`; undefined: it came in the clear. */
  readonly tls: string | undefined;
  /** Which one of all, from 1 on. */
  readonly connection: number;
}

const USUAL_EXTENSIONS = ['PIPELINING', 'SIZE 50000000', '8BITMIME', 'ENHANCEDSTATUSCODES'];

type Step = Exclude<keyof RemoteHostScript, 'tls' | 'extensions' | 'deaf'>;

interface Transaction {
  sender: string;
  parameters: string;
  recipients: string[];
}

export class RemoteHost {
  #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly host: string;
  readonly #offers: readonly string[];
  #script: RemoteHostScript;
  /** Answers that each step has given. */
  readonly #given = new Map<Step, number>();
  connections = 0;
  /** The most that were open at once. */
  most = 0;
  /** Where each connection came from. */
  readonly peers: string[] = [];
  /** Command lines of all connections, in the order in which they were received. */
  readonly commands: string[] = [];
  readonly messages: RemoteMessage[] = [];
  /** SNI of each handshake; `''`: none. */
  readonly serverNames: string[] = [];

  private constructor(server: Server, host: string, script: RemoteHostScript) {
    this.#server = server;
    this.host = host;
    this.#offers = script.extensions ?? USUAL_EXTENSIONS;
    this.#script = script;
    this.#accept();
  }

  #accept(): void {
    this.#server.on('connection', (socket) => this.#serve(socket));
  }

  static async start(script: RemoteHostScript = {}, host = '127.0.0.2', port = 0): Promise<RemoteHost> {
    const server = createServer({ noDelay: true });
    server.listen(port, host);
    await once(server, 'listening');
    return new RemoteHost(server, host, script);
  }

  /** From now on; each step begins with its first answer. */
  set script(script: RemoteHostScript) {
    this.#script = script;
    this.#given.clear();
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** As `[next-hop]` has it. */
  get nextHop(): string {
    return `[${this.host}]:${this.port}`;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** New connections are refused for a while; those that are open stay. */
  async refuse(ms: number): Promise<void> {
    const { port } = this;
    this.#server.close();
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#server = createServer({ noDelay: true });
    this.#accept();
    this.#server.listen(port, this.host);
    await once(this.#server, 'listening');
  }

  waitForMessage(wishes: MessageWishes = {}): Promise<RemoteMessage> {
    return awaitMessage(() => this.messages, wishes);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #answer(step: Step, argument: string): RemoteAnswer | undefined {
    const answers = this.#script[step];
    if (typeof answers === 'function') return answers(argument);
    if (typeof answers !== 'object' || !('length' in answers)) return answers;
    const given = this.#given.get(step) ?? 0;
    this.#given.set(step, given + 1);
    return answers[Math.min(given, answers.length - 1)];
  }

  #serve(socket: Socket): void {
    const connection = ++this.connections;
    this.peers.push(socket.remoteAddress ?? '');
    this.#sockets.add(socket);
    this.most = Math.max(this.most, this.#sockets.size);
    socket.on('close', () => this.#sockets.delete(socket));
    let stream = socket;
    let tls: string | undefined;
    let received = '';
    let inData = false;
    let hasSender = false;
    let transaction: Transaction = { sender: '', parameters: '', recipients: [] };
    const say = (step: Step | undefined, otherwise: string, argument = ''): string => {
      const chosen = (step === undefined ? undefined : this.#answer(step, argument)) ?? otherwise;
      if (typeof chosen === 'string') stream.write(`${chosen}\r\n`, 'latin1');
      else if ('close' in chosen) socket.destroy();
      if (typeof chosen === 'string') return chosen;
      return 'taken' in chosen ? '2' : '';
    };
    /** Lines of a login that are still to come. */
    let ofLogin = 0;
    const command = (line: string): void => {
      this.commands.push(line);
      if (ofLogin > 0) {
        ofLogin--;
        say('auth', ofLogin > 0 ? '334 more' : '235 2.7.0 in', decoded(line));
        return;
      }
      const verb = line.slice(0, 4).toUpperCase();
      const path = /<(.*?)>\s?(.*)$/.exec(line);
      if (verb === 'EHLO' || verb === 'LHLO') say('ehlo', this.#extended(tls), tls ?? '');
      else if (verb === 'AUTH') {
        const [, mechanism, initial] = line.split(' ');
        ofLogin = mechanism === 'LOGIN' ? 2 : 0;
        say('auth', ofLogin > 0 ? '334 name' : '235 2.7.0 in', decoded(initial ?? ''));
      } else if (verb === 'STAR' && this.#script.tls !== undefined) {
        if (say('starttls', '220 2.0.0 go on').startsWith('220')) secure(this.#script.tls);
      } else if (verb === 'HELO') say('helo', '250 remote');
      else if (verb === 'MAIL') {
        transaction = { sender: path?.[1] ?? '', parameters: path?.[2] ?? '', recipients: [] };
        hasSender = say('mail', '250 2.1.0 ok', line).startsWith('2');
      } else if (verb === 'RCPT' && !hasSender) say(undefined, '503 5.5.1 MAIL first');
      else if (verb === 'RCPT') {
        const address = path?.[1] ?? '';
        if (say('rcpt', '250 2.1.5 ok', address).startsWith('2')) transaction.recipients.push(address);
      } else if (verb === 'DATA') {
        const usual = transaction.recipients.length > 0 ? '354 go on' : '554 5.5.1 no valid recipients';
        inData = say('data', usual, line).startsWith('3');
        if (inData && this.#script.deaf === true) stream.pause();
      } else if (verb === 'RSET') {
        transaction = { sender: '', parameters: '', recipients: [] };
        say(undefined, '250 2.0.0 ok');
      } else if (verb === 'QUIT') {
        say('quit', '221 2.0.0 bye');
        stream.end();
      } else say(undefined, '500 5.5.1 what');
    };
    /** How far `received` has been looked through for the end of the data. */
    let looked = 0;
    const message = (): boolean => {
      // The data begins at the start of a line.
      const end = received.startsWith('.\r\n') ? -2 : received.indexOf('\r\n.\r\n', Math.max(0, looked - 4));
      looked = received.length;
      if (end === -1) return false;
      const data = received.slice(0, Math.max(0, end + 2)).replace(/^\.\./gm, '.');
      received = received.slice(end + 5);
      inData = false;
      if (say('dot', '250 2.0.0 taken', data).startsWith('2'))
        this.messages.push({ ...receivedMessage(Buffer.from(data, 'latin1')), ...transaction, data, tls, connection });
      return true;
    };
    const line = (): boolean => {
      const end = received.indexOf('\r\n');
      if (end < 0) return false;
      const text = received.slice(0, end);
      received = received.slice(end + 2);
      looked = 0;
      command(text);
      return true;
    };
    const listen = (): void => {
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
        while (inData ? message() : line());
      });
    };
    const secure = (identity: NonNullable<RemoteHostScript['tls']>): void => {
      socket.removeAllListeners('data');
      received = '';
      if (identity === 'mute') return void socket.resume();
      if (identity === 'broken') {
        // Behind the client's first words: in the same segment as the 220 it would be something else.
        socket.once('data', () => socket.end('This is not TLS at all\r\n'));
        return;
      }
      const secured = new TLSSocket(socket, { isServer: true, ...identity });
      stream = secured;
      secured.once('secure', () => {
        tls = secured.getProtocol() ?? '';
        this.serverNames.push('servername' in secured ? String(secured.servername || '') : '');
      });
      listen();
    };
    listen();
    say('greeting', '220 remote ESMTP');
  }

  #extended(tls: string | undefined): string {
    const offered = this.#script.extensions ?? this.#offers;
    const startTls = this.#script.tls === undefined || tls !== undefined ? [] : ['STARTTLS'];
    const lines = ['remote', ...offered, ...startTls];
    return lines.map((line, i) => `250${i === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n');
  }
}

function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}
