// LDIF: entries to add, and changes, as text. RFC 2849
//
// In      octets in pieces of any size, or a whole text; records without `changetype` are entries to add
// Out     records in order, each with the line at which it begins; a record as a change
// Limits  RECORD_BYTES a record, LDAP_CONTROLS_MAX controls before a change; a value by URL (`:<`) is not read: what a text says
//         must not name files of this host
// Errors  `syntax` with the line; `too-large`
// The writing end: ldif-text.ts

import { isUtf8 } from 'node:buffer';
import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { LDAP_CONTROLS_MAX } from '../base/limits.ts';
import type { Attribute, AttributeValue, DirectoryChange, Modification } from './entry.ts';

/** As it stands in the text. */
export interface LdifRecord {
  /** Its first line, from 1. */
  readonly line: number;
  readonly octets: Buffer;
}

/** An operation of the administrator takes 16 MiB of JSON. */
const RECORD_BYTES = 12 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const LETTER_D = 0x64;

/** Finds where records end: at a line without anything on it. */
export class LdifSplitter {
  /** The number of the line under way, and of the record's first one. */
  #line = 1;
  #begun = 1;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Octets of the line under way, and the last of them. */
  #ofLine = 0;
  #last = 0;

  *push(octets: Buffer): Generator<LdifRecord> {
    let from = 0;
    let at = 0;
    for (let end = octets.indexOf(LF); end >= 0; end = octets.indexOf(LF, at)) {
      const length = this.#ofLine + end - at;
      const isBlank = length === 0 || (length === 1 && (end > at ? octets[at] : this.#last) === CR);
      this.#line++;
      at = end + 1;
      this.#ofLine = 0;
      if (!isBlank) continue;
      this.#take(octets.subarray(from, at));
      from = at;
      yield* this.#ended();
    }
    this.#ofLine += octets.length - at;
    if (octets.length > 0) this.#last = octets[octets.length - 1]!;
    this.#take(octets.subarray(from));
  }

  /** What stands behind the last blank line. */
  *end(): Generator<LdifRecord> {
    yield* this.#ended();
  }

  #take(octets: Buffer): void {
    this.#bytes += octets.length;
    if (this.#bytes > RECORD_BYTES)
      throw new Failure('too-large', `line ${this.#begun}: a record of more than ${RECORD_BYTES} octets`);
    if (octets.length > 0) this.#parts.push(octets);
  }

  *#ended(): Generator<LdifRecord> {
    const record = {
      line: this.#begun,
      octets: this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts),
    };
    this.#parts = [];
    this.#bytes = 0;
    this.#begun = this.#line;
    if (hasLines(record)) yield record;
  }
}

/** Anything but comments, blank lines, and the version at the beginning. */
function hasLines(record: LdifRecord): boolean {
  // Of an entry, nearly always.
  if (record.octets[0] === LETTER_D) return true;
  return linesOf(record).next().done !== true;
}

/** Throws `too-large` for more records than `recordsMax`. */
export function parseLdif(text: string, recordsMax: number): DirectoryChange[] {
  const splitter = new LdifSplitter();
  const changes: DirectoryChange[] = [];
  const take = (record: LdifRecord): void => {
    if (changes.length === recordsMax) throw new Failure('too-large', `more than ${recordsMax} changes`);
    changes.push(parseRecord(record));
  };
  for (const record of splitter.push(Buffer.from(text))) take(record);
  for (const record of splitter.end()) take(record);
  return changes;
}

interface Line {
  readonly name: string;
  readonly value: AttributeValue;
  /** In the text, from 1. */
  readonly at: number;
}

export function parseRecord(record: LdifRecord): DirectoryChange {
  const lines: Line[] = [];
  for (const { text, at } of linesOf(record)) lines.push(parseLine(text, at));
  return changeOf(lines, record.line);
}

interface LogicalLine {
  readonly text: string;
  readonly at: number;
}

/** Lines with their continuations, but comments and the version. */
function* linesOf({ octets, line: first }: LdifRecord): Generator<LogicalLine> {
  if (!isUtf8(octets)) throw notUtf8(octets, first);
  const text = octets.toString('utf8');
  let begun: LogicalLine | undefined;
  let more: string[] = [];
  let hasBegun = false;
  const whole = (): LogicalLine | undefined => {
    const line = begun === undefined || more.length === 0 ? begun : { ...begun, text: begun.text + more.join('') };
    more = [];
    if (line === undefined || line.text === '' || line.text.startsWith('#')) return undefined;
    // A record begins with its name: before that it can only be the file's.
    const isVersion = !hasBegun && asciiLower(line.text.slice(0, 8)) === 'version:';
    hasBegun = true;
    return isVersion ? undefined : line;
  };
  let at = first;
  for (let from = 0; from < text.length; at++) {
    const end = text.indexOf('\n', from);
    const stop = end < 0 ? text.length : end;
    const line = text.slice(from, stop > from && text.charCodeAt(stop - 1) === CR ? stop - 1 : stop);
    from = stop + 1;
    if (line.startsWith(' ') && begun !== undefined) {
      more.push(line.slice(1));
      continue;
    }
    const before = whole();
    if (before !== undefined) yield before;
    begun = line === '' ? undefined : { text: at === 1 && line.startsWith('\ufeff') ? line.slice(1) : line, at };
  }
  const last = whole();
  if (last !== undefined) yield last;
}

function notUtf8(octets: Buffer, first: number): Failure {
  let at = first;
  for (let from = 0; from < octets.length; at++) {
    const end = octets.indexOf(LF, from);
    const stop = end < 0 ? octets.length : end;
    if (!isUtf8(octets.subarray(from, stop))) break;
    from = stop + 1;
  }
  return wrong(at, 'this is not UTF-8');
}

function parseLine(line: string, at: number): Line {
  if (line === '-') return { name: '-', value: '', at };
  const colon = line.indexOf(':');
  if (colon < 1 || line.startsWith(' ')) throw wrong(at, 'a name and a colon are expected');
  const name = line.slice(0, colon);
  const kind = line.charCodeAt(colon + 1);
  if (kind === 0x3c) throw wrong(at, 'a value from a URL is not read');
  if (kind === 0x3a) return { name, value: decoded(line.slice(colon + 2).trim(), at), at };
  let from = colon + 1;
  while (line.charCodeAt(from) === 0x20) from++;
  return { name, value: line.slice(from), at };
}

/** Text where the octets are UTF-8, as a client's would be. */
function decoded(base64: string, at: number): AttributeValue {
  const octets = Buffer.from(base64, 'base64');
  if (octets.toString('base64') !== base64) throw wrong(at, 'this is not base64');
  return isUtf8(octets) ? octets.toString('utf8') : new Uint8Array(octets);
}

function changeOf([first, ...lines]: readonly Line[], at: number): DirectoryChange {
  if (first === undefined || asciiLower(first.name) !== 'dn') throw wrong(first?.at ?? at, 'a record begins with dn');
  const dn = textOf(first);
  const controls = controlsBefore(lines);
  const next = lines[controls];
  if (next === undefined || asciiLower(next.name) !== 'changetype')
    return { kind: 'add', dn, attributes: attributesOf(lines.slice(controls), first.at) };
  const rest = lines.slice(controls + 1);
  switch (asciiLower(textOf(next))) {
    case 'add':
      return { kind: 'add', dn, attributes: attributesOf(rest, next.at) };
    case 'delete':
      if (rest.length > 0) throw wrong(rest[0]!.at, 'nothing stands behind a deletion');
      return { kind: 'delete', dn };
    case 'modify':
      return { kind: 'modify', dn, modifications: modificationsOf(rest) };
    case 'modrdn':
    case 'moddn':
      return { kind: 'rename', dn, ...renameOf(rest, next.at) };
    default:
      throw wrong(next.at, 'changetype is add, delete, modify, modrdn or moddn');
  }
}

/** How many there are. */
function controlsBefore(lines: readonly Line[]): number {
  let count = 0;
  for (; count < lines.length && asciiLower(lines[count]!.name) === 'control'; count++) {
    if (count === LDAP_CONTROLS_MAX)
      throw wrong(lines[count]!.at, `a change has at most ${LDAP_CONTROLS_MAX} controls`);
    checkControl(lines[count]!);
  }
  return count;
}

/** One that may be left out is left out. */
function checkControl(line: Line): void {
  const [, criticality = ''] = textOf(line).split(' ');
  if (asciiLower(criticality).startsWith('true')) throw wrong(line.at, 'no control is carried out here');
}

function attributesOf(lines: readonly Line[], at: number): Attribute[] {
  if (lines.length === 0) throw wrong(at, 'an entry has attributes');
  const values = new Map<string, AttributeValue[]>();
  for (const { name, value, at: own } of lines) {
    if (name === '-') throw wrong(own, 'a name and a colon are expected');
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return [...values].map(([name, list]) => ({ name, values: list }));
}

const OPERATIONS: readonly string[] = ['add', 'delete', 'replace', 'increment'];

function modificationsOf(lines: readonly Line[]): Modification[] {
  const made: Modification[] = [];
  for (let next = 0; next < lines.length; next++) {
    const head = lines[next]!;
    const operation = asciiLower(head.name);
    if (!OPERATIONS.includes(operation)) throw wrong(head.at, 'add, delete, replace or increment is expected');
    const attribute = textOf(head);
    const values: AttributeValue[] = [];
    for (next++; next < lines.length && lines[next]!.name !== '-'; next++) {
      if (asciiLower(lines[next]!.name) !== asciiLower(attribute))
        throw wrong(lines[next]!.at, `a value of ${attribute}, or -, is expected`);
      values.push(lines[next]!.value);
    }
    made.push({ operation: operation as Modification['operation'], attribute, values });
  }
  return made;
}

function renameOf(lines: readonly Line[], at: number) {
  const value = (name: string): string | undefined => {
    const line = lines.find((each) => asciiLower(each.name) === name);
    return line && textOf(line);
  };
  const newRdn = value('newrdn');
  if (newRdn === undefined) throw wrong(at, 'newrdn is missing');
  return { newRdn, deleteOldRdn: value('deleteoldrdn') === '1', newSuperior: value('newsuperior') };
}

function textOf({ value, at }: Line): string {
  if (typeof value !== 'string') throw wrong(at, 'this is not text');
  return value;
}

function wrong(at: number, what: string): Failure {
  return new Failure('syntax', `line ${at}: ${what}`);
}
