// What asks the server about one address or domain, over and over on one connection: RCPT, and MX over UDP and TCP.
//
// In      addresses, domain names
// Out     the reply as it was sent; MX exchanges or the response code
// Never   retries over SMTP or TCP; a UDP query without an answer is sent again, datagrams may be lost

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet';
import { LineConnection } from '../../src/demo/clients/line-connection.ts';
import type { Endpoint } from '../support/server.ts';

/** Generous: on a busy machine threads wait for one another, and a probe is no stopwatch. */
const ANSWER_MS = 600_000;
const ASK_AGAIN_MS = 2000;

/** One SMTP connection; each question is a transaction of its own, in one write. */
export class SmtpProbe {
  readonly #connection: LineConnection;

  private constructor(connection: LineConnection) {
    this.#connection = connection;
  }

  static async open({ host, port }: Endpoint): Promise<SmtpProbe> {
    const connection = await LineConnection.open(host, port);
    await connection.line(ANSWER_MS);
    connection.write('HELO probe.example\r\n');
    await connection.line(ANSWER_MS);
    return new SmtpProbe(connection);
  }

  /** The reply to RCPT. */
  async rcpt(address: string): Promise<string> {
    this.#connection.write(`RSET\r\nMAIL FROM:<>\r\nRCPT TO:<${address}>\r\n`);
    await this.#connection.line(ANSWER_MS);
    await this.#connection.line(ANSWER_MS);
    return this.#connection.line(ANSWER_MS);
  }

  /** The reply to the dot of a message to whom RCPT has just accepted. */
  async message(): Promise<string> {
    this.#connection.write('DATA\r\n');
    const ready = await this.#connection.line(ANSWER_MS);
    if (!ready.startsWith('354')) return ready;
    this.#connection.write('Subject: probe\r\n\r\nbody\r\n.\r\n');
    return this.#connection.line(ANSWER_MS);
  }

  close(): void {
    this.#connection.destroy();
  }
}

export interface DnsProbe {
  /** `MX mail.example`, or the response code. */
  mx(name: string): Promise<string>;
  close(): void;
}

function queryOf(id: number, name: string): Packet {
  return { type: 'query', id, questions: [{ type: 'MX', name }] };
}

function said(answer: DecodedPacket): string {
  const exchanges = (answer.answers ?? []).flatMap((each) => (each.type === 'MX' ? [each.data.exchange] : []));
  // The library's types leave the response code out.
  const { rcode } = answer as { readonly rcode?: string };
  return exchanges.length > 0 ? `MX ${exchanges.join(' ')}` : String(rcode);
}

interface Asked {
  readonly answered: (answer: string) => void;
  readonly failed: (why: Error) => void;
}

/** Answers by the id of their query. */
class Waiting {
  readonly #waiting = new Map<number, Asked>();
  #last = 0;

  async ask(send: (id: number) => void): Promise<string> {
    const id = (this.#last = (this.#last + 1) & 0xffff);
    const late = setTimeout(() => this.ended(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
    const again = setInterval(() => send(id), ASK_AGAIN_MS);
    try {
      return await new Promise((answered, failed) => {
        this.#waiting.set(id, { answered, failed });
        send(id);
      });
    } finally {
      clearTimeout(late);
      clearInterval(again);
    }
  }

  answered(answer: DecodedPacket): void {
    const asked = this.#waiting.get(answer.id ?? -1);
    this.#waiting.delete(answer.id ?? -1);
    asked?.answered(said(answer));
  }

  /** Nothing more comes. */
  ended(why: Error): void {
    for (const { failed } of this.#waiting.values()) failed(why);
    this.#waiting.clear();
  }
}

export class UdpProbe implements DnsProbe {
  readonly #socket: UdpSocket;
  readonly #waiting = new Waiting();

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
    socket.on('message', (octets) => this.#waiting.answered(decode(octets)));
    socket.on('error', (error) => this.#waiting.ended(error));
  }

  static async open({ host, port }: Endpoint): Promise<UdpProbe> {
    const socket = createSocket('udp4');
    socket.connect(port, host);
    await once(socket, 'connect');
    return new UdpProbe(socket);
  }

  mx(name: string): Promise<string> {
    return this.#waiting.ask((id) => this.#socket.send(encode(queryOf(id, name))));
  }

  close(): void {
    this.#socket.close();
    this.#waiting.ended(new Error('closed here'));
  }
}

export class TcpProbe implements DnsProbe {
  readonly #socket: Socket;
  readonly #waiting = new Waiting();

  private constructor(socket: Socket) {
    this.#socket = socket;
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        this.#waiting.answered(decode(received.subarray(2, end)));
        received = received.subarray(end);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#waiting.ended(new Error('the connection is closed')));
  }

  static async open({ host, port }: Endpoint): Promise<TcpProbe> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return new TcpProbe(socket);
  }

  mx(name: string): Promise<string> {
    let sent = false;
    return this.#waiting.ask((id) => {
      if (!sent) this.#socket.write(streamEncode(queryOf(id, name)));
      sent = true;
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
