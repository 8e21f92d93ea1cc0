// The header that a proxy sends before the first byte of the connection that it passes on: whose connection that is.
// Versions 1 (text) and 2 (binary) of the PROXY protocol, as HAProxy's doc/proxy-protocol.txt has them. Pure.
//
// In      the first bytes of a connection, as many as have come
// Out     the header and its length; undefined: more has to come
// Errors  SyntaxFailure, as soon as what has come cannot become a header
// Limits  a line of V1_BYTES, HEADER_BYTES in all
// Never   takes a header whose checksum is wrong; gives an address that is none
// Sections in comments are those of that document.

import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { asciiLower, characterClass, isAll } from '../base/characters.ts';
import { Cursor, SyntaxFailure } from '../base/cursor.ts';

/** Version 1 with two IPv6 addresses needs no more. §2.1 */
const V1_BYTES = 107;
const HEADER_BYTES = 4096;

/** What the proxy says of the client's TLS, which ends there. */
export interface ProxiedTls {
  /** `TLSv1.3`; '' where it does not say. */
  readonly protocol: string;
  /** OpenSSL's name of the cipher suite; '' where it does not say. */
  readonly cipher: string;
}

export interface ProxyHeader {
  /** Undefined: the proxy speaks for itself (LOCAL), or does not know for whom (UNKNOWN, AF_UNSPEC, AF_UNIX). */
  readonly source: { readonly address: string; readonly port: number } | undefined;
  /** Undefined: the client came in the clear, or the proxy passes its TLS on. */
  readonly tls: ProxiedTls | undefined;
  /** The host name that the client asked for, in lower case. */
  readonly authority: string | undefined;
}

export interface ParsedProxyHeader {
  readonly header: ProxyHeader;
  /** What stands behind it belongs to the session. */
  readonly bytes: number;
}

const V1_PREFIX = Buffer.from('PROXY ', 'latin1');
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = V2_SIGNATURE.length + 4;
const NOTHING_KNOWN: ProxyHeader = { source: undefined, tls: undefined, authority: undefined };

export function parseProxyHeader(bytes: Buffer): ParsedProxyHeader | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === V1_PREFIX[0]) return startsWith(bytes, V1_PREFIX) ? parseLine(bytes) : undefined;
  return startsWith(bytes, V2_SIGNATURE) ? parseBinary(bytes) : undefined;
}

/** False: as far as it has come it may. */
function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  if (bytes.compare(prefix, 0, length, 0, length) !== 0) throw new SyntaxFailure('a PROXY header', 0);
  return length === prefix.length;
}

/** `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`. §2.1 */
function parseLine(bytes: Buffer): ParsedProxyHeader | undefined {
  const end = bytes.subarray(0, V1_BYTES).indexOf('\r\n');
  if (end < 0) {
    if (bytes.length >= V1_BYTES) throw new SyntaxFailure(`a PROXY line of ${V1_BYTES} bytes`, V1_BYTES);
    return undefined;
  }
  const parsed = (header: ProxyHeader): ParsedProxyHeader => ({ header, bytes: end + 2 });
  const cursor = new Cursor(bytes.toString('latin1', 0, end), V1_PREFIX.length);
  // What stands behind UNKNOWN is to be ignored.
  if (cursor.tryTake('UNKNOWN') && (cursor.atEnd || cursor.tryTake(' '))) return parsed(NOTHING_KNOWN);
  const isFour = cursor.tryTake('TCP4 ');
  if (!isFour) cursor.take('TCP6 ');
  const address = takeAddress(cursor, isFour);
  takeAddress(cursor, isFour);
  const port = takePort(cursor);
  cursor.space();
  takePort(cursor);
  cursor.end();
  return parsed({ ...NOTHING_KNOWN, source: { address, port } });
}

const ADDRESS = characterClass([0x30, 0x39], [0x41, 0x46], [0x61, 0x66], '.:');
const ADDRESS_MAX = 45;
const PORT_MAX = 65_535;

function takeAddress(cursor: Cursor, isFour: boolean): string {
  const text = cursor.run(ADDRESS, ADDRESS_MAX);
  if (!(isFour ? isIPv4(text) : isIPv6(text))) cursor.fail('an address of its family');
  cursor.space();
  // One form of each address: what is counted by client must not depend on how a proxy writes it.
  return isFour ? text : canonical(text);
}

function canonical(address: string): string {
  return new SocketAddress({ family: 'ipv6', address }).address;
}

function takePort(cursor: Cursor): number {
  const port = cursor.number(5);
  if (port > PORT_MAX) cursor.fail('a port');
  return port;
}

/** Fields of a binary header, each within the bounds of what holds it. */
class ByteCursor {
  readonly #bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.at >= this.end;
  }

  #skip(count: number): number {
    const start = this.at;
    if (start + count > this.end) throw new SyntaxFailure(`${count} more octets`, start);
    this.at += count;
    return start;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#skip(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#skip(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#skip(4));
  }

  text(count: number): string {
    const start = this.#skip(count);
    return this.#bytes.toString('latin1', start, start + count);
  }

  address4(): string {
    return [this.u8(), this.u8(), this.u8(), this.u8()].join('.');
  }

  address6(): string {
    const groups: string[] = [];
    while (groups.length < 8) groups.push(this.u16().toString(16));
    return canonical(groups.join(':'));
  }

  /** One that reads the next octets and no others. */
  part(count: number): ByteCursor {
    const start = this.#skip(count);
    return new ByteCursor(this.#bytes, start, start + count);
  }
}

const VERSION_2 = 2;
const COMMAND = { LOCAL: 0, PROXY: 1 };
const FAMILY = { UNSPEC: 0, INET: 1, INET6: 2, UNIX: 3 };
const TRANSPORT = { UNSPEC: 0, STREAM: 1, DGRAM: 2 };
/** Two paths. */
const UNIX_BYTES = 216;

/** §2.2 */
function parseBinary(bytes: Buffer): ParsedProxyHeader | undefined {
  if (bytes.length < V2_FIXED_BYTES) {
    if (bytes.length > V2_SIGNATURE.length && bytes[V2_SIGNATURE.length]! >> 4 !== VERSION_2) failVersion();
    return undefined;
  }
  const fixed = new ByteCursor(bytes, V2_SIGNATURE.length, V2_FIXED_BYTES);
  const versionAndCommand = fixed.u8();
  if (versionAndCommand >> 4 !== VERSION_2) failVersion();
  const command = versionAndCommand & 0xf;
  if (command > COMMAND.PROXY) throw new SyntaxFailure('LOCAL or PROXY', V2_SIGNATURE.length);
  const familyAndTransport = fixed.u8();
  const end = V2_FIXED_BYTES + fixed.u16();
  if (end > HEADER_BYTES) throw new SyntaxFailure(`at most ${HEADER_BYTES} octets`, V2_FIXED_BYTES);
  if (bytes.length < end) return undefined;
  // All that stands in it is to be ignored.
  if (command === COMMAND.LOCAL) return { header: NOTHING_KNOWN, bytes: end };
  const cursor = new ByteCursor(bytes, V2_FIXED_BYTES, end);
  const source = takeSource(cursor, familyAndTransport);
  const checksum = { at: -1, value: 0 };
  const said = takeValues(cursor, checksum);
  if (checksum.at >= 0 && crc32c(bytes.subarray(0, end), checksum.at) !== checksum.value)
    throw new SyntaxFailure('a checksum that is right', checksum.at);
  return { header: { ...said, source }, bytes: end };
}

function failVersion(): never {
  throw new SyntaxFailure('version 1 or 2', V2_SIGNATURE.length);
}

function takeSource(cursor: ByteCursor, familyAndTransport: number): ProxyHeader['source'] {
  const family = familyAndTransport >> 4;
  const transport = familyAndTransport & 0xf;
  if (transport > TRANSPORT.DGRAM) throw new SyntaxFailure('a transport', V2_SIGNATURE.length + 1);
  switch (family) {
    case FAMILY.UNSPEC:
      return undefined;
    case FAMILY.UNIX:
      cursor.part(UNIX_BYTES);
      return undefined;
    case FAMILY.INET:
    case FAMILY.INET6: {
      if (transport !== TRANSPORT.STREAM) throw new SyntaxFailure('TCP', V2_SIGNATURE.length + 1);
      const take = (): string => (family === FAMILY.INET ? cursor.address4() : cursor.address6());
      const address = take();
      take();
      const port = cursor.u16();
      cursor.u16();
      return { address, port };
    }
    default:
      throw new SyntaxFailure('a family of addresses', V2_SIGNATURE.length + 1);
  }
}

const TYPE = { AUTHORITY: 0x02, CRC32C: 0x03, SSL: 0x20 };
const SSL_TYPE = { VERSION: 0x21, CIPHER: 0x23 };
/** The client came by TLS. §2.2.6 */
const CLIENT_SSL = 0x01;
/** Of host names, protocols and cipher suites. */
const TOKEN = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '.-_');
const HOST_NAME_MAX = 253;

/** Type, length, value, as often as there is room. Types that are not used here are skipped. §2.2 */
function takeValues(
  cursor: ByteCursor,
  checksum: { at: number; value: number },
): Pick<ProxyHeader, 'tls' | 'authority'> {
  let tls: ProxiedTls | undefined;
  let authority: string | undefined;
  while (!cursor.atEnd) {
    const type = cursor.u8();
    const value = cursor.part(cursor.u16());
    if (type === TYPE.SSL) tls = takeTls(value);
    else if (type === TYPE.AUTHORITY) authority = hostName(value.text(value.end - value.at));
    else if (type === TYPE.CRC32C) {
      if (checksum.at >= 0) throw new SyntaxFailure('one checksum', value.at);
      checksum.at = value.at;
      checksum.value = value.u32();
      if (!value.atEnd) throw new SyntaxFailure('a checksum of four octets', value.at);
    }
  }
  return { tls, authority };
}

/** What is no host name could not be ours either. */
function hostName(text: string): string | undefined {
  return text !== '' && text.length <= HOST_NAME_MAX && isAll(text, TOKEN) ? asciiLower(text) : undefined;
}

function takeTls(cursor: ByteCursor): ProxiedTls | undefined {
  const client = cursor.u8();
  // Whether a client certificate was verified: none is taken from a proxy.
  cursor.u32();
  const tls = { protocol: '', cipher: '' };
  while (!cursor.atEnd) {
    const type = cursor.u8();
    const value = cursor.part(cursor.u16());
    const text = value.text(value.end - value.at);
    const word = isAll(text, TOKEN) ? text : '';
    if (type === SSL_TYPE.VERSION) tls.protocol = word;
    else if (type === SSL_TYPE.CIPHER) tls.cipher = word;
  }
  return (client & CLIENT_SSL) === 0 ? undefined : tls;
}

/** RFC 3720 §B.4: the polynomial 0x1edc6f41, bits reversed. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0x82f63b78;
  return value >>> 0;
});

/** Of the octets, those of the checksum itself taken as zeros. §2.2.3 */
function crc32c(bytes: Buffer, checksumAt: number): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    const octet = at >= checksumAt && at < checksumAt + 4 ? 0 : bytes[at]!;
    crc = CRC32C_TABLE[(crc ^ octet) & 0xff]! ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
