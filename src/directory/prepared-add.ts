// An add of which all is known that its schema decides, before it comes to the writer: the entry's rows, but for its place.
//
// In      the name and the attributes of an add
// Out     texts as the rows hold them; then, in a transaction, the rows below a superior
// Limits  as in apply-change.ts
// Never   looks at the tables while it prepares: any thread does it; writes where an entry of this name or UUID is there already
// It holds for the schema that it was made by (PreparedAdd.schema), and for entries whose attributes are all in them: none has members.

import { randomUUIDv7 } from 'node:crypto';
import { idOf, type Revision } from '../base/ids.ts';
import { ENTRY_LENGTH_MAX } from '../base/limits.ts';
import { TENANT } from '../base/tenant.ts';
import { insertRows, type Transaction } from '../database/operation.ts';
import { changeJson, writeChange } from './change-log.ts';
import { checkEntry } from './check-entry.ts';
import { type Dn, nameBelow, type OwnName, parseDn, type Rdn } from './dn.ts';
import { Draft, writableDescription } from './draft.ts';
import { attributesOfJson, attributesToJson } from './entries.ts';
import type { Attribute, Attributes, Entry } from './entry.ts';
import { directoryFailure } from './failure.ts';
import { indexKeyOf } from './indexes.ts';
import { schema } from './schema.ts';

/** It crosses the threads. */
export interface PreparedAdd {
  /** Schema.revision. */
  readonly schema: number;
  /** Normalized DN of the superior. */
  readonly above: string;
  readonly own: OwnName;
  /** JSON of dit. */
  readonly attributes: string;
  /** JSON of dit_change. */
  readonly change: string;
  /** Rows of dit_index: attribute, value, attribute, value. */
  readonly index: readonly string[];
}

/** What an entry has beside its contents. */
interface PlacedAs {
  readonly uuid: string | undefined;
  readonly author: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly modifiedAt: number;
  /** Of the change log. */
  readonly now: number;
}

/** The attributes of an add, its name's values among them. */
export function draftOf(attributes: readonly Attribute[], rdn: Rdn): Draft {
  const draft = new Draft(new Map());
  for (const { name, values } of attributes) draft.add(name, values);
  addNamingValues(draft, rdn);
  draft.finish();
  return draft;
}

/** RFC 4511 §4.7: the name's values are the entry's, whether the client lists them or not. */
function addNamingValues(draft: Draft, rdn: Rdn): void {
  for (const { typeText, value } of namingValues(rdn)) {
    const description = writableDescription(typeText);
    if (draft.has(description, value)) continue;
    if (description.type.singleValued && draft.hasValues(description)) {
      throw directoryFailure('namingViolation', `The entry has another ${typeText} than its name`);
    }
    draft.add(typeText, [value]);
  }
}

/** The values that a name gives to its entry; a name has each attribute once. RFC 4512 §2.3.1 */
export function namingValues(rdn: Rdn): Rdn['avas'] {
  const keys = new Set<string>();
  for (const { typeText } of rdn.avas) {
    const { key, type } = writableDescription(typeText);
    if (keys.has(key)) throw directoryFailure('namingViolation', `The name has ${typeText} twice`);
    // Names are shown to everybody and logged.
    if (type.isSecret || type.isKeptInRows)
      throw directoryFailure('namingViolation', `${typeText} cannot be in a name`);
    keys.add(key);
  }
  return rdn.avas;
}

/** As the row of the entry has them. */
export function boundedAttributes(attributes: Attributes): string {
  const json = attributesToJson(attributes);
  if (json.length > ENTRY_LENGTH_MAX) throw directoryFailure('adminLimitExceeded', 'The entry is too large');
  return json;
}

/**
 * Undefined where `mayBe` is not of these attributes, or one of them has its values in rows of their own. Throws what the change
 * itself would be refused for, but for what stands above it. `dn` has a superior.
 */
export function prepareAdd(
  dn: Dn,
  given: readonly Attribute[],
  mayBe: (attributes: Attributes) => boolean,
): PreparedAdd | undefined {
  const draft = draftOf(given, dn.rdns[0]!);
  const attributes = draft.attributes();
  if (draft.memberCounts().size > 0 || !mayBe(attributes)) return undefined;
  const differences = draft.differences();
  checkEntry({ before: undefined, after: { attributes }, differences });
  const { text, normalized } = dn.rdns[0]!;
  const index: string[] = [];
  for (const { description, added } of differences)
    for (const value of added) index.push(...(indexKeyOf(description.type, value) ?? []));
  return {
    schema: schema().revision,
    above: dn.normalized.slice(normalized.length + 1),
    own: { text, normalized },
    attributes: boundedAttributes(attributes),
    change: changeJson(differences),
    index,
  };
}

/** The entry as it will be, with the next revision's number. */
export function preparedEntry(
  { revision }: Transaction,
  prepared: PreparedAdd,
  parent: Entry,
  { uuid, author, createdAt, modifiedAt }: PlacedAs,
): Entry {
  const next = idOf<Revision>(revision + 1);
  const { text, normalized } = nameBelow(parseDn(parent.dn), prepared.own);
  return {
    id: next,
    parent: parent.id,
    dn: text,
    normalizedDn: normalized,
    // In order of time, so that new rows stand together in the indexes by UUID: RFC 9562 §5.7
    uuid: uuid ?? randomUUIDv7(),
    revision: next,
    attributes: attributesOfJson(prepared.attributes),
    createdAt,
    modifiedAt,
    ...(author === '' ? {} : { createdBy: author, modifiedBy: author }),
  };
}

const COLUMNS =
  'INTO dit (id, tenant, parent, path, dn, uuid, revision, generated, created_at, created_by, modified_at, ' +
  'modified_by, attributes, member_counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
const INSERT = { always: `INSERT ${COLUMNS}`, whereFree: `INSERT OR IGNORE ${COLUMNS}` };

/** Rows: 0 where `whereFree` finds an entry of this name or UUID. */
export function insertEntry(
  tx: Transaction,
  entry: Entry,
  {
    path,
    attributes,
    memberCounts,
  }: { readonly path: string; readonly attributes: string; readonly memberCounts: string },
  where: keyof typeof INSERT,
) {
  return tx.run(
    INSERT[where],
    entry.id,
    TENANT,
    entry.parent ?? null,
    path,
    entry.dn,
    entry.uuid,
    entry.revision,
    entry.generated === true ? 1 : 0,
    entry.createdAt,
    entry.createdBy ?? '',
    entry.modifiedAt,
    entry.modifiedBy ?? '',
    attributes,
    memberCounts,
  );
}

/** Entry, index and log. False, and nothing is written, where an entry of this name or UUID is there already. */
export async function placePrepared(
  tx: Transaction,
  prepared: PreparedAdd,
  entry: Entry,
  { author, now }: PlacedAs,
): Promise<boolean> {
  const { path } = nameBelow(parseDn(prepared.above), prepared.own);
  const contents = { path, attributes: prepared.attributes, memberCounts: '' };
  if ((await insertEntry(tx, entry, contents, 'whereFree')) === 0) return false;
  await tx.nextRevision();
  const { index } = prepared;
  const rows = [];
  for (let at = 0; at < index.length; at += 2) rows.push([TENANT, index[at]!, index[at + 1]!, entry.id]);
  await insertRows(tx, 'INSERT OR IGNORE INTO dit_index (tenant, attribute, value, entry)', rows);
  await writeChange(tx, { kind: 'add', revision: entry.revision, entry, change: prepared.change, author, now });
  return true;
}
