// Character sets of mail by every name they have: IANA's aliases, the code pages, Python's codecs.
//
// In      a name as mail writes it, in any case and with any punctuation; then octets piece by piece
// Out     Unicode text, malformed sequences as U+FFFD; undefined for US-ASCII and for what nobody knows, because there
//         the octets themselves say more (`readsAs`)
// How     TextDecoder where it knows the set; else charsets.json, which make-charsets.py makes and which is read when it is
//         first asked for: tables of one and of two octets a character, and the few algorithms below
// Limits  sets that an algorithm reads are collected and decoded at the end: callers bound a body
// RFC 1557 (ISO-2022-KR), RFC 1843 (HZ), RFC 1922 (ISO-2022-CN), RFC 2152 (UTF-7)

import { isAscii, isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asciiLower } from '../base/characters.ts';
import { BASE64_VALUE } from './base64.ts';

export interface CharsetStream {
  decode(octets: Uint8Array): string;
  /** What was held back. */
  end(): string;
}

type Opener = () => CharsetStream;

/** Names that strangers choose are remembered, but not without end. */
const REMEMBERED_MAX = 200;
const remembered = new Map<string, Opener | undefined>();

/** Undefined: the octets have to say it. */
export function openCharset(name: string): CharsetStream | undefined {
  const lower = asciiLower(name);
  if (remembered.has(lower)) return remembered.get(lower)?.();
  const opener = findCharset(lower);
  if (remembered.size < REMEMBERED_MAX) remembered.set(lower, opener);
  return opener?.();
}

/** Octets that nothing has declared, all of them or the beginning: UTF-8 when they are that, else Windows-1252. */
export function readsAs(octets: Uint8Array): 'utf-8' | 'windows-1252' {
  if (isUtf8(octets)) return 'utf-8';
  // A body that is cut off may end within a character; one that has no other character beyond ASCII says nothing.
  const whole = octets.subarray(0, startOfLastCharacter(octets));
  return isUtf8(whole) && !isAscii(whole) ? 'utf-8' : 'windows-1252';
}

function startOfLastCharacter(octets: Uint8Array): number {
  for (let at = octets.length - 1; at >= 0 && at >= octets.length - 3; at--) {
    if (octets[at]! >= 0xc0) return at;
    if (octets[at]! < 0x80) break;
  }
  return octets.length;
}

const ASCII = new Set([
  'usascii',
  'ascii',
  'us',
  'ansix341968',
  'ansix341986',
  'iso646us',
  'iso646irv1991',
  'isoir6',
  'csascii',
  'ibm367',
  'cp367',
  '646',
  'cp20127',
]);

function findCharset(lower: string): Opener | undefined {
  const plain = lettersAndDigits(lower);
  if (plain === '' || ASCII.has(plain)) return undefined;
  // UTF-16 is what its byte order mark says: TextDecoder's is little-endian.
  if (plain !== 'utf16') {
    const label = textDecoderLabel(lower);
    if (label !== undefined) return () => textDecoderStream(label);
  }
  const { names, tables, doubles } = charsets();
  const target = names[plain] ?? (plain.startsWith('x') ? names[plain.slice(1)] : undefined);
  if (target === undefined) return undefined;
  if (target.startsWith('=')) return () => textDecoderStream(target.slice(1));
  const algorithm = algorithms.get(target);
  if (algorithm !== undefined) return () => new WholeText(algorithm);
  const table = tables[target];
  if (table !== undefined) return () => ({ decode: (octets) => byTable(octets, table), end: () => '' });
  const rows = doubles[target];
  return rows === undefined ? undefined : () => new WholeText((octets) => byRows(octets, rows));
}

function lettersAndDigits(name: string): string {
  let plain = '';
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if ((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x7a)) plain += name.charAt(at);
  }
  return plain;
}

function textDecoderLabel(name: string): string | undefined {
  try {
    const { encoding } = new TextDecoder(name);
    // Its name for sets that it will not read.
    return encoding === 'replacement' ? undefined : encoding;
  } catch {
    // RangeError: no such set.
    return undefined;
  }
}

function textDecoderStream(label: string): CharsetStream {
  const decoder = new TextDecoder(label);
  return { decode: (octets) => decoder.decode(octets, { stream: true }), end: () => decoder.decode() };
}

interface Charsets {
  /** Letters and digits of a name -> `=label` of TextDecoder, `*algorithm`, or a table. */
  readonly names: Readonly<Record<string, string>>;
  /** 256 characters. */
  readonly tables: Readonly<Record<string, string>>;
  /** By the first octet: characters for second octets from 0x31 on. */
  readonly doubles: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

let data: Charsets | undefined;

function charsets(): Charsets {
  if (data === undefined) {
    const { names, tables, doubles } = JSON.parse(
      readFileSync(join(import.meta.dirname, 'charsets.json'), 'utf8'),
    ) as Charsets;
    // Names are a stranger's: nothing is inherited.
    data = { names: Object.assign(Object.create(null), names), tables, doubles };
  }
  return data;
}

/** A set whose octets mean something only one after another. */
class WholeText implements CharsetStream {
  readonly #decodeAll: (octets: Buffer) => string;
  #pieces: Uint8Array[] = [];

  constructor(decodeAll: (octets: Buffer) => string) {
    this.#decodeAll = decodeAll;
  }

  decode(octets: Uint8Array): string {
    this.#pieces.push(octets);
    return '';
  }

  end(): string {
    const octets = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return this.#decodeAll(octets);
  }
}

const CHUNK = 4096;

function byTable(octets: Uint8Array, table: string): string {
  let text = '';
  const units = new Uint16Array(Math.min(CHUNK, octets.length));
  for (let from = 0; from < octets.length; from += CHUNK) {
    const length = Math.min(CHUNK, octets.length - from);
    for (let at = 0; at < length; at++) units[at] = table.charCodeAt(octets[from + at]!);
    text += String.fromCharCode(...units.subarray(0, length));
  }
  return text;
}

const FIRST_SECOND_OCTET = 0x31;

function byRows(octets: Buffer, rows: Readonly<Record<string, string>>): string {
  let text = '';
  for (let at = 0; at < octets.length; at++) {
    const first = octets[at]!;
    if (first < 0x80) text += String.fromCharCode(first);
    else text += rows[first]?.charAt((octets[++at] ?? 0) - FIRST_SECOND_OCTET) || '\ufffd';
  }
  return text;
}

const algorithms: ReadonlyMap<string, (octets: Buffer) => string> = new Map([
  ['*utf-7', decodeUtf7],
  ['*hz', decodeHz],
  ['*iso-2022-kr', (octets: Buffer) => decodeShifted(octets, 'euc-kr')],
  ['*iso-2022-cn', (octets: Buffer) => decodeShifted(octets, 'gbk')],
  ['*utf-16', decodeUtf16],
  ['*utf-32', decodeUtf32],
  ['*utf-32be', (octets: Buffer) => utf32(octets, 0, (at) => octets.readUInt32BE(at))],
  ['*utf-32le', (octets: Buffer) => utf32(octets, 0, (at) => octets.readUInt32LE(at))],
]);

/** `+` begins UTF-16 in base64, which `-` or anything that is no digit ends; `+-` is a plus. */
function decodeUtf7(octets: Buffer): string {
  let text = '';
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at]!;
    if (octet !== 0x2b) {
      text += String.fromCharCode(octet < 0x80 ? octet : 0xfffd);
      continue;
    }
    const start = at;
    let bits = 0;
    let held = 0;
    while (at + 1 < octets.length && BASE64_VALUE[octets[at + 1]!]! < 64) {
      at++;
      held = (held << 6) | BASE64_VALUE[octets[at]!]!;
      bits += 6;
      if (bits < 16) continue;
      bits -= 16;
      text += String.fromCharCode(held >>> bits);
      held &= (1 << bits) - 1;
    }
    if (octets[at + 1] === 0x2d) {
      if (at === start) text += '+';
      at++;
    } else if (at === start) text += '+';
  }
  return text.toWellFormed();
}

/** `~{` to `~}` is GB 2312 in seven bits, `~~` a tilde, `~` at the end of a line nothing. */
function decodeHz(octets: Buffer): string {
  const gb = Buffer.allocUnsafe(octets.length);
  let length = 0;
  let isShifted = false;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at]!;
    if (octet === 0x7e) {
      const next = octets[at + 1];
      if (next === 0x7b || next === 0x7d || next === 0x7e || next === 0x0a) {
        at++;
        if (next === 0x7e) gb[length++] = 0x7e;
        else if (next !== 0x0a) isShifted = next === 0x7b;
        continue;
      }
    }
    // A line's end ends the shift.
    if (octet === 0x0a) isShifted = false;
    gb[length++] = isShifted && octet > 0x20 ? octet | 0x80 : octet;
  }
  return new TextDecoder('gbk').decode(gb.subarray(0, length));
}

/** Escape sequences left out, all between SO and SI with the high bit, as `label` has it. */
function decodeShifted(octets: Buffer, label: string): string {
  const eightBit = Buffer.allocUnsafe(octets.length);
  let length = 0;
  let isShifted = false;
  for (let at = 0; at < octets.length; at++) {
    const octet = octets[at]!;
    if (octet === 0x0e || octet === 0x0f) isShifted = octet === 0x0e;
    else if (octet === 0x1b && octets[at + 1] === 0x24) at += 3;
    else {
      if (octet === 0x0a) isShifted = false;
      eightBit[length++] = isShifted && octet > 0x20 ? octet | 0x80 : octet;
    }
  }
  return new TextDecoder(label).decode(eightBit.subarray(0, length));
}

/** Without a byte order mark little-endian, as programs that leave it out write it. */
function decodeUtf16(octets: Buffer): string {
  const isBigEndian = octets[0] === 0xfe && octets[1] === 0xff;
  return new TextDecoder(isBigEndian ? 'utf-16be' : 'utf-16le').decode(octets);
}

function decodeUtf32(octets: Buffer): string {
  if (octets.length < 4) return '';
  if (octets.readUInt32LE(0) === 0xfeff) return utf32(octets, 4, (at) => octets.readUInt32LE(at));
  return utf32(octets, octets.readUInt32BE(0) === 0xfeff ? 4 : 0, (at) => octets.readUInt32BE(at));
}

function utf32(octets: Buffer, start: number, read: (at: number) => number): string {
  let text = '';
  for (let at = start; at + 4 <= octets.length; at += 4) {
    const code = read(at);
    text += code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
  }
  return text.toWellFormed();
}
