// An entry of the provider, as its search gives it, as the one that is to stand here.
//
// In      a name and attributes, operational ones too
// Out     the entry and its revision; undefined where it does not say what it needs to. An attribute whose name is none is left out

import { asciiLower } from '../../base/characters.ts';
import type { Revision } from '../../base/ids.ts';
import { valueOfJson } from '../../base/json-extent.ts';
import { isAttributeName } from '../../directory/attribute-name.ts';
import { parseCsn } from '../../directory/csn.ts';
import type { Attribute } from '../../directory/entry.ts';
import type { MirroredEntry } from '../../directory/mirrored-change.ts';
import { type EntryFacts, OPERATIONAL_KEYS } from '../../directory/operational.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';

/** Columns of an entry, and what is computed. */
const NOT_STORED: ReadonlySet<string> = new Set([...OPERATIONAL_KEYS, 'waypostentryfacts']);

export interface ProvidedEntry {
  readonly entry: MirroredEntry;
  readonly revision: Revision;
  /** When the provider has logged that revision. */
  readonly at: number;
}

export function providedEntry({ dn, attributes }: SearchEntry, uuid: string): ProvidedEntry | undefined {
  const stored: Attribute[] = [];
  const computed = new Map<string, string>();
  for (const attribute of attributes) {
    const key = asciiLower(attribute.name);
    if (!isAttributeName(key)) continue;
    if (!NOT_STORED.has(key)) stored.push(attribute);
    else if (typeof attribute.values[0] === 'string') computed.set(key, attribute.values[0]);
  }
  const facts = factsIn(computed.get('waypostentryfacts'));
  if (facts === undefined) return undefined;
  const { revision, ...kept } = facts;
  const createdBy = computed.get('creatorsname');
  const modifiedBy = computed.get('modifiersname');
  const entry: MirroredEntry = {
    ...kept,
    ...{ dn, uuid, attributes: stored },
    ...(createdBy === undefined ? {} : { createdBy }),
    ...(modifiedBy === undefined ? {} : { modifiedBy }),
  };
  // The log's time; where the log has forgotten it, the entry's.
  const at = parseCsn(computed.get('entrycsn') ?? '')?.at ?? facts.modifiedAt;
  return { entry, revision, at };
}

function factsIn(text: string | undefined): EntryFacts | undefined {
  try {
    const facts = valueOfJson(Buffer.from(text ?? '')) as Partial<EntryFacts>;
    const numbers = [facts.id, facts.revision, facts.createdAt, facts.modifiedAt];
    return numbers.every(Number.isSafeInteger) ? (facts as EntryFacts) : undefined;
  } catch {
    return undefined;
  }
}
