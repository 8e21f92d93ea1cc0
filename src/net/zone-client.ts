// The DNS as a client of one server that has a zone: its SOA record, and all of it by AXFR, over TCP.
//
// In      an address and port, a key where the server wants one; a zone
// Out     the SOA record; the records as they come. The zone is whole when transferZone resolves, and not before
// Errors  Failure 'unavailable' for a server that is not there, refuses, is silent or cuts off; 'too-many' beyond the limit
// Limits  IDLE_MS without a message, TOTAL_MS for all of it, RECORDS_MAX records
// Never   keeps a record; reads on when one message was wrong
// RFC 1035 §4.2.2, RFC 5936 §4.1, RFC 7766 §6, RFC 8945 §5.3

import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { Failure } from '../base/failure.ts';
import { CLASS_IN, OPCODE_QUERY, RCODE } from '../wire/dns/codes.ts';
import { DnsFramer } from '../wire/dns/framer.ts';
import { encodeMessage } from '../wire/dns/message.ts';
import type { ResourceRecord, SoaRdata } from '../wire/dns/rdata.ts';
import { signTsig, type TsigKey, TsigSeriesCheck } from '../wire/dns/tsig.ts';
import { decodeSoaResponse, type TransferQuestion, ZoneTransfer } from '../wire/dns/zone-transfer.ts';
import { Deadline } from './deadline.ts';
import { type DnsServer, withLength } from './dns-exchange.ts';
import { errorCode, formatEndpoint } from './listen.ts';

export interface ZoneServer extends DnsServer {
  /** Signs the question; then the answer is nothing without its signature. */
  readonly key?: TsigKey;
}

/** Tests shorten them. */
export interface ZoneClientLimits {
  readonly idleMs?: number;
  readonly totalMs?: number;
  readonly recordsMax?: number;
}

const RECORDS_MAX = 1_000_000;
const IDLE_MS = 20_000;
const TOTAL_MS = 600_000;
const MESSAGE_BYTES = 65_535;

/** `zone` in lower case, as everywhere here. */
export function askSoa(server: ZoneServer, zone: string): Promise<SoaRdata> {
  const question = { id: randomInt(0x10000), zone };
  return ask(server, { question, type: 'SOA', limits: {}, take: (octets) => decodeSoaResponse(octets, question) });
}

/** Gives each record to `note`, the SOA record twice, and resolves with it. */
export function transferZone(
  server: ZoneServer,
  zone: string,
  note: (record: ResourceRecord) => void,
  limits: ZoneClientLimits = {},
): Promise<SoaRdata> {
  const question = { id: randomInt(0x10000), zone };
  const transfer = new ZoneTransfer(question, limits.recordsMax ?? RECORDS_MAX);
  return ask(server, {
    question,
    type: 'AXFR',
    limits,
    take(octets) {
      for (const record of transfer.take(octets)) note(record);
      return transfer.soa;
    },
  });
}

interface Conversation<T> {
  readonly question: TransferQuestion;
  readonly type: 'AXFR' | 'SOA';
  readonly limits: ZoneClientLimits;
  /** Of one message more; undefined when more must come. */
  readonly take: (octets: Uint8Array) => T | undefined;
}

function ask<T>(server: ZoneServer, { question, type, limits, take }: Conversation<T>): Promise<T> {
  const endpoint = formatEndpoint(server.address, server.port);
  const { idleMs = IDLE_MS, totalMs = TOTAL_MS } = limits;
  const failure = (why: string): Failure => new Failure('unavailable', `${endpoint}: ${why}`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port, noDelay: true });
    const framer = new DnsFramer();
    const idle = new Deadline();
    const total = new Deadline();
    const end = (): void => {
      idle.clear();
      total.clear();
      socket.destroy();
    };
    const fail = (error: unknown): void => {
      end();
      reject(error);
    };
    const { octets: asked, check } = signedQuery(queryOctets(question, type), server.key);
    const progress = (): void => idle.set(idleMs, () => fail(failure('nothing came in time')));
    total.set(totalMs, () => fail(failure(`not whole after ${totalMs / 1000} seconds`)));
    progress();
    socket.on('connect', () => socket.write(withLength(asked)));
    socket.on('error', (error) => fail(failure(errorCode(error))));
    socket.on('close', () => fail(failure(`cut off before the end of ${question.zone}`)));
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      try {
        for (let frame = framer.next(MESSAGE_BYTES); frame !== undefined; frame = framer.next(MESSAGE_BYTES)) {
          progress();
          check?.take(frame.octets);
          const taken = take(frame.octets);
          if (taken === undefined) continue;
          if (check?.isSigned === false) throw new Failure('unavailable', 'the end of the answer is not signed');
          end();
          resolve(taken);
          return;
        }
      } catch (error) {
        fail(error instanceof Failure ? new Failure(error.kind, `${endpoint}: ${error.message}`) : error);
      }
    });
  });
}

function signedQuery(octets: Uint8Array, key: TsigKey | undefined) {
  if (key === undefined) return { octets, check: undefined };
  const signed = signTsig(octets, key, { at: unixSeconds() });
  return { octets: signed.octets, check: new TsigSeriesCheck(key, signed.mac, unixSeconds) };
}

function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function queryOctets({ id, zone }: TransferQuestion, type: 'AXFR' | 'SOA'): Uint8Array {
  return encodeMessage({
    id,
    isResponse: false,
    opcode: OPCODE_QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [{ name: zone, type, class: CLASS_IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
  });
}
