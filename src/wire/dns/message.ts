// DNS messages between octets and values, for both ends.
//
// In      the octets of one whole message, without TCP's length
// Out     a value; decodeMessage(encodeMessage(v)) equals v, the case of names included
// Limits  65,535 octets; a count in the header is no reason to reserve memory, reading ends where the octets end
// Never   interprets: a question for OPT or two questions are values like others
// RFC 1035 §4.1, RFC 2181 §9, RFC 6891 §6.1

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { DNS_HEADER_BYTES, DnsReader, DnsWriter, MESSAGE_BYTES } from './buffer.ts';
import { type RecordType, typeCode, typeName } from './codes.ts';
import { ROOT } from './name.ts';
import { decodeRecord, encodeRecord, type ResourceRecord } from './rdata.ts';

export interface Question {
  readonly name: string;
  readonly type: RecordType;
  readonly class: number;
}

export interface DnsHeader {
  readonly id: number;
  readonly isResponse: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** With the upper bits of the OPT record. */
  readonly rcode: number;
}

/** The OPT record; it never stands among the others. RFC 6891 §6.1.2 */
export interface Edns {
  readonly udpSizeBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: readonly { readonly code: number; readonly data: Uint8Array }[];
}

export interface DnsMessage extends DnsHeader {
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
}

const OPT = 41;
const DNSSEC_OK = 0x8000;
/** Owner, type, class, TTL and length of an OPT record without options. */
const OPT_BYTES = 11;
const TYPE_BYTES = 2;
const CLASS_BYTES = 2;
const TTL_BYTES = 4;

/** The header alone, undefined when there are fewer than twelve octets. The rcode is without its upper bits. */
export function decodeDnsHeader(bytes: Uint8Array): DnsHeader | undefined {
  if (bytes.length < DNS_HEADER_BYTES) return undefined;
  const flags = (bytes[2]! << 8) | bytes[3]!;
  return {
    id: (bytes[0]! << 8) | bytes[1]!,
    isResponse: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0x0f,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: flags & 0x0f,
  };
}

function encodeFlags(header: DnsHeader): number {
  return (
    (header.isResponse ? 0x8000 : 0) |
    (header.opcode << 11) |
    (header.authoritative ? 0x0400 : 0) |
    (header.truncated ? 0x0200 : 0) |
    (header.recursionDesired ? 0x0100 : 0) |
    (header.recursionAvailable ? 0x0080 : 0) |
    (header.authenticData ? 0x0020 : 0) |
    (header.checkingDisabled ? 0x0010 : 0) |
    (header.rcode & 0x0f)
  );
}

/** Throws a SyntaxFailure for all that is no message: cut short, counts that lie, octets after the end, two OPT records. */
export function decodeMessage(bytes: Uint8Array): DnsMessage {
  const header = decodeDnsHeader(bytes);
  if (header === undefined) throw new SyntaxFailure(`a header of ${DNS_HEADER_BYTES} octets`, bytes.length);
  const reader = new DnsReader(bytes, 4);
  const counts = { questions: reader.u16(), answers: reader.u16(), authorities: reader.u16(), last: reader.u16() };
  const questions: Question[] = [];
  for (let i = 0; i < counts.questions; i++) {
    questions.push({ name: reader.name(), type: typeName(reader.u16()), class: reader.u16() });
  }
  const answers = decodeRecords(reader, counts.answers);
  const authorities = decodeRecords(reader, counts.authorities);
  const { records: additionals, edns, rcodeHigh } = decodeAdditionals(reader, counts.last);
  if (!reader.atEnd) reader.fail('the end of the message');
  return { ...header, rcode: header.rcode | (rcodeHigh << 4), questions, answers, authorities, additionals, edns };
}

function decodeRecords(reader: DnsReader, count: number): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  for (let i = 0; i < count; i++) {
    if (typeHere(reader) === OPT) reader.fail('no OPT record outside the additional section');
    records.push(decodeRecord(reader));
  }
  return records;
}

function decodeAdditionals(reader: DnsReader, count: number) {
  const records: ResourceRecord[] = [];
  let edns: Edns | undefined;
  let rcodeHigh = 0;
  for (let i = 0; i < count; i++) {
    if (typeHere(reader) !== OPT) {
      records.push(decodeRecord(reader));
      continue;
    }
    // RFC 6891 §6.1.1
    if (edns !== undefined) reader.fail('one OPT record');
    ({ edns, rcodeHigh } = decodeOpt(reader));
  }
  return { records, edns, rcodeHigh };
}

function decodeOpt(reader: DnsReader): { readonly edns: Edns; readonly rcodeHigh: number } {
  // RFC 6891 §6.1.2: its owner is the root.
  if (reader.name() !== ROOT) reader.fail('an OPT record of the root');
  reader.skip(TYPE_BYTES);
  const udpSizeBytes = reader.u16();
  const rcodeHigh = reader.u8();
  const version = reader.u8();
  const flags = reader.u16();
  const end = reader.u16() + reader.offset;
  const options = decodeOptions(reader, end);
  return { edns: { udpSizeBytes, version, dnssecOk: (flags & DNSSEC_OK) !== 0, options }, rcodeHigh };
}

/**
 * The first OPT record of a message of any opcode, for a response to what can't be decoded otherwise: names and data of the
 * records before it are not read. Undefined where there is none, or where it can't be reached or read itself.
 */
export function findEdns(bytes: Uint8Array): Edns | undefined {
  try {
    const reader = new DnsReader(bytes, 4);
    const questions = reader.u16();
    const records = reader.u16() + reader.u16();
    const additionals = reader.u16();
    for (let i = 0; i < questions; i++) {
      reader.skipName();
      reader.skip(TYPE_BYTES + CLASS_BYTES);
    }
    for (let i = 0; i < records; i++) skipRecord(reader);
    for (let i = 0; i < additionals; i++) {
      if (typeHere(reader) === OPT) return decodeOpt(reader).edns;
      skipRecord(reader);
    }
    return undefined;
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

function skipRecord(reader: DnsReader): void {
  reader.skipName();
  reader.skip(TYPE_BYTES + CLASS_BYTES + TTL_BYTES);
  reader.skip(reader.u16());
}

function decodeOptions(reader: DnsReader, end: number): Edns['options'] {
  const options: { code: number; data: Uint8Array }[] = [];
  while (reader.offset < end) options.push({ code: reader.u16(), data: Uint8Array.from(reader.octets(reader.u16())) });
  if (reader.offset !== end) reader.fail('the end of the OPT record');
  return options;
}

/** The type of the record that begins here; stays. */
function typeHere(reader: DnsReader): number {
  const start = reader.offset;
  reader.skipName();
  const type = reader.u16();
  reader.offset = start;
  return type;
}

/** A message is written in one go, and then copied to memory of its own. */
const WRITTEN = new Uint8Array(32_768);
const WRITTEN_NAMES = new Uint16Array(1024);

/**
 * The octets of a message, at most `sizeBytes` of them. Record sets of answer and authority that do not fit are left out
 * and TC is set (RFC 2181 §9); additional records are left out silently. Header, question and OPT always stand, so
 * `sizeBytes` is 512 at least. Throws a SyntaxFailure for a value that is no name or address.
 */
export function encodeMessage(message: DnsMessage, sizeBytes = MESSAGE_BYTES): Uint8Array {
  const writer = new DnsWriter(WRITTEN, WRITTEN_NAMES);
  writer.u16(message.id);
  writer.u16(encodeFlags(message));
  for (let i = 0; i < 4; i++) writer.u16(0);
  for (const question of message.questions) {
    writer.name(question.name);
    writer.u16(typeCode(question.type));
    writer.u16(question.class);
  }
  const available = sizeBytes - optSize(message.edns);
  const answers = encodeRecords(writer, message.answers, available);
  // Where a record set is left out, nothing is written after it.
  const complete = answers === message.answers.length;
  const authorities = complete ? encodeRecords(writer, message.authorities, available) : 0;
  const truncated = !complete || authorities < message.authorities.length;
  const additionals = truncated ? 0 : encodeRecords(writer, message.additionals, available);
  if (message.edns !== undefined) encodeOpt(writer, message.edns, message.rcode >> 4);
  else if (message.rcode > 0x0f) throw new Error(`rcode ${message.rcode} without an OPT record`);
  if (truncated) writer.setU16(2, encodeFlags({ ...message, truncated: true }));
  writer.setU16(4, message.questions.length);
  writer.setU16(6, answers);
  writer.setU16(8, authorities);
  writer.setU16(10, additionals + (message.edns === undefined ? 0 : 1));
  return writer.finish();
}

/** Writes as many whole record sets as fit below `available`; how many records that are. */
function encodeRecords(writer: DnsWriter, records: readonly ResourceRecord[], available: number): number {
  let set = 0;
  let setOffset = writer.offset;
  for (const [i, record] of records.entries()) {
    const previous = records[i - 1];
    if (previous !== undefined && (previous.type !== record.type || previous.name !== record.name)) {
      set = i;
      setOffset = writer.offset;
    }
    const fits = writer.offset < available && encodeIfFits(writer, record, available);
    if (!fits) {
      writer.cut(setOffset);
      return set;
    }
  }
  return records.length;
}

function encodeIfFits(writer: DnsWriter, record: ResourceRecord, available: number): boolean {
  try {
    encodeRecord(writer, record);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'too-large') return false;
    throw error;
  }
  return writer.offset <= available;
}

function optSize(edns: Edns | undefined): number {
  if (edns === undefined) return 0;
  return edns.options.reduce((sum, option) => sum + 4 + option.data.length, OPT_BYTES);
}

/** As the record stands in a message. */
export function optOctets(edns: Edns): Uint8Array {
  const writer = new DnsWriter(new Uint8Array(optSize(edns)));
  encodeOpt(writer, edns, 0);
  return writer.finish();
}

function encodeOpt(writer: DnsWriter, edns: Edns, rcodeHigh: number): void {
  writer.name(ROOT);
  writer.u16(OPT);
  writer.u16(edns.udpSizeBytes);
  writer.u8(rcodeHigh);
  writer.u8(edns.version);
  writer.u16(edns.dnssecOk ? DNSSEC_OK : 0);
  writer.u16(optSize(edns) - OPT_BYTES);
  for (const option of edns.options) {
    writer.u16(option.code);
    writer.u16(option.data.length);
    writer.octets(option.data);
  }
}
