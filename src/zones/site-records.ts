// Records that an entry says itself: attributes of dNSDomain and dNSDomain2, whose values are the data of zone files.
//
// In      an entry; or the text of one value
// Out     type and data in the one spelling in which equal records are equal; what is none of it, as problems
// Names are absolute, with a final dot or without: in a directory there is no origin.
// Limits  RECORDS_MAX records of one entry, TEXT_BYTES of one value
// RFC 1035 §5.1, RFC 2782, RFC 3596 §2.4, RFC 4524 §3.4, RFC 6698 §2.2, RFC 8659 §4.1.1

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import { SyntaxFailure } from '../base/cursor.ts';
import { type Entry, textValues } from '../directory/entry.ts';
import { ipv6Octets, ipv6Text } from '../wire/dns/address.ts';
import { parseName } from '../wire/dns/name.ts';
import type { Rdata } from '../wire/dns/rdata.ts';
import { rdataText } from '../wire/dns/text.ts';

export type SiteType = 'A' | 'AAAA' | 'MX' | 'NS' | 'CNAME' | 'TXT' | 'SRV' | 'CAA' | 'TLSA' | 'PTR';

/** Type and data, the text of zone files. */
export type SiteRecord = readonly [type: SiteType, data: string];

/** A value that means nothing to DNS and is left out. */
export interface ZoneProblem {
  readonly attribute: string;
  readonly value: string;
  readonly reason: string;
}

const RECORDS_MAX = 1000;
const TEXT_BYTES = 4096;
const STRING_BYTES = 255;

/** In the order in which they stand in a row. */
const ATTRIBUTES: readonly (readonly [attribute: string, type: SiteType])[] = [
  ['aRecord', 'A'],
  ['aAAARecord', 'AAAA'],
  ['mXRecord', 'MX'],
  ['nSRecord', 'NS'],
  ['cNAMERecord', 'CNAME'],
  ['tXTRecord', 'TXT'],
  ['sRVRecord', 'SRV'],
  ['cAARecord', 'CAA'],
  ['tLSARecord', 'TLSA'],
  ['pTRRecord', 'PTR'],
];

export function siteRecordsOf(entry: Entry, problems: ZoneProblem[]): readonly SiteRecord[] {
  const records: SiteRecord[] = [];
  for (const [attribute, type] of ATTRIBUTES) {
    const found: string[] = [];
    for (const value of textValues(entry, asciiLower(attribute))) {
      try {
        const text = rdataText(siteRdata(type, value));
        if (!found.includes(text)) found.push(text);
      } catch (error) {
        if (!(error instanceof SyntaxFailure)) throw error;
        problems.push({ attribute, value, reason: `is no ${type} record: ${error.message}` });
      }
    }
    records.push(...found.sort().map((text): SiteRecord => [type, text]));
  }
  if (records.length > RECORDS_MAX)
    problems.push({ attribute: 'aRecord', value: `${records.length} records`, reason: `are more than ${RECORDS_MAX}` });
  return records.slice(0, RECORDS_MAX);
}

/** Throws a SyntaxFailure for what is no data of this type. */
function siteRdata(type: SiteType, text: string): Rdata {
  if (text.length > TEXT_BYTES) throw new SyntaxFailure(`at most ${TEXT_BYTES} characters`, TEXT_BYTES);
  const words = new Words(text);
  switch (type) {
    case 'A':
      return { type, address: words.last(isIP(words.peek()) === 4, 'an IPv4 address') };
    case 'AAAA':
      return { type, address: ipv6Text(ipv6Octets(words.last(isIPv6(words.peek()), 'an IPv6 address'))) };
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return { type, target: words.lastName() };
    case 'MX':
      return { type, preference: words.number(0xffff), exchange: words.lastName() };
    case 'SRV': {
      const [priority, weight, port] = [words.number(0xffff), words.number(0xffff), words.number(0xffff)];
      return { type, priority, weight, port, target: words.lastName() };
    }
    case 'CAA': {
      const flags = words.number(0xff);
      const tag = words.word('a tag');
      const isTag = tag.length <= 15 && /^[a-zA-Z0-9]+$/.test(tag);
      if (!isTag) words.fail('a tag of letters and digits');
      return { type, flags, tag: asciiLower(tag), value: words.lastText() };
    }
    case 'TLSA': {
      const [usage, selector, matching] = [words.number(0xff), words.number(0xff), words.number(0xff)];
      return { type, usage, selector, matching, data: words.hex() };
    }
    case 'TXT':
      return { type, strings: words.strings() };
  }
}

function isIPv6(text: string): boolean {
  return isIP(text) === 6 && !text.includes('%');
}

interface Word {
  /** Without quotes; escapes as they stand. */
  readonly text: string;
  readonly at: number;
  readonly isQuoted: boolean;
}

/** The words of one value: blanks part them but in quotes; comments and parentheses have no place here. */
class Words {
  readonly #words: readonly Word[];
  readonly #length: number;
  #next = 0;

  constructor(text: string) {
    this.#length = text.length;
    this.#words = split(text);
  }

  fail(expected: string): never {
    throw new SyntaxFailure(expected, this.#words[this.#next]?.at ?? this.#length);
  }

  peek(): string {
    return this.#words[this.#next]?.text ?? '';
  }

  word(expected: string): string {
    const word = this.#words[this.#next];
    if (word === undefined || word.isQuoted) this.fail(expected);
    this.#next++;
    return word.text;
  }

  last(isRight: boolean, expected: string): string {
    if (!isRight) this.fail(expected);
    const text = this.word(expected);
    this.#end();
    return text;
  }

  number(max: number): number {
    const text = this.peek();
    const isNumber = /^\d{1,5}$/.test(text) && Number(text) <= max;
    if (!isNumber) this.fail(`a number up to ${max}`);
    return Number(this.word('a number'));
  }

  lastName(): string {
    const text = this.peek();
    if (text === '@') this.fail('a name');
    const name = asciiLower(parseName(text));
    this.word('a name');
    this.#end();
    return name;
  }

  lastText(): string {
    const word = this.#words[this.#next];
    if (word === undefined) this.fail('a value');
    this.#next++;
    this.#end();
    return unescaped(word);
  }

  hex(): Uint8Array {
    let text = '';
    while (this.#next < this.#words.length) text += this.word('hexadecimal digits');
    if (text === '' || text.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(text)) this.fail('hexadecimal digits');
    return Uint8Array.from(Buffer.from(text, 'hex'));
  }

  strings(): string[] {
    if (this.#words.length === 0) this.fail('a text');
    return this.#words.map((word) => {
      const text = unescaped(word);
      if (text.length > STRING_BYTES) throw new SyntaxFailure(`a string of at most ${STRING_BYTES} octets`, word.at);
      return text;
    });
  }

  #end(): void {
    if (this.#next < this.#words.length) this.fail('the end');
  }
}

function split(text: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < text.length; ) {
    const c = text[at]!;
    if (c === ' ' || c === '\t') {
      at++;
      continue;
    }
    if (c === ';' || c === '(' || c === ')' || text.charCodeAt(at) < 0x20) throw new SyntaxFailure('a word', at);
    const isQuoted = c === '"';
    const start = isQuoted ? at + 1 : at;
    at = start;
    while (at < text.length && !(isQuoted ? text[at] === '"' : ' \t";()'.includes(text[at]!)))
      at += text[at] === '\\' ? 2 : 1;
    if (isQuoted && at >= text.length) throw new SyntaxFailure('the end of the string', text.length);
    words.push({ text: text.slice(start, at), at: start, isQuoted });
    if (isQuoted) at++;
  }
  return words;
}

/** A character is an octet. */
function unescaped({ text, at: start }: Word): string {
  let plain = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff) throw new SyntaxFailure('octets', start + at);
    if (text[at] !== '\\') {
      plain += text[at];
      continue;
    }
    const digits = text.slice(at + 1, at + 4);
    if (/^\d{3}$/.test(digits) && Number(digits) <= 0xff) {
      plain += String.fromCharCode(Number(digits));
      at += 3;
    } else if (at + 1 < text.length && !/^\d/.test(digits)) plain += text[++at];
    else throw new SyntaxFailure('an escape', start + at);
  }
  return plain;
}

/** A row is made once, and asked often. */
const parsed = new WeakMap<readonly SiteRecord[], readonly Rdata[]>();

export function siteRdatas(site: readonly SiteRecord[] | undefined): readonly Rdata[] {
  if (site === undefined) return [];
  let records = parsed.get(site);
  if (records === undefined) {
    records = site.map(([type, text]) => siteRdata(type, text));
    parsed.set(site, records);
  }
  return records;
}

/**
 * What an owner has: what the entry says replaces what is generated of the same type; of texts only the one that says it is of
 * the same kind (`v=spf1`); exchanges are added. An alias stands alone.
 */
export function mergeSite(generated: readonly Rdata[], site: readonly Rdata[]): readonly Rdata[] {
  if (site.length === 0) return generated;
  const alias = site.find(({ type }) => type === 'CNAME');
  if (alias !== undefined) return [alias];
  const tags = new Set(site.flatMap((one) => (one.type === 'TXT' ? (versionTag(one.strings) ?? []) : [])));
  const types = new Set(site.map(({ type }) => type));
  const kept = generated.filter((one) => {
    if (one.type === 'TXT') return !tags.has(versionTag(one.strings) ?? '');
    // A null MX would be one among others. RFC 7505 §3
    if (one.type === 'MX') return !types.has('MX') || one.exchange !== '.';
    return !types.has(one.type as SiteType);
  });
  const texts = new Set(kept.map((one) => `${one.type} ${rdataText(one)}`));
  return [...kept, ...site.filter((one) => !texts.has(`${one.type} ${rdataText(one)}`))];
}

/** `v=spf1` of `v=spf1 mx ~all`, in lower case; undefined for a text that is of no kind. */
function versionTag(strings: readonly string[]): string | undefined {
  const text = strings.join('').slice(0, 40);
  if (text.slice(0, 2).toLowerCase() !== 'v=') return undefined;
  const end = /[\s;]/.exec(text)?.index ?? text.length;
  return asciiLower(text.slice(0, end));
}
