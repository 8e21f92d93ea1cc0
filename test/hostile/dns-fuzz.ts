// Fuzzed DNS messages: through the codec, and to the DNS port of a running server over UDP. Each is a message of a kind that
// somebody sends, signed ones among them, with some of its octets changed, cut, doubled, or all of them by chance.
//
// In      how many; a seed: the same messages again
// Out     how many answers of which response code; rejects with the message in hexadecimal at the first that is not answered
//         as it must be
// Judged  each one: a SyntaxFailure or a value that is the same when it is encoded and decoded again; a signature that is
//         verified or refused. By the server: every query is answered within TRIES tries, with its id, below 1232 octets, what
//         cannot be read with FORMERR, and a name of ours never with NXDOMAIN

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { SyntaxFailure } from '../../src/base/cursor.ts';
import {
  OPCODE_NOTIFY,
  OPCODE_QUERY,
  OPCODE_UPDATE,
  RCODE,
  type RecordType,
  rcodeName,
} from '../../src/wire/dns/codes.ts';
import { type DnsMessage, decodeDnsHeader, decodeMessage, encodeMessage } from '../../src/wire/dns/message.ts';
import type { ResourceRecord } from '../../src/wire/dns/rdata.ts';
import { refusalByTsig, signTsig, type TsigKey, verifyTsig } from '../../src/wire/dns/tsig.ts';
import { encodeUpdate } from '../../src/wire/dns/update.ts';
import type { Endpoint } from '../support/server.ts';
import { Random } from './random.ts';

export interface DnsFuzz {
  readonly messages: number;
  readonly seed: number;
  /** The DNS port of a server that has the domain. */
  readonly server: Endpoint;
  readonly domain: string;
  readonly say?: (text: string) => void;
}

/** On their way at once: fewer than a socket's buffer holds. */
const WINDOW = 64;
const TRIES = 10;
const TRY_MS = 1000;
const ANSWER_BYTES = 1232;
const NOW = 1_795_000_000;
const OPCODES: ReadonlySet<number> = new Set([OPCODE_QUERY, OPCODE_NOTIFY, OPCODE_UPDATE]);
const TYPES: readonly RecordType[] = [
  'A',
  'AAAA',
  'MX',
  'NS',
  'SOA',
  'TXT',
  'SRV',
  'CAA',
  'TLSA',
  'ANY',
  'AXFR',
  'IXFR',
  'PTR',
];
const key: TsigKey = { name: 'ours.example', algorithm: 'hmac-sha256', secret: Buffer.from('0123456789abcdef') };

export async function runDnsFuzz({
  messages,
  seed,
  server,
  domain,
  say,
}: DnsFuzz): Promise<ReadonlyMap<string, number>> {
  const random = new Random(seed);
  const rcodes = new Map<string, number>();
  const asker = await Asker.open(server);
  try {
    for (let made = 0; made < messages; ) {
      const batch = Array.from({ length: Math.min(WINDOW, messages - made) }, (_, i) => {
        const octets = mutated(random, original(random, domain));
        // Its place in the window: answers are told apart by it.
        if (octets.length > 1) octets.writeUInt16BE(((made / WINDOW) % 512) * 128 + i, 0);
        return octets;
      });
      for (const octets of batch) judgeCodec(octets);
      const answers = await asker.ask(batch);
      for (const [i, octets] of batch.entries()) {
        const rcode = judgeAnswer(octets, answers[i], domain);
        rcodes.set(rcode, (rcodes.get(rcode) ?? 0) + 1);
      }
      made += batch.length;
      if (made % (WINDOW * 1000) < WINDOW) say?.(`${made} messages`);
    }
  } finally {
    asker.close();
  }
  return rcodes;
}

function original(random: Random, domain: string): Uint8Array {
  const name = random.of([
    domain,
    `www.${domain}`,
    `a.b.c.${domain}`,
    domain.toUpperCase(),
    'elsewhere.example',
    '.',
    `*.${domain}`,
  ]);
  const question = { name, type: random.of(TYPES), class: random.of([1, 1, 1, 1, 255, 3]) };
  const record: ResourceRecord = { name, class: 1, ttl: 300, type: 'MX', preference: 10, exchange: `mail.${domain}` };
  const cookie = { code: 10, data: new Uint8Array(random.of([8, 16, 24, 40, 0, 7, 41])) };
  const message: DnsMessage = {
    id: 0,
    isResponse: random.below(20) === 0,
    opcode: random.of([0, 0, 0, 0, 0, 4, 1, 2, 6, 15]),
    authoritative: false,
    truncated: false,
    recursionDesired: random.below(2) === 0,
    recursionAvailable: false,
    authenticData: random.below(2) === 0,
    checkingDisabled: false,
    rcode: 0,
    questions: random.below(20) === 0 ? [question, question] : [question],
    answers: random.below(5) === 0 ? [record] : [],
    authorities: random.below(10) === 0 ? [record, record] : [],
    additionals: [],
    edns: random.of([
      undefined,
      {
        udpSizeBytes: random.of([0, 512, 1232, 65_535]),
        version: random.of([0, 0, 0, 1]),
        dnssecOk: true,
        options: [],
      },
      { udpSizeBytes: 1232, version: 0, dnssecOk: false, options: [cookie] },
    ]),
  };
  switch (random.below(8)) {
    case 0:
      return encodeUpdate({ id: 0, zone: domain, prerequisites: [{ set: [record] }], changes: [{ add: record }] });
    case 1:
      return signTsig(encodeMessage(message), key, { at: NOW }).octets;
    default:
      return encodeMessage(message);
  }
}

function mutated(random: Random, octets: Uint8Array): Buffer<ArrayBuffer> {
  let changed = Buffer.from(octets);
  for (let count = random.below(4); count > 0; count--) changed = onceMutated(random, changed);
  return changed;
}

function onceMutated(random: Random, octets: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const at = random.below(octets.length + 1);
  const rest = octets.subarray(at);
  switch (random.below(8)) {
    case 0:
      return octets.subarray(0, at);
    case 1:
      return Buffer.concat([octets, rest]);
    case 2:
      return Buffer.concat([octets.subarray(0, at), Buffer.of(random.of([0xc0, 0xff, 0x40, 63])), rest]);
    case 3:
      return Buffer.concat([octets.subarray(0, at), Buffer.of(0xc0, random.below(40)), rest.subarray(2)]);
    case 4:
      return Buffer.concat([octets.subarray(0, at), rest.subarray(1 + random.below(4))]);
    case 5:
      return Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256)));
    default: {
      const flipped = Buffer.from(octets);
      if (octets.length > 0) flipped[at % octets.length] = random.below(256);
      return flipped;
    }
  }
}

/** Undefined for what is no message. */
function decoded(octets: Uint8Array): DnsMessage | undefined {
  try {
    return decodeMessage(octets);
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw new Error(`decoding ${Buffer.from(octets).toString('hex')}`, { cause: error });
  }
}

function judgeCodec(octets: Buffer): void {
  const hex = (): string => octets.toString('hex');
  const message = decoded(octets);
  if (message !== undefined) assert.deepEqual(decodeMessage(encodeMessage(message)), message, hex());
  const verified = verifyTsig(octets, (name) => (name === key.name ? key : undefined), { now: NOW });
  if (verified === undefined) return;
  if (!('error' in verified)) assert.ok(message !== undefined, hex());
  else if (octets.length >= 12) assert.ok(decoded(refusalByTsig(octets, verified, NOW))?.isResponse, hex());
}

/** The response code; `none` where there must be no answer. */
function judgeAnswer(octets: Buffer, answer: Uint8Array | undefined, domain: string): string {
  const hex = `${octets.toString('hex')} is answered with ${answer && Buffer.from(answer).toString('hex')}`;
  const header = decodeDnsHeader(octets);
  if (header === undefined || header.isResponse) {
    assert.equal(answer, undefined, hex);
    return 'none';
  }
  assert.ok(answer !== undefined && answer.length <= ANSWER_BYTES, hex);
  const said = decoded(answer);
  assert.ok(said?.isResponse && said.id === header.id && said.opcode === header.opcode, hex);
  const { rcode } = said;
  assert.notEqual(rcode, RCODE.SERVFAIL, hex);
  if (rcode === RCODE.NOTAUTH) {
    // RFC 8945 §5.2: a signature by nobody who is known here comes before all else.
    assert.ok(verifyTsig(octets, () => undefined, { now: NOW }) !== undefined, hex);
    return rcodeName(rcode);
  }
  const query = decoded(octets);
  if (header.opcode === OPCODE_QUERY) {
    if (query === undefined || query.questions.length !== 1) assert.equal(rcode, RCODE.FORMERR, hex);
    else if (query.questions[0]!.name.toLowerCase() === domain) assert.notEqual(rcode, RCODE.NXDOMAIN, hex);
  } else if (!OPCODES.has(header.opcode)) assert.ok(rcode === RCODE.NOTIMP || rcode === RCODE.BADVERS, hex);
  return rcodeName(rcode);
}

/** Sends a window of messages, each again until its answer is there. */
class Asker {
  readonly #socket = createSocket('udp4');
  #answers = new Map<number, Uint8Array>();
  #missing = new Set<number>();
  #done: () => void = () => {};

  static async open({ host, port }: Endpoint): Promise<Asker> {
    const asker = new Asker();
    const socket = asker.#socket;
    socket.connect(port, host);
    await once(socket, 'connect');
    socket.on('message', (octets) => asker.#take(octets));
    return asker;
  }

  close(): void {
    this.#socket.close();
  }

  /** In their order; undefined for what had no answer when all that must have one had theirs. */
  async ask(batch: readonly Buffer[]): Promise<readonly (Uint8Array | undefined)[]> {
    this.#answers = new Map();
    const needed = batch.filter((octets) => decodeDnsHeader(octets)?.isResponse === false);
    this.#missing = new Set(needed.map((octets) => octets.readUInt16BE(0)));
    for (let tries = 0; tries < TRIES; tries++) {
      for (const octets of batch)
        if (tries === 0 || (octets.length >= 12 && this.#missing.has(octets.readUInt16BE(0))))
          this.#socket.send(octets);
      if (await this.#all()) break;
    }
    return batch.map((octets) => (octets.length < 2 ? undefined : this.#answers.get(octets.readUInt16BE(0))));
  }

  async #all(): Promise<boolean> {
    if (this.#missing.size === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      timer = setTimeout(resolve, TRY_MS);
    });
    clearTimeout(timer);
    return this.#missing.size === 0;
  }

  #take(octets: Buffer): void {
    if (octets.length < 2) return;
    const id = octets.readUInt16BE(0);
    this.#answers.set(id, octets);
    if (this.#missing.delete(id) && this.#missing.size === 0) this.#done();
  }
}
