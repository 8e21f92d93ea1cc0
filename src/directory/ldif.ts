// LDIF: entries to add, and changes, as text. RFC 2849
//
// In      a whole text; records without `changetype` are entries to add
// Out     changes in order
// Limits  RECORDS_MAX records; a value by URL (`:<`) is not read: what a text says must not name files of this host
// Errors  `syntax` with the line

import { Failure } from '../base/failure.ts';
import type { Attribute, AttributeValue, DirectoryChange, Modification } from './entry.ts';

interface Line {
  readonly name: string;
  readonly value: AttributeValue;
  /** In the text, from 1. */
  readonly at: number;
}

/** Throws `too-large` for more records than `recordsMax`. */
export function parseLdif(text: string, recordsMax: number): DirectoryChange[] {
  const changes: DirectoryChange[] = [];
  let record: Line[] = [];
  const end = (): void => {
    if (record.length === 0) return;
    if (changes.length === recordsMax) throw new Failure('too-large', `more than ${recordsMax} changes`);
    changes.push(changeOf(record));
    record = [];
  };
  for (const { line, at } of unfolded(text)) {
    if (line === '') end();
    else if (!line.startsWith('#') && !(at === 1 && /^version:/i.test(line))) record.push(parseLine(line, at));
  }
  end();
  return changes;
}

/** Lines with their continuations. */
function* unfolded(text: string): Generator<{ readonly line: string; readonly at: number }> {
  let line: string | undefined;
  let from = 1;
  let at = 0;
  for (const raw of text.split('\n')) {
    at++;
    const own = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (own.startsWith(' ') && line !== undefined && line !== '') line += own.slice(1);
    else {
      if (line !== undefined) yield { line, at: from };
      line = own;
      from = at;
    }
  }
  if (line !== undefined) yield { line, at: from };
}

function parseLine(line: string, at: number): Line {
  if (line === '-') return { name: '-', value: '', at };
  const colon = line.indexOf(':');
  if (colon < 1) throw wrong(at, 'a name and a colon are expected');
  const name = line.slice(0, colon);
  const rest = line.slice(colon + 1);
  if (rest.startsWith('<')) throw wrong(at, 'a value from a URL is not read');
  if (!rest.startsWith(':')) return { name, value: rest.replace(/^ +/, ''), at };
  return { name, value: decoded(rest.slice(1).trim(), at), at };
}

/** Text where the octets are UTF-8, as a client's would be. */
function decoded(base64: string, at: number): AttributeValue {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw wrong(at, 'this is not base64');
  const octets = new Uint8Array(Buffer.from(base64, 'base64'));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    return octets;
  }
}

function changeOf([first, ...lines]: readonly Line[]): DirectoryChange {
  if (first!.name.toLowerCase() !== 'dn') throw wrong(first!.at, 'a record begins with dn');
  const dn = textOf(first!);
  while (lines[0]?.name.toLowerCase() === 'control') lines.shift();
  const next = lines[0];
  if (next?.name.toLowerCase() !== 'changetype') return { kind: 'add', dn, attributes: attributesOf(lines, first!.at) };
  const rest = lines.slice(1);
  switch (textOf(next).toLowerCase()) {
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

function attributesOf(lines: readonly Line[], at: number): Attribute[] {
  if (lines.length === 0) throw wrong(at, 'an entry has attributes');
  const values = new Map<string, AttributeValue[]>();
  for (const { name, value } of lines) {
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
    const operation = head.name.toLowerCase();
    if (!OPERATIONS.includes(operation)) throw wrong(head.at, 'add, delete, replace or increment is expected');
    const attribute = textOf(head);
    const values: AttributeValue[] = [];
    for (next++; next < lines.length && lines[next]!.name !== '-'; next++) {
      if (lines[next]!.name.toLowerCase() !== attribute.toLowerCase())
        throw wrong(lines[next]!.at, `a value of ${attribute}, or -, is expected`);
      values.push(lines[next]!.value);
    }
    made.push({ operation: operation as Modification['operation'], attribute, values });
  }
  return made;
}

function renameOf(lines: readonly Line[], at: number) {
  const value = (name: string): string | undefined => {
    const line = lines.find((each) => each.name.toLowerCase() === name);
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
