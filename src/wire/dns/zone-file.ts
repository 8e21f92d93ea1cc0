// A zone's master file, read entry by entry: what it says of mail and of the zone itself; other records are passed over.
//
// In      the text of one file (a character is an octet); the origin that its first relative names have, if one is given
// Out     its SOA, NS and MX records with absolute names. Types are checked by name, the data of other types is not read
// States  entry after entry; $ORIGIN, the last owner and parentheses are remembered; end
// Errors  Failure 'syntax' with the line: nothing is passed over that could have been an MX record
// Limits  RECORDS_MAX records, ENTRY_TOKENS words of one entry
// Never   opens another file ($INCLUDE), invents records ($GENERATE): both are refused
// Beside it parseRdata: the data of one record as a file would have it, for values that stand alone.
// RFC 1035 §5, RFC 2308 §4 ($TTL), RFC 2782, RFC 3597 §5, RFC 6698 §2.2, RFC 8659 §4.1.1

import { asciiLower } from '../../base/characters.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { ipv4Octets, ipv4Text, ipv6Octets, ipv6Text } from './address.ts';
import { decimalOctet, parseName, ROOT } from './name.ts';
import type { Rdata } from './rdata.ts';

export type ZoneRecord = Rdata & { readonly name: string };

const RECORDS_MAX = 1_000_000;
const ENTRY_TOKENS = 10_000;

/** The types of the IANA's list that a file may hold. A word that is none of them may be a slip of MX. */
const TYPES = new Set(
  (
    'A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP-PTR SIG KEY PX GPOS AAAA LOC ' +
    'NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM ' +
    'TLSA SMIMEA HIP NINFO RKEY TALINK CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS DSYNC HHIT BRID SPF UINFO UID GID ' +
    'UNSPEC NID L32 L64 LP EUI48 EUI64 NXNAME URI CAA AVC DOA AMTRELAY RESINFO WALLET CLA IPN TA DLV'
  ).split(' '),
);

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

interface Token {
  /** Escapes as they stand. */
  readonly text: string;
  readonly isQuoted: boolean;
}

interface FileEntry {
  readonly tokens: readonly Token[];
  /** It begins with a blank: its owner is the last one. */
  readonly hasNoOwner: boolean;
}

export class ZoneFile {
  readonly #text: string;
  #at = 0;
  /** Of the entry that is read: its first line, and the last one so far. */
  #firstLine = 1;
  #line = 1;
  /** The last line has ended. */
  #isNewLine = false;
  #origin: string | undefined;
  #owner: string | undefined;
  #records = 0;

  /** `origin` as wire/dns/name.ts writes names. */
  constructor(text: string, origin?: string) {
    this.#text = text;
    this.#origin = origin;
  }

  /** The next SOA, NS or MX record; undefined at the end. */
  next(): ZoneRecord | undefined {
    for (let entry = this.#entry(); entry !== undefined; entry = this.#entry()) {
      const [first] = entry.tokens;
      if (first === undefined) continue;
      if (!entry.hasNoOwner && !first.isQuoted && first.text.startsWith('$')) {
        this.#directive(entry.tokens);
        continue;
      }
      const record = this.#record(entry);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  /** The words of the next entry, over as many lines as its parentheses span; undefined at the end of the file. */
  #entry(): FileEntry | undefined {
    const text = this.#text;
    if (this.#at >= text.length) return undefined;
    if (this.#isNewLine) this.#line++;
    this.#isNewLine = false;
    this.#firstLine = this.#line;
    const first = text.charCodeAt(this.#at);
    const hasNoOwner = first === SPACE || first === TAB;
    const tokens: Token[] = [];
    let isOpen = false;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (code === LF) {
        this.#at++;
        this.#isNewLine = !isOpen;
        if (!isOpen) return { tokens, hasNoOwner };
        this.#line++;
      } else if (code === SPACE || code === TAB || code === CR) this.#at++;
      else if (code === SEMICOLON) this.#skipComment();
      else if (code === OPEN || code === CLOSE) {
        if (isOpen === (code === OPEN)) throw this.#failure(`"${text[this.#at]}" is out of place`);
        isOpen = !isOpen;
        this.#at++;
      } else {
        if (tokens.length === ENTRY_TOKENS) throw this.#failure(`an entry of more than ${ENTRY_TOKENS} words`);
        tokens.push(code === QUOTE ? this.#quoted() : this.#word());
      }
    }
    if (isOpen) throw this.#failure('")" is missing');
    return { tokens, hasNoOwner };
  }

  #skipComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #quoted(): Token {
    const start = this.#at + 1;
    for (let at = start; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === BACKSLASH && this.#text.charCodeAt(at + 1) !== LF) at++;
      else if (code === LF) break;
      else if (code === QUOTE) {
        this.#at = at + 1;
        return { text: this.#text.slice(start, at), isQuoted: true };
      }
    }
    throw this.#failure('a string without its end');
  }

  #word(): Token {
    const start = this.#at;
    let at = start;
    for (; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      // What is escaped is part of the word, but for the end of the line.
      if (code === BACKSLASH && this.#text.charCodeAt(at + 1) !== LF) at++;
      else if (code <= SPACE || code === SEMICOLON || code === OPEN || code === CLOSE || code === QUOTE) break;
    }
    // A control character is no word and ends none.
    if (at === start) throw this.#failure('a control character');
    this.#at = Math.min(at, this.#text.length);
    return { text: this.#text.slice(start, this.#at), isQuoted: false };
  }

  #directive([directive, value, more]: readonly Token[]): void {
    const word = directive!.text.toUpperCase();
    if (word !== '$ORIGIN' && word !== '$TTL') throw this.#failure(`${word} is not followed here`);
    if (value === undefined || more !== undefined) throw this.#failure(`${word} has one value`);
    if (word === '$ORIGIN') this.#origin = this.#name(value);
    else if (seconds(value.text) === undefined) throw this.#failure(`${value.text} is no time`);
  }

  #record({ tokens, hasNoOwner }: FileEntry): ZoneRecord | undefined {
    if (++this.#records > RECORDS_MAX) throw this.#failure(`more than ${RECORDS_MAX} records`);
    let at = 0;
    if (!hasNoOwner) this.#owner = this.#name(tokens[at++]!);
    const name = this.#owner;
    if (name === undefined) throw this.#failure('a record without an owner');
    let hasTtl = false;
    let hasClass = false;
    for (let token = tokens[at]; token !== undefined && !token.isQuoted; token = tokens[++at]) {
      const word = token.text.toUpperCase();
      if (!hasTtl && seconds(word) !== undefined) hasTtl = true;
      else if (!hasClass && (word === 'IN' || word === 'CLASS1')) hasClass = true;
      else return this.#data(name, word, tokens.slice(at + 1));
    }
    throw this.#failure('a record type is missing');
  }

  #data(name: string, type: string, data: readonly Token[]): ZoneRecord | undefined {
    const text = (at: number): string => data[at]!.text;
    const count = { MX: 2, NS: 1, SOA: 7 }[type];
    if (count === undefined) {
      if (TYPES.has(type) || isOtherType(type)) return undefined;
      throw this.#failure(`${type} is no record type of class IN`);
    }
    if (data.length !== count) throw this.#failure(`${type} has ${count} values, not ${data.length}`);
    if (type === 'NS') return { name, type, target: this.#name(data[0]!) };
    if (type === 'MX') return { name, type, preference: this.#number(text(0), 0xffff), exchange: this.#name(data[1]!) };
    return {
      name,
      type: 'SOA',
      mname: this.#name(data[0]!),
      rname: this.#name(data[1]!),
      serial: this.#number(text(2), 0xffffffff),
      refresh: this.#time(text(3)),
      retry: this.#time(text(4)),
      expire: this.#time(text(5)),
      minimum: this.#time(text(6)),
    };
  }

  #name({ text, isQuoted }: Token): string {
    try {
      if (!isQuoted && text === '@') return this.#originHere();
      const name = parseName(text);
      if (text === ROOT || endsWithDot(text)) return name;
      const origin = this.#originHere();
      return origin === ROOT ? name : parseName(`${text}.${origin}`);
    } catch (error) {
      if (!(error instanceof SyntaxFailure)) throw error;
      throw this.#failure(`${text.slice(0, 300)} is no name`);
    }
  }

  #originHere(): string {
    if (this.#origin === undefined) throw this.#failure('a relative name, and no origin: name the zone');
    return this.#origin;
  }

  #number(text: string, max: number): number {
    const value = isDigits(text) && text.length <= 10 ? Number(text) : Number.NaN;
    if (!(value <= max)) throw this.#failure(`${text.slice(0, 100)} is no number up to ${max}`);
    return value;
  }

  #time(text: string): number {
    const value = seconds(text.toUpperCase());
    if (value === undefined) throw this.#failure(`${text.slice(0, 100)} is no time`);
    return value;
  }

  #failure(why: string): Failure {
    const lines = this.#line > this.#firstLine ? `lines ${this.#firstLine} to ${this.#line}` : `line ${this.#line}`;
    return new Failure('syntax', `${lines}: ${why}`);
  }
}

/** The dot at the end is not an escaped one. */
function endsWithDot(text: string): boolean {
  if (!text.endsWith('.')) return false;
  let backslashes = 0;
  while (text.charCodeAt(text.length - 2 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 0;
}

function isDigits(text: string): boolean {
  if (text === '') return false;
  for (let at = 0; at < text.length; at++) if (!isDigit(text.charCodeAt(at))) return false;
  return true;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

const UNITS: Readonly<Record<string, number>> = { S: 1, M: 60, H: 3600, D: 86_400, W: 604_800 };

/** `3600`, or `1H30M` as BIND writes it; undefined for what is no time of 32 bits. */
function seconds(text: string): number | undefined {
  let sum = 0;
  let digits = '';
  for (const c of text.slice(0, 40).toUpperCase()) {
    if (isDigit(c.charCodeAt(0))) digits += c;
    else {
      const unit = UNITS[c];
      if (unit === undefined || digits === '') return undefined;
      sum += Number(digits) * unit;
      digits = '';
    }
  }
  if (text.length > 40 || text === '') return undefined;
  sum += digits === '' ? 0 : Number(digits);
  return sum <= 0xffffffff ? sum : undefined;
}

/** RFC 3597 §5: `TYPE731`; but not a number that has a name here, whose data would go unread. */
function isOtherType(type: string): boolean {
  if (!type.startsWith('TYPE') || !isDigits(type.slice(4)) || type.length > 9) return false;
  const code = Number(type.slice(4));
  return code <= 0xffff && code !== 15 && code !== 6 && code !== 2;
}

export type WrittenType = 'A' | 'AAAA' | 'MX' | 'NS' | 'CNAME' | 'TXT' | 'SRV' | 'CAA' | 'TLSA' | 'PTR';

/**
 * `10 mail.acme.example`: names are absolute with and without their final dot, and come in lower case; `@` is `origin`.
 * Throws a SyntaxFailure for all that is no data of this type; a comment and parentheses are none.
 */
export function parseRdata(type: WrittenType, text: string, origin: string): Rdata {
  const words = new Words(text, origin);
  const rdata = rdataOf(type, words);
  words.end();
  return rdata;
}

function rdataOf(type: WrittenType, words: Words): Rdata {
  switch (type) {
    case 'A':
      return { type, address: ipv4Text(ipv4Octets(words.word('an IPv4 address'))) };
    case 'AAAA':
      return { type, address: ipv6Text(ipv6Octets(words.word('an IPv6 address'))) };
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return { type, target: words.name() };
    case 'MX':
      return { type, preference: words.number(0xffff), exchange: words.name() };
    case 'TXT':
      return { type, strings: words.strings() };
    case 'SRV': {
      const [priority, weight, port] = [words.number(0xffff), words.number(0xffff), words.number(0xffff)];
      return { type, priority, weight, port, target: words.name() };
    }
    case 'CAA':
      return { type, flags: words.number(0xff), tag: words.tag(), value: words.string() };
    case 'TLSA': {
      const [usage, selector, matching] = [words.number(0xff), words.number(0xff), words.number(0xff)];
      return { type, usage, selector, matching, data: words.hex() };
    }
  }
}

/** The words of one value, taken from the left. */
class Words {
  readonly #text: string;
  readonly #origin: string;
  #at = 0;

  constructor(text: string, origin: string) {
    this.#text = text;
    this.#origin = origin;
  }

  #fail(expected: string): never {
    throw new SyntaxFailure(expected, this.#at);
  }

  /** Over blanks; whether something is left. */
  #more(): boolean {
    while (this.#code() === SPACE || this.#code() === TAB) this.#at++;
    return this.#at < this.#text.length;
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  end(): void {
    if (this.#more()) this.#fail('the end of the value');
  }

  word(expected: string): string {
    if (!this.#more()) this.#fail(expected);
    const start = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#code();
      if (code === SPACE || code === TAB) break;
      if (code === BACKSLASH) this.#at++;
      else if (code < SPACE || code === SEMICOLON || code === OPEN || code === CLOSE || code === QUOTE)
        this.#fail(expected);
    }
    return this.#text.slice(start, this.#at);
  }

  number(max: number): number {
    const expected = `a number up to ${max}`;
    const word = this.word(expected);
    const value = isDigits(word) && word.length <= 5 ? Number(word) : Number.NaN;
    if (!(value <= max)) this.#fail(expected);
    return value;
  }

  name(): string {
    const word = this.word('a name');
    return word === '@' ? this.#origin : asciiLower(parseName(word));
  }

  /** RFC 8659 §4.1 */
  tag(): string {
    const word = asciiLower(this.word('a tag'));
    if (!isTag(word)) this.#fail('a tag of 1 to 255 letters and digits');
    return word;
  }

  hex(): Uint8Array {
    let digits = this.word('octets in hexadecimal');
    while (this.#more()) digits += this.word('octets in hexadecimal');
    const octets = Buffer.from(digits, 'hex');
    if (octets.length === 0 || octets.length * 2 !== digits.length) this.#fail('octets in hexadecimal');
    return Uint8Array.from(octets);
  }

  strings(): string[] {
    const strings = [this.#string255()];
    while (this.#more()) strings.push(this.#string255());
    return strings;
  }

  #string255(): string {
    const text = this.string();
    if (text.length > 255) this.#fail('strings of at most 255 octets');
    return text;
  }

  /** A word or what stands in quotes, without its escapes. An octet is a character. */
  string(): string {
    if (!this.#more()) this.#fail('a string');
    if (this.#code() !== QUOTE) return this.#unescaped(this.word('a string in quotes'));
    const start = ++this.#at;
    while (this.#code() !== QUOTE) {
      if (!(this.#at < this.#text.length)) this.#fail('a quote at the end');
      this.#at += this.#code() === BACKSLASH ? 2 : 1;
    }
    return this.#unescaped(this.#text.slice(start, this.#at++));
  }

  #unescaped(text: string): string {
    let plain = '';
    for (let at = 0; at < text.length; at++) {
      let code = text.charCodeAt(at);
      if (code === BACKSLASH) {
        const octet = decimalOctet(text, at + 1);
        code = octet ?? text.charCodeAt(at + 1);
        at += octet === undefined ? 1 : 3;
        if (octet !== undefined) {
          plain += String.fromCharCode(octet);
          continue;
        }
      }
      // Not a number behind the end of the text.
      if (!(code >= SPACE && code <= 0x7e)) this.#fail('characters of ASCII, others as \\DDD');
      plain += String.fromCharCode(code);
    }
    return plain;
  }
}

function isTag(text: string): boolean {
  if (text === '' || text.length > 255) return false;
  for (const c of text) if (!(c >= 'a' && c <= 'z') && !isDigit(c.charCodeAt(0))) return false;
  return true;
}
