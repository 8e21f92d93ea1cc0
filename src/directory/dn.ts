// Distinguished names: text to value and back, and the one form in which two equal names are the same text.
//
// In      RFC 4514 text, with spaces around separators as RFC 2253 had them
// Out     Dn: its text as RFC 4514 has it, the normalized text, and the path (root first) under which the tables keep it
// Limits  length, RDNs and values in an RDN, see base/limits.ts
// Never   looks whether an entry exists; an unknown attribute type is no error here
// RFC 4514, RFC 4512 §2.3, RFC 4517 §4.2.15

import { isUtf8 } from 'node:buffer';
import { ALNUM, ALPHA, asciiLower, characterClass, DIGIT, isAll } from '../base/characters.ts';
import { Cursor } from '../base/cursor.ts';
import { DN_LENGTH_MAX, DN_RDNS_MAX, RDN_VALUES_MAX } from '../base/limits.ts';
import type { AttributeValue } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { prepare } from './prepare.ts';
import { type AttributeType, type Schema, schema } from './schema.ts';
import { firstSuffix, ofSuffix } from './suffix.ts';

/** One attribute and value of an RDN. */
export interface Ava {
  /** As written: a name or an OID. */
  readonly typeText: string;
  /** Undefined when the schema does not know it. */
  readonly type: AttributeType | undefined;
  readonly value: AttributeValue;
}

export interface Rdn {
  readonly avas: readonly Ava[];
  /** Types by their published names, values in their own case, no spaces around: RFC 4514 §2. */
  readonly text: string;
  readonly normalized: string;
}

export interface Dn {
  /** The entry's own RDN first. Empty for the root DSE. */
  readonly rdns: readonly Rdn[];
  readonly text: string;
  /** Equal for equal names, and a DN itself. */
  readonly normalized: string;
  /** The normalized RDNs from the root, each ended by a comma: a subtree is a range of these. */
  readonly path: string;
}

// A change names its entry to each rule that looks at it, and its superior with the changes before and behind it.
const RECENT_MAX = 2000;
const RECENT_LENGTH = 256;
const recent = new Map<string, Dn>();
let recentOf: Schema | undefined;

/** Throws `invalidDnSyntax`. */
export function parseDn(text: string): Dn {
  if (text.length > RECENT_LENGTH) return readDn(text);
  const now = schema();
  if (recentOf !== now) recent.clear();
  recentOf = now;
  let dn = recent.get(text);
  if (dn !== undefined) return dn;
  dn = belowRecent(text) ?? readDn(text);
  if (recent.size >= RECENT_MAX) recent.clear();
  recent.set(text, dn);
  return dn;
}

/** Of a name whose superior's has been read. */
function belowRecent(text: string): Dn | undefined {
  const comma = text.indexOf(',');
  const parent = comma < 0 ? undefined : recent.get(text.slice(comma + 1));
  const own = text.slice(0, comma);
  // A comma behind a backslash is the value's.
  if (parent === undefined || parent.rdns.length === 0 || parent.rdns.length >= DN_RDNS_MAX || own.includes('\\'))
    return undefined;
  const cursor = new DnCursor(own);
  const rdn = cursor.rdn();
  // What is wrong is said of the whole name.
  return cursor.atEnd ? below(parent, rdn) : undefined;
}

function readDn(text: string): Dn {
  if (text.length > DN_LENGTH_MAX) throw directoryFailure('invalidDnSyntax', 'The DN is too long');
  const cursor = new DnCursor(text);
  const rdns: Rdn[] = [];
  cursor.spaces();
  if (!cursor.atEnd) {
    do {
      if (rdns.length >= DN_RDNS_MAX) cursor.fail(`at most ${DN_RDNS_MAX} RDNs`);
      rdns.push(cursor.rdn());
    } while (cursor.tryTake(','));
    if (!cursor.atEnd) cursor.fail('a comma');
  }
  return readable(rdns.length, dnOf(rdns));
}

/** The one RDN of a new name. Throws `invalidDnSyntax`. */
export function parseRdn(text: string): Rdn {
  if (text.length > DN_LENGTH_MAX) throw directoryFailure('invalidDnSyntax', 'The RDN is too long');
  const cursor = new DnCursor(text);
  const rdn = cursor.rdn();
  if (!cursor.atEnd) cursor.fail('the end of the RDN');
  return rdn;
}

function dnOf(rdns: readonly Rdn[]): Dn {
  const normalized = rdns.map((rdn) => rdn.normalized);
  return {
    rdns,
    text: rdns.map((rdn) => rdn.text).join(','),
    normalized: normalized.join(','),
    path: normalized.reduceRight((path, rdn) => `${path}${rdn},`, ''),
  };
}

/** The text in which equal DNs are equal. Throws `invalidDnSyntax`. */
export function normalizeDn(text: string): string {
  return parseDn(text).normalized;
}

/** Undefined when nothing stands above: one RDN, or the root DSE. */
export function parentOf({ rdns, text, normalized, path }: Dn): Dn | undefined {
  const [own] = rdns;
  if (own === undefined || rdns.length < 2) return undefined;
  return {
    rdns: rdns.slice(1),
    text: text.slice(own.text.length + 1),
    normalized: normalized.slice(own.normalized.length + 1),
    path: path.slice(0, -own.normalized.length - 1),
  };
}

/** Throws `invalidDnSyntax` for a name that could not be read again. */
export function childOf(parent: Dn, rdn: Rdn): Dn {
  const child = parent.rdns.length === 0 ? dnOf([rdn]) : below(parent, rdn);
  return readable(child.rdns.length, child);
}

/** `parent` has a name of its own. */
function below(parent: Dn, rdn: Rdn): Dn {
  return { rdns: [rdn, ...parent.rdns], ...textsBelow(parent, rdn) };
}

/** An RDN of which no more is asked than how it is written. */
export type OwnName = Pick<Rdn, 'text' | 'normalized'>;

/** As childOf, of an RDN that has been read before. `parent` has a name of its own. */
export function nameBelow(parent: Dn, own: OwnName): Omit<Dn, 'rdns'> {
  return readable(parent.rdns.length + 1, textsBelow(parent, own));
}

function textsBelow(parent: Dn, own: OwnName): Omit<Dn, 'rdns'> {
  return {
    text: `${own.text},${parent.text}`,
    normalized: `${own.normalized},${parent.normalized}`,
    path: `${parent.path}${own.normalized},`,
  };
}

/** Escapes and letters in another case may make it longer than it came. */
function readable<T extends Pick<Dn, 'text' | 'normalized'>>(rdns: number, name: T): T {
  if (rdns > DN_RDNS_MAX || Math.max(name.text.length, name.normalized.length) > DN_LENGTH_MAX)
    throw directoryFailure('invalidDnSyntax', 'The DN is too long');
  return name;
}

/** Anywhere below, not the same. */
function isBelow(dn: Dn, ancestor: Dn): boolean {
  return dn.path.length > ancestor.path.length && dn.path.startsWith(ancestor.path);
}

export function isAtOrBelow(dn: Dn, ancestor: Dn): boolean {
  return dn.path.startsWith(ancestor.path);
}

/** The normalized DN that has this path. */
export function normalizedOfPath(path: string): string {
  // A comma inside a value is escaped by its number, so each comma here is a border.
  return path.slice(0, -1).split(',').reverse().join(',');
}

/** The path of this normalized DN. */
export function pathOfNormalized(dn: string): string {
  return `${dn.split(',').reverse().join(',')},`;
}

/** The first suffix, read once. */
export const suffixDn = ofSuffix(parseDn);

/** The domain whose DC node this is, in lower case: undefined for any other DN, also for the suffix. */
export function domainOfDcDn(dn: string | Dn, suffix: string | Dn = suffixDn()): string | undefined {
  const labels = dcLabelsOf(dn, suffix);
  if (labels === undefined || labels.some((label) => label === '' || label.includes('.'))) return undefined;
  return labels.join('.');
}

/** The values of `dc` of a node of the DC tree, in lower case, its own first, whether they are labels of a name or not. */
export function dcLabelsOf(dn: string | Dn, suffix: string | Dn = suffixDn()): readonly string[] | undefined {
  const node = typeof dn === 'string' ? parseDn(dn) : dn;
  const base = typeof suffix === 'string' ? parseDn(suffix) : suffix;
  if (!isBelow(node, base)) return undefined;
  const labels: string[] = [];
  for (const rdn of node.rdns.slice(0, node.rdns.length - base.rdns.length)) {
    const ava = rdn.avas[0]!;
    if (rdn.avas.length > 1 || ava.type?.key !== 'dc' || typeof ava.value !== 'string') return undefined;
    labels.push(asciiLower(ava.value));
  }
  return labels;
}

/** The DC node of a domain name. The name is not checked: any text becomes values, never syntax. */
export function dcDnOfDomain(domain: string, suffix = firstSuffix()): string {
  const labels = domain.split('.').map((label) => `dc=${escapeDnValue(label)}`);
  return [...labels, suffix].join(',');
}

/** Characters that need no escape anywhere in a value. */
const PLAIN = new Uint8Array(ALNUM);
for (const c of '-._@') PLAIN[c.charCodeAt(0)] = 1;

/** A value with the escapes that a DN needs. RFC 4514 §2.4 */
export function escapeDnValue(value: string): string {
  if (isAll(value, PLAIN)) return value;
  let text = value.replace(/[",+;<>\\]/g, '\\$&').replaceAll('\0', '\\00');
  if (text.endsWith(' ')) text = `${text.slice(0, -1)}\\ `;
  return text.startsWith(' ') || text.startsWith('#') ? `\\${text}` : text;
}

const KEY_CHARACTERS = new Uint8Array(ALNUM);
KEY_CHARACTERS['-'.charCodeAt(0)] = 1;
const HEX = characterClass([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
const OID_CHARACTERS = characterClass([0x30, 0x39], '.');
/** What follows a backslash as itself. RFC 4514 §3 */
const ESCAPABLE = characterClass(' "#+,;<=>\\');
/** Characters that must be escaped in a value. */
const SPECIAL = characterClass('"+,;<>\\\0');

class DnCursor extends Cursor {
  override fail(expected: string): never {
    throw directoryFailure('invalidDnSyntax', `Invalid DN: expected ${expected} at position ${this.at + 1}`);
  }

  spaces(): void {
    while (this.peek() === 0x20) this.at++;
  }

  rdn(): Rdn {
    this.spaces();
    const start = this.at;
    const avas = [this.ava()];
    while (this.tryTake('+')) {
      if (avas.length >= RDN_VALUES_MAX) this.fail(`at most ${RDN_VALUES_MAX} values in an RDN`);
      this.spaces();
      avas.push(this.ava());
    }
    const raw = this.text.slice(start, this.at);
    if (avas.length === 1) return { avas, text: textOf(avas[0]!, raw), normalized: normalizedAva(avas[0]!) };
    return { avas, text: avas.map(avaText).join('+'), normalized: avas.map(normalizedAva).sort().join('+') };
  }

  ava(): Ava {
    const typeText = this.attributeType();
    this.spaces();
    this.take('=');
    this.spaces();
    const value = this.tryTake('#') ? this.hexValue() : this.stringValue();
    this.spaces();
    return { typeText, type: schema().attributeType(typeText), value };
  }

  attributeType(): string {
    const first = this.peek();
    if (first >= 0 && first < 256 && ALPHA[first] === 1) return this.run(KEY_CHARACTERS);
    if (first < 0 || first > 255 || DIGIT[first] === 0) this.fail('an attribute type');
    const oid = this.run(OID_CHARACTERS);
    if (oid.endsWith('.') || oid.includes('..') || !oid.includes('.')) this.fail('an OID');
    return oid;
  }

  /** RFC 4514 §2.4: the BER of the value. Only strings of octets and characters are read. */
  hexValue(): AttributeValue {
    const digits = this.run(HEX);
    if (digits.length < 4 || digits.length % 2 === 1) this.fail('pairs of hex digits');
    return valueOfOctets(stringOfBer(Buffer.from(digits, 'hex')) ?? this.fail('the BER of a string'));
  }

  stringValue(): AttributeValue {
    let text = '';
    let hasOctets = false;
    let lastEscaped = 0;
    const octets: Buffer[] = [];
    for (;;) {
      const code = this.peek();
      if (code < 0 || code === 0x2c || code === 0x2b) break;
      if (code !== 0x5c) {
        if (code < 256 && SPECIAL[code] === 1) this.fail('an escaped character');
        text += this.text[this.at++];
        continue;
      }
      this.at++;
      const escaped = this.peek();
      if (escaped >= 0 && escaped < 256 && ESCAPABLE[escaped] === 1) {
        text += this.text[this.at++];
      } else {
        const pair = this.run(HEX, 2);
        if (pair.length < 2) this.fail('an escaped character');
        hasOctets = true;
        octets.push(Buffer.from(text, 'utf8'), Buffer.from(pair, 'hex'));
        text = '';
      }
      lastEscaped = text.length;
    }
    // Spaces before the separator are not the value's, unless escaped.
    let end = text.length;
    while (end > lastEscaped && text.charCodeAt(end - 1) === 0x20) end--;
    text = text.slice(0, end);
    if (!hasOctets) return text;
    octets.push(Buffer.from(text, 'utf8'));
    return valueOfOctets(Buffer.concat(octets));
  }
}

function valueOfOctets(octets: Buffer): AttributeValue {
  return isUtf8(octets) ? octets.toString('utf8') : new Uint8Array(octets);
}

/** The contents of a primitive OCTET STRING, UTF8String, NumericString, PrintableString, T61String or IA5String. */
const STRING_TAGS: readonly number[] = [0x04, 0x0c, 0x12, 0x13, 0x14, 0x16];

function stringOfBer(ber: Buffer): Buffer | undefined {
  if (!STRING_TAGS.includes(ber[0]!)) return undefined;
  let length = ber[1]!;
  let at = 2;
  if (length >= 0x80) {
    const octets = length & 0x7f;
    if (octets === 0 || octets > 3 || at + octets > ber.length) return undefined;
    length = ber.readUIntBE(at, octets);
    at += octets;
  }
  return at + length === ber.length ? ber.subarray(at) : undefined;
}

/** Nearly all are written as they should be: without spaces around and without escapes the lengths are the same. */
function textOf(ava: Ava, raw: string): string {
  const isWritten = ava.typeText === ava.type?.name && raw.length === ava.typeText.length + 1 + ava.value.length;
  return isWritten ? raw : avaText(ava);
}

function avaText({ typeText, type, value }: Ava): string {
  return `${type?.name ?? typeText}=${typeof value === 'string' ? escapeDnValue(value) : hexOctets(value)}`;
}

function normalizedAva(ava: Ava): string {
  const name = ava.type?.key ?? asciiLower(ava.typeText);
  const prepared = normalizedValue(ava);
  if (prepared === undefined) return `${name}=${hexOctets(ava.value)}`;
  return `${name}=${escapeByNumber(prepared)}`;
}

/** Undefined for a value that its type's rule cannot compare: then its octets are the name. */
function normalizedValue({ type, value }: Ava): string | undefined {
  if (typeof value !== 'string') return undefined;
  const rule = type === undefined ? 'caseIgnoreMatch' : type.equality;
  if (rule === undefined || rule === 'octetStringMatch' || rule === 'octetStringOrderingMatch') return undefined;
  // A name within a name is compared as text: names that differ only in spelling stay different there.
  if (rule === 'distinguishedNameMatch' || rule === 'uniqueMemberMatch') return prepare('caseIgnoreMatch', value);
  return prepare(rule, value);
}

function hexOctets(value: AttributeValue): string {
  const octets = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
  let text = '';
  for (const octet of octets) text += `\\${octet.toString(16).padStart(2, '0')}`;
  return text;
}

/** Specials by their numbers, so that a comma in a normalized DN is always a border. */
function escapeByNumber(text: string): string {
  const escaped = text.replace(
    /["+,;<>\\=\u0000-\u001f\u007f]/g,
    (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  if (escaped.startsWith('#')) return `\\23${escaped.slice(1)}`;
  return escaped;
}
