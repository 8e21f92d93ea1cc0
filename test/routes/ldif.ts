// LDIF as far as the goldens need it: adds, and changes with changetype. RFC 2849

import type { Attribute, DirectoryChange, Modification } from '../../src/directory/entry.ts';

type Line = readonly [name: string, value: string];

/** The records in order. Throws for what is none of add, delete, modify, modrdn. */
export function parseLdif(text: string): DirectoryChange[] {
  const unfolded = text.replaceAll('\r\n', '\n').replaceAll('\n ', '');
  return unfolded
    .split(/\n{2,}/)
    .map((block) => block.split('\n').filter((line) => line !== '' && !line.startsWith('#')))
    .filter((lines) => lines.length > 0)
    .map((lines) => parseRecord(lines.map(parseLine)));
}

function parseLine(line: string): Line {
  if (line === '-') return ['-', ''];
  const colon = line.indexOf(':');
  if (colon < 1) throw new Error(`not a line of LDIF: ${line}`);
  const name = line.slice(0, colon);
  const rest = line.slice(colon + 1);
  if (rest.startsWith(':')) return [name, Buffer.from(rest.slice(1).trim(), 'base64').toString('utf8')];
  return [name, rest.trimStart()];
}

function parseRecord([first, ...lines]: Line[]): DirectoryChange {
  const [dnName, dn] = first!;
  if (dnName !== 'dn') throw new Error(`a record begins with dn, not ${dnName}`);
  const [next] = lines;
  const type = next?.[0] === 'changetype' ? next[1] : 'add';
  const rest = next?.[0] === 'changetype' ? lines.slice(1) : lines;
  switch (type) {
    case 'add':
      return { kind: 'add', dn, attributes: gather(rest) };
    case 'delete':
      return { kind: 'delete', dn };
    case 'modify':
      return { kind: 'modify', dn, modifications: modifications(rest) };
    case 'modrdn': {
      const value = (name: string): string | undefined => rest.find(([key]) => key === name)?.[1];
      const deleteOldRdn = value('deleteoldrdn') === '1';
      return { kind: 'rename', dn, newRdn: value('newrdn')!, deleteOldRdn, newSuperior: value('newsuperior') };
    }
    default:
      throw new Error(`changetype ${type}`);
  }
}

function gather(lines: readonly Line[]): Attribute[] {
  const values = new Map<string, string[]>();
  for (const [name, value] of lines) values.set(name, [...(values.get(name) ?? []), value]);
  return [...values].map(([name, list]) => ({ name, values: list }));
}

function modifications(lines: readonly Line[]): Modification[] {
  const made: Modification[] = [];
  for (let at = 0; at < lines.length; ) {
    const [operation, attribute] = lines[at++]!;
    const values: string[] = [];
    while (at < lines.length && lines[at]![0] !== '-') values.push(lines[at++]![1]);
    at++;
    made.push({ operation: operation as Modification['operation'], attribute, values });
  }
  return made;
}
