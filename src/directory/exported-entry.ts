// An entry as a file for another directory has it: all that people wrote, and what says which entry it is and since when.
//
// In      an entry with its members; whether secrets go along
// Out     its attributes. Tokens and keys of the server stay here, whatever is asked
// Operational attributes are those that slapadd takes beside the entry

import type { Reader } from '../database/operation.ts';
import type { Attribute, Entry } from './entry.ts';
import { matchContext } from './match-context.ts';
import { readMemberValues, withMembers } from './member-values.ts';
import { operationalAttribute } from './operational.ts';
import { schema, typeKeyOf } from './schema.ts';

const OPERATIONAL = [
  ...['structuralobjectclass', 'entryuuid', 'creatorsname', 'createtimestamp'],
  ...['entrycsn', 'modifiersname', 'modifytimestamp'],
];
const MEMBERS = 10_000;

export function exportedAttributes(reader: Reader, entry: Entry, hasSecrets: boolean): Attribute[] {
  const context = matchContext(reader);
  const attributes = [...wholeEntry(reader, entry).attributes.values()].filter(({ name }) =>
    isExported(name, hasSecrets),
  );
  for (const key of OPERATIONAL) {
    const attribute = operationalAttribute(entry, key, context);
    if (attribute !== undefined) attributes.push(attribute);
  }
  return attributes;
}

/** Whether a file for others may have it. */
export function isExported(name: string, hasSecrets: boolean): boolean {
  const type = schema().attributeType(typeKeyOf(name));
  return type?.isMade !== true && type?.isHidden !== true && (hasSecrets || type?.isSecret !== true);
}

/** With all its members. */
export function wholeEntry(reader: Reader, entry: Entry): Entry {
  if (entry.memberCounts === undefined) return entry;
  const members = [];
  for (let page = readMemberValues(reader, entry.id, 0, MEMBERS); page.length > 0; ) {
    members.push(...page);
    page = page.length < MEMBERS ? [] : readMemberValues(reader, entry.id, page.at(-1)!.id, MEMBERS);
  }
  return withMembers(entry, members);
}
