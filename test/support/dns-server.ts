// A DNS server for tests: answers what a test has written into it, or keeps silent, or says that it cannot.
//
// In      a script for a name and type: records, a response code, silence, each also late
// Out     answers over UDP and TCP on one port of an address of the loopback net; what was asked, in order
// A name that the script does not know is NXDOMAIN, one without that type is an empty answer: as a resolver says it.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { RCODE, type RecordType } from '../../src/wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../../src/wire/dns/message.ts';
import type { Rdata, ResourceRecord } from '../../src/wire/dns/rdata.ts';

/** What stands behind a name and a type. Records have a TTL of 0, so that nobody keeps them. */
export interface DnsScript {
  readonly records?: readonly Rdata[];
  readonly rcode?: keyof typeof RCODE;
  readonly silent?: boolean;
  readonly delayMs?: number;
  /** Over UDP: nothing but TC, so that the client comes again over TCP. */
  readonly truncated?: boolean;
}

export interface DnsQuery {
  readonly name: string;
  readonly type: RecordType;
  readonly transport: 'udp' | 'tcp';
}

export class DnsTestServer {
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  readonly #late = new Set<NodeJS.Timeout>();
  readonly #scripts = new Map<string, Map<RecordType | 'any', DnsScript>>();
  /** All queries so far, names in lower case. */
  readonly queries: DnsQuery[] = [];
  readonly address: string;
  /** Its answers say that the zone is its own. */
  isAuthoritative = false;

  private constructor(udp: UdpSocket, tcp: Server, address: string) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.address = address;
    udp.on('message', (octets, peer) => {
      this.#answer(octets, 'udp', (reply) => udp.send(reply, peer.port, peer.address, () => {}));
    });
    tcp.on('connection', (connection) => this.#serve(connection));
  }

  /** `port` 0: a free one, the same for UDP and TCP. */
  static async start(address = '127.0.0.1', port = 0): Promise<DnsTestServer> {
    for (let attempt = 1; ; attempt++) {
      const udp = createSocket('udp4');
      udp.bind(port, address);
      await once(udp, 'listening');
      const tcp = createServer();
      tcp.listen(udp.address().port, address);
      try {
        await once(tcp, 'listening');
        return new DnsTestServer(udp, tcp, address);
      } catch (error) {
        // The free UDP port was not free for TCP.
        udp.close();
        if (port !== 0 || attempt === 20) throw error;
      }
    }
  }

  get port(): number {
    return this.#udp.address().port;
  }

  /** As waypost.toml has it: `resolver = ["127.0.0.1:5353"]`. */
  get server(): string {
    return `${this.address}:${this.port}`;
  }

  /** Replaces what the name says for this type; `any` stands for all types that have no script of their own. */
  script(name: string, type: RecordType | 'any', script: DnsScript): void {
    const types = this.#scripts.get(name.toLowerCase()) ?? new Map<RecordType | 'any', DnsScript>();
    types.set(type, script);
    this.#scripts.set(name.toLowerCase(), types);
  }

  /** MX records: `[preference, exchange]`, the exchange `.` for a null MX. */
  mx(name: string, ...exchanges: readonly (readonly [number, string])[]): void {
    const records = exchanges.map(([preference, exchange]) => ({ type: 'MX', preference, exchange }) as const);
    this.script(name, 'MX', { records });
  }

  /** Addresses of either family. */
  addresses(name: string, ...addresses: readonly string[]): void {
    const of = (type: 'A' | 'AAAA') => {
      const own = addresses.filter((address) => address.includes(':') === (type === 'AAAA'));
      this.script(name, type, { records: own.map((address) => ({ type, address })) });
    };
    of('A');
    of('AAAA');
  }

  /** The name is unknown again. */
  forget(name: string): void {
    this.#scripts.delete(name.toLowerCase());
  }

  async close(): Promise<void> {
    for (const timer of this.#late) clearTimeout(timer);
    for (const connection of this.#connections) connection.destroy();
    this.#tcp.close();
    await new Promise<void>((closed) => this.#udp.close(closed));
  }

  #serve(connection: Socket): void {
    this.#connections.add(connection);
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('error', () => {});
    let received = Buffer.alloc(0);
    connection.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        this.#answer(received.subarray(2, end), 'tcp', (reply) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          connection.write(Buffer.concat([length, reply]));
        });
        received = received.subarray(end);
      }
    });
  }

  #answer(octets: Uint8Array, transport: 'udp' | 'tcp', send: (reply: Uint8Array) => void): void {
    const query = decodeMessage(octets);
    const [question] = query.questions;
    if (question === undefined) return;
    const name = question.name.toLowerCase();
    this.queries.push({ name, type: question.type, transport });
    const types = this.#scripts.get(name);
    const script = types?.get(question.type) ?? types?.get('any') ?? { rcode: types ? 'NOERROR' : 'NXDOMAIN' };
    if (script.silent) return;
    const reply = encodeMessage(
      { ...responseTo(query, script, transport), authoritative: this.isAuthoritative },
      transport === 'udp' ? 1232 : 65_535,
    );
    if (script.delayMs === undefined) {
      send(reply);
      return;
    }
    const timer = setTimeout(() => {
      this.#late.delete(timer);
      send(reply);
    }, script.delayMs);
    this.#late.add(timer);
  }
}

function responseTo(query: DnsMessage, script: DnsScript, transport: 'udp' | 'tcp'): DnsMessage {
  const truncated = script.truncated === true && transport === 'udp';
  const name = query.questions[0]!.name;
  const answers = (script.records ?? []).map((rdata): ResourceRecord => ({ name, class: 1, ttl: 0, ...rdata }));
  return {
    ...query,
    isResponse: true,
    recursionAvailable: true,
    authenticData: false,
    truncated,
    rcode: RCODE[script.rcode ?? 'NOERROR'],
    answers: truncated ? [] : answers,
    authorities: [],
    additionals: [],
  };
}
