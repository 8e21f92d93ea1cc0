// A remote mail host for tests: takes what it is sent, remembers it, and answers as it is told to.
//
// In      connections; `answer` decides the reply to a step of a transaction
// Out     messages as they came (dots taken off), how many connections are open
// Never   stores anything, loses anything, or answers late unless told to
// RFC 5321 §3.3 §4.5.2

import { createServer, type Socket } from 'node:net';

export interface Received {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly data: string;
  /** Parameters of MAIL FROM as written, such as `BODY=8BITMIME`. */
  readonly parameters: string;
}

export type Step =
  | { readonly at: 'connect' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA'; readonly line: string }
  | { readonly at: 'dot'; readonly line: ''; readonly message: Received };

export interface SinkOptions {
  readonly host?: string;
  readonly port?: number;
  /** A reply instead of the usual one, such as `451 4.3.0 later`; 'close' breaks the connection off. */
  readonly answer?: (step: Step) => string | 'close' | undefined | Promise<string | 'close' | undefined>;
  /** EHLO keywords. */
  readonly extensions?: readonly string[];
}

export interface SmtpSink {
  readonly host: string;
  readonly port: number;
  /** Everything that got its 250, in that order. */
  readonly received: readonly Received[];
  /** Connections that are open now. */
  readonly open: number;
  /** Connections there ever were. */
  readonly opened: number;
  close(): Promise<void>;
}

export async function startSmtpSink(options: SinkOptions = {}): Promise<SmtpSink> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  let opened = 0;
  const server = createServer((socket) => {
    opened++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    converse(socket, options, received).catch(() => socket.destroy());
  });
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(options.port ?? 0, host, listening);
  });
  return {
    host,
    port: (server.address() as { port: number }).port,
    received,
    get open() {
      return sockets.size;
    },
    get opened() {
      return opened;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

class Broken extends Error {}

async function converse(socket: Socket, options: SinkOptions, received: Received[]): Promise<void> {
  const extensions = options.extensions ?? ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE'];
  async function say(step: Step, usual: string): Promise<boolean> {
    const reply = (await options.answer?.(step)) ?? usual;
    if (reply === 'close') throw new Broken();
    socket.write(`${reply}\r\n`);
    return reply[0] === '2' || reply[0] === '3';
  }
  let sender: string | undefined;
  let parameters = '';
  let recipients: string[] = [];
  const forget = (): void => {
    sender = undefined;
    recipients = [];
  };
  if (!(await say({ at: 'connect', line: '' }, '220 sink ESMTP'))) return void socket.end();
  const lines = linesOf(socket);
  for await (const line of lines) {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO' || verb === 'HELO') {
      forget();
      const keywords = ['sink', ...(verb === 'EHLO' ? extensions : [])];
      const reply = keywords.map((word, i) => `250${i === keywords.length - 1 ? ' ' : '-'}${word}`).join('\r\n');
      await say({ at: 'EHLO', line }, reply);
    } else if (verb === 'MAIL') {
      const [, path, rest] = /^MAIL FROM:<([^>]*)>(.*)$/i.exec(line) ?? [];
      if (await say({ at: 'MAIL', line }, '250 2.1.0 ok')) {
        sender = path ?? '';
        parameters = (rest ?? '').trim();
      }
    } else if (verb === 'RCPT') {
      const path = /^RCPT TO:<([^>]*)>/i.exec(line)?.[1] ?? '';
      if (await say({ at: 'RCPT', line }, '250 2.1.5 ok')) recipients.push(path);
    } else if (verb === 'DATA') {
      if (sender === undefined || recipients.length === 0) socket.write('503 5.5.1 no recipients\r\n');
      else if (await say({ at: 'DATA', line }, '354 go on')) {
        const message = { sender, recipients, parameters, data: await data(lines) };
        const step: Step = { at: 'dot', line: '', message };
        // Remembered before the reply leaves: a reply that was read means a message that counts.
        const reply = (await options.answer?.(step)) ?? '250 2.0.0 taken';
        if (reply[0] === '2') received.push(message);
        if (reply === 'close') throw new Broken();
        socket.write(`${reply}\r\n`);
        forget();
      }
    } else if (verb === 'RSET') {
      forget();
      socket.write('250 2.0.0 ok\r\n');
    } else if (verb === 'QUIT') {
      socket.end('221 2.0.0 bye\r\n');
      return;
    } else socket.write(verb === 'NOOP' ? '250 2.0.0 ok\r\n' : '500 5.5.1 unknown\r\n');
  }
}

async function data(lines: AsyncGenerator<string>): Promise<string> {
  const text: string[] = [];
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Broken();
    if (value === '.') return text.join('');
    text.push(value.startsWith('.') ? value.slice(1) : value, '\r\n');
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of socket) {
    rest += (chunk as Buffer).toString('latin1');
    let start = 0;
    for (let at = rest.indexOf('\r\n'); at >= 0; at = rest.indexOf('\r\n', start)) {
      yield rest.slice(start, at);
      start = at + 2;
    }
    rest = rest.slice(start);
  }
}
