// Another host's SMTP server, in the process of the test: it answers as it is told and keeps what it took.
//
// In      a script: for each step a reply, or replies in turn, of which the last one is given from then on
// Out     what was said to it; the messages whose final dot got a 2xx
// RFC 5321 §4.1.1 §4.5.2

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { awaitMessage, type MessageWishes, type ReceivedMessage, receivedMessage } from './received.ts';

/** `250 2.1.5 ok` */
type Replies = string | readonly string[];

export interface RemoteHostScript {
  readonly greeting?: Replies;
  readonly mail?: Replies;
  readonly rcpt?: Replies;
  readonly data?: Replies;
  /** To the final dot. */
  readonly dot?: Replies;
}

export interface RemoteMessage extends ReceivedMessage {
  readonly sender: string;
  /** Those that got a 2xx. */
  readonly recipients: readonly string[];
}

const USUAL: Readonly<Record<keyof RemoteHostScript, string>> = {
  greeting: '220 remote ESMTP',
  mail: '250 2.1.0 ok',
  rcpt: '250 2.1.5 ok',
  data: '354 go on',
  dot: '250 2.0.0 taken',
};
const OFFERED = ['remote', 'PIPELINING', 'SIZE 100000000', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES'];

export class RemoteHost {
  readonly domain: string;
  readonly messages: RemoteMessage[] = [];
  /** Command lines of all connections, in the order in which they came. */
  readonly commands: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #script: RemoteHostScript;
  /** Replies that each step has given. */
  #given: Partial<Record<keyof RemoteHostScript, number>> = {};

  private constructor(server: Server, domain: string, script: RemoteHostScript) {
    this.#server = server;
    this.domain = domain;
    this.#script = script;
    server.on('connection', (socket) => this.#serve(socket));
  }

  static async start(domain: string, script: RemoteHostScript): Promise<RemoteHost> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RemoteHost(server, domain, script);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** From now on; each step begins with its first reply. */
  set script(script: RemoteHostScript) {
    this.#script = script;
    this.#given = {};
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

  #reply(step: keyof RemoteHostScript): string {
    const replies = this.#script[step] ?? USUAL[step];
    if (typeof replies === 'string') return replies;
    const count = this.#given[step] ?? 0;
    this.#given[step] = count + 1;
    return replies[Math.min(count, replies.length - 1)] ?? USUAL[step];
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let received = '';
    let isData = false;
    let sender = '';
    let recipients: string[] = [];
    const say = (text: string): boolean => {
      socket.write(`${text}\r\n`);
      return text.startsWith('2') || text.startsWith('3');
    };
    const command = (line: string): void => {
      this.commands.push(line);
      const path = line.slice(line.indexOf('<') + 1, Math.max(0, line.indexOf('>')));
      switch (line.slice(0, 4).toUpperCase()) {
        case 'EHLO':
          say(OFFERED.map((word, at) => `250${at + 1 < OFFERED.length ? '-' : ' '}${word}`).join('\r\n'));
          return;
        case 'HELO':
        case 'NOOP':
          say('250 ok');
          return;
        case 'RSET':
          recipients = [];
          say('250 ok');
          return;
        case 'MAIL':
          sender = path;
          recipients = [];
          say(this.#reply('mail'));
          return;
        case 'RCPT':
          if (say(this.#reply('rcpt'))) recipients.push(path);
          return;
        case 'DATA':
          isData = say(recipients.length === 0 ? '554 5.5.1 no valid recipients' : this.#reply('data'));
          return;
        case 'QUIT':
          say('221 2.0.0 bye');
          socket.end();
          return;
        default:
          say('500 5.5.1 unknown');
      }
    };
    /** False: not all of it has come. */
    const message = (): boolean => {
      const end = received.startsWith('.\r\n') ? -2 : received.indexOf('\r\n.\r\n');
      if (end === -1) return false;
      const data = received.slice(0, end + 2).replace(/^\./gm, '');
      received = received.slice(end + 5);
      isData = false;
      if (say(this.#reply('dot')))
        this.messages.push({ ...receivedMessage(Buffer.from(data, 'latin1')), sender, recipients });
      return true;
    };
    const line = (): boolean => {
      const end = received.indexOf('\r\n');
      if (end < 0) return false;
      const text = received.slice(0, end);
      received = received.slice(end + 2);
      command(text);
      return true;
    };
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      while (isData ? message() : line());
    });
    say(this.#reply('greeting'));
  }
}
