// Resource records between octets and values: the RDATA of each type, decoder beside encoder.
//
// A record of a type or class without a form here keeps its octets. Only names in the types of RFC 1035 are compressed.
// RFC 1035 §3.3 §3.4.1, RFC 2782, RFC 3596 §2.2, RFC 3597 §4, RFC 2181 §8, RFC 6698 §2.1, RFC 8659 §4.1

import { Failure } from '../../base/failure.ts';
import { ipv4Octets, ipv4Text, ipv6Octets, ipv6Text } from './address.ts';
import type { DnsReader, DnsWriter } from './buffer.ts';
import { CLASS_IN, type RecordType, typeCode, typeName } from './codes.ts';

export interface SoaRdata {
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

/** Names as name.ts writes them, addresses as RFC 5952, character-strings of TXT and CAA in latin1. */
export type Rdata =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'NS' | 'CNAME' | 'PTR'; readonly target: string }
  | { readonly type: 'MX'; readonly preference: number; readonly exchange: string }
  | ({ readonly type: 'SOA' } & SoaRdata)
  | { readonly type: 'TXT'; readonly strings: readonly string[] }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'CAA'; readonly flags: number; readonly tag: string; readonly value: string }
  | {
      readonly type: 'TLSA';
      readonly usage: number;
      readonly selector: number;
      readonly matching: number;
      readonly data: Uint8Array;
    }
  | { readonly type: `TYPE${number}`; readonly data: Uint8Array };

export type ResourceRecord = Rdata & {
  readonly name: string;
  readonly class: number;
  /** Seconds, below 2^31. */
  readonly ttl: number;
};

/** The record here, for any type but OPT. */
export function decodeRecord(reader: DnsReader): ResourceRecord {
  const name = reader.name();
  const code = reader.u16();
  const rrClass = reader.u16();
  const ttl = reader.u32();
  const length = reader.u16();
  const start = reader.offset;
  const rdata = decodeRdata(reader, code, rrClass, length);
  if (reader.offset !== start + length) reader.fail('the end of the record data');
  // RFC 2181 §8: a TTL with its highest bit set is zero.
  return { name, class: rrClass, ttl: ttl > 0x7fffffff ? 0 : ttl, ...rdata };
}

export function encodeRecord(writer: DnsWriter, record: ResourceRecord): void {
  writer.name(record.name);
  writer.u16(typeCode(record.type));
  writer.u16(record.class);
  writer.u32(record.ttl);
  const lengthAt = writer.offset;
  writer.u16(0);
  encodeRdata(writer, record);
  const length = writer.offset - lengthAt - 2;
  writer.setU16(lengthAt, length);
}

/** Without compression, and never less: a name's escapes count as they are written. Nothing is allocated for it. */
export function recordBytesAtMost(record: ResourceRecord): number {
  return nameBytesAtMost(record.name) + FIXED_BYTES + rdataBytesAtMost(record);
}

/** Type, class, TTL and length. */
const FIXED_BYTES = 10;

/** A length before the first label, one for each dot, the root's zero. */
function nameBytesAtMost(name: string): number {
  return name.length + 2;
}

function rdataBytesAtMost(rdata: Rdata): number {
  switch (rdata.type) {
    case 'A':
      return 4;
    case 'AAAA':
      return 16;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return nameBytesAtMost(rdata.target);
    case 'MX':
      return 2 + nameBytesAtMost(rdata.exchange);
    case 'SOA':
      return nameBytesAtMost(rdata.mname) + nameBytesAtMost(rdata.rname) + 20;
    case 'TXT':
      return rdata.strings.reduce((sum, text) => sum + 1 + text.length, 0);
    case 'SRV':
      return 6 + nameBytesAtMost(rdata.target);
    case 'CAA':
      return 2 + rdata.tag.length + rdata.value.length;
    case 'TLSA':
      return 3 + rdata.data.length;
    default:
      return rdata.data.length;
  }
}

function decodeRdata(reader: DnsReader, code: number, rrClass: number, length: number): Rdata {
  const type: RecordType = rrClass === CLASS_IN ? typeName(code) : `TYPE${code}`;
  switch (type) {
    case 'A':
      return { type, address: ipv4Text(reader.octets(4)) };
    case 'AAAA':
      return { type, address: ipv6Text(reader.octets(16)) };
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return { type, target: reader.name() };
    case 'MX':
      return { type, preference: reader.u16(), exchange: reader.name() };
    case 'SOA':
      return { type, ...decodeSoa(reader) };
    case 'TXT':
      return { type, strings: decodeStrings(reader, length) };
    case 'SRV':
      return { type, priority: reader.u16(), weight: reader.u16(), port: reader.u16(), target: reader.name() };
    case 'CAA':
      return { type, ...decodeCaa(reader, length) };
    case 'TLSA':
      if (length < 3) reader.fail('a TLSA record');
      return { type, ...decodeTlsa(reader, length) };
    default:
      return { type: `TYPE${code}`, data: Uint8Array.from(reader.octets(length)) };
  }
}

function encodeRdata(writer: DnsWriter, rdata: Rdata): void {
  switch (rdata.type) {
    case 'A':
      writer.octets(ipv4Octets(rdata.address));
      return;
    case 'AAAA':
      writer.octets(ipv6Octets(rdata.address));
      return;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      writer.name(rdata.target);
      return;
    case 'MX':
      writer.u16(rdata.preference);
      writer.name(rdata.exchange);
      return;
    case 'SOA':
      encodeSoa(writer, rdata);
      return;
    case 'TXT':
      encodeStrings(writer, rdata.strings);
      return;
    case 'SRV':
      for (const value of [rdata.priority, rdata.weight, rdata.port]) writer.u16(value);
      writer.wholeName(rdata.target);
      return;
    case 'CAA':
      writer.u8(rdata.flags);
      encodeStrings(writer, [rdata.tag]);
      writer.octets(latin1Octets(rdata.value));
      return;
    case 'TLSA':
      for (const value of [rdata.usage, rdata.selector, rdata.matching]) writer.u8(value);
      writer.octets(rdata.data);
      return;
    default:
      writer.octets(rdata.data);
  }
}

function decodeSoa(reader: DnsReader): SoaRdata {
  return {
    mname: reader.name(),
    rname: reader.name(),
    serial: reader.u32(),
    refresh: reader.u32(),
    retry: reader.u32(),
    expire: reader.u32(),
    minimum: reader.u32(),
  };
}

function encodeSoa(writer: DnsWriter, soa: SoaRdata): void {
  writer.name(soa.mname);
  writer.name(soa.rname);
  for (const value of [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum]) writer.u32(value);
}

function decodeStrings(reader: DnsReader, length: number): string[] {
  const end = reader.offset + length;
  const strings: string[] = [];
  while (reader.offset < end) strings.push(latin1Text(reader.octets(reader.u8())));
  return strings;
}

function decodeCaa(reader: DnsReader, length: number): { flags: number; tag: string; value: string } {
  const end = reader.offset + length;
  const flags = reader.u8();
  const tag = latin1Text(reader.octets(reader.u8()));
  if (reader.offset > end) reader.fail('the end of the tag');
  return { flags, tag, value: latin1Text(reader.octets(end - reader.offset)) };
}

function decodeTlsa(reader: DnsReader, length: number) {
  return {
    ...{ usage: reader.u8(), selector: reader.u8(), matching: reader.u8() },
    data: Uint8Array.from(reader.octets(length - 3)),
  };
}

function latin1Text(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}

function latin1Octets(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

function encodeStrings(writer: DnsWriter, strings: readonly string[]): void {
  for (const text of strings) {
    if (text.length > 255) throw new Failure('invalid', 'A string of a DNS record has at most 255 octets');
    writer.u8(text.length);
    writer.octets(latin1Octets(text));
  }
}
