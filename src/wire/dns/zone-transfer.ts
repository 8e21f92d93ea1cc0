// One zone as it comes in answer to AXFR: which messages belong to it, where it begins and where it ends.
//
// In      the octets of each message, in order
// Out     the records of each; the SOA record, once it has come a second time: then the zone is whole
// States  before the first SOA -> records -> the same SOA again: complete
// Errors  Failure 'unavailable' for what is refused, or is no transfer of this zone; 'too-many' for a zone over the limit
// Limits  the caller's number of records; the caller bounds time
// Never   judges a record by its name or class: whose zone it is in is for who reads it
// RFC 5936 §2.2 §3, RFC 1034 §4.3.5

import { asciiLower } from '../../base/characters.ts';
import { Failure } from '../../base/failure.ts';
import { CLASS_IN, OPCODE_QUERY, RCODE, rcodeName } from './codes.ts';
import { type DnsMessage, decodeMessage } from './message.ts';
import type { ResourceRecord, SoaRdata } from './rdata.ts';

export interface TransferQuestion {
  readonly id: number;
  /** Lower case. */
  readonly zone: string;
}

export class ZoneTransfer {
  readonly #question: TransferQuestion;
  readonly #recordsMax: number;
  #records = 0;
  #first: SoaRdata | undefined;
  #soa: SoaRdata | undefined;

  constructor(question: TransferQuestion, recordsMax: number) {
    this.#question = question;
    this.#recordsMax = recordsMax;
  }

  /** Defined when the zone is whole. */
  get soa(): SoaRdata | undefined {
    return this.#soa;
  }

  /** The records of one message more, both SOA records among them. */
  take(octets: Uint8Array): readonly ResourceRecord[] {
    const { answers } = decodeResponse(octets, this.#question, 'AXFR');
    for (const record of answers) this.#follow(record);
    if (this.#first === undefined) throw this.#failure('the answer has no records');
    return answers;
  }

  #follow(record: ResourceRecord): void {
    if (this.#soa !== undefined) throw this.#failure('records follow the closing SOA record');
    if (++this.#records > this.#recordsMax)
      throw new Failure('too-many', `the zone ${this.#question.zone} has more than ${this.#recordsMax} records`);
    const isSoa = record.type === 'SOA' && asciiLower(record.name) === this.#question.zone;
    if (this.#first === undefined) {
      if (!isSoa) throw this.#failure('the first record is not its SOA record');
      this.#first = record;
    } else if (isSoa) {
      if (record.serial !== this.#first.serial) throw this.#failure('the zone has changed while it came');
      this.#soa = record;
    }
  }

  #failure(why: string): Failure {
    return new Failure('unavailable', `no transfer of ${this.#question.zone}: ${why}`);
  }
}

/** The SOA record that answers a query for it, from a server that has the zone. */
export function decodeSoaResponse(octets: Uint8Array, question: TransferQuestion): SoaRdata {
  const { answers, authoritative } = decodeResponse(octets, question, 'SOA');
  for (const record of answers)
    if (record.type === 'SOA' && authoritative && asciiLower(record.name) === question.zone) return record;
  throw new Failure('unavailable', `no SOA record of ${question.zone}: the server does not have the zone`);
}

/** Throws for a message that is no good answer to this question. The later ones of a transfer may repeat none. */
function decodeResponse(octets: Uint8Array, { id, zone }: TransferQuestion, type: 'AXFR' | 'SOA'): DnsMessage {
  const failure = (why: string): Failure => new Failure('unavailable', `no answer to ${type} of ${zone}: ${why}`);
  let message: DnsMessage;
  try {
    message = decodeMessage(octets);
  } catch (error) {
    throw failure(error instanceof Failure ? error.message : 'no DNS message');
  }
  if (!message.isResponse || message.opcode !== OPCODE_QUERY || message.id !== id)
    throw failure('the message that came answers another question');
  if (message.rcode !== RCODE.NOERROR) throw failure(`the server says ${rcodeName(message.rcode)}`);
  const [asked, second] = message.questions;
  const isOther =
    asked !== undefined && (asciiLower(asked.name) !== zone || asked.type !== type || asked.class !== CLASS_IN);
  if (isOther || second !== undefined) throw failure('the message that came answers another question');
  return message;
}
