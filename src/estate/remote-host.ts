// Another host's SMTP server, in the process of a test: it answers by script, keeps what it took, misbehaves on demand.
//
// In      a script: for each step a reply, silence, or a close; in turn, or as the argument is
// Out     what was said to it, command by command; the messages that it took, with their bytes as they were sent
// Never   resends or judges; a message is kept only when the reply to its final dot began with 2, or the script says so
// RFC 5321 §4.1.1 §4.5.2

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { awaitMessage, type MessageWishes } from './received.ts';
import { RemoteConversation } from './remote-conversation.ts';
import type { RemoteAnswer, RemoteHostScript, RemoteMessage, ScriptStep } from './remote-script.ts';

const USUAL_EXTENSIONS = ['PIPELINING', 'SIZE 50000000', '8BITMIME', 'ENHANCEDSTATUSCODES'];

export class RemoteHost {
  #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly host: string;
  readonly #offers: readonly string[];
  #script: RemoteHostScript;
  /** Answers that each step has given. */
  readonly #given = new Map<ScriptStep, number>();
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

  #answer(step: ScriptStep, argument: string): RemoteAnswer | undefined {
    const answers = this.#script[step];
    if (typeof answers === 'function') return answers(argument);
    if (typeof answers !== 'object' || !('length' in answers)) return answers;
    const given = this.#given.get(step) ?? 0;
    this.#given.set(step, given + 1);
    return answers[Math.min(given, answers.length - 1)];
  }

  #serve(socket: Socket): void {
    this.peers.push(socket.remoteAddress ?? '');
    this.#sockets.add(socket);
    this.most = Math.max(this.most, this.#sockets.size);
    socket.on('close', () => this.#sockets.delete(socket));
    new RemoteConversation(socket, {
      number: ++this.connections,
      script: () => this.#script,
      offers: this.#offers,
      answer: (step, argument) => this.#answer(step, argument),
      kept: this,
    });
  }
}
