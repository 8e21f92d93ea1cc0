// An entry as it stood at a past revision: today's, with the changes since then undone by the change log.
//
// In      an entry's UUID, a revision that the log reaches
// Out     its name and attributes then; undefined where there was none. Passwords are as they are now: the log has none of them.
//         Members of a list are not among them: see membersAt
// Limits  MEMBERS_MAX members of a list are brought back

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { changesBefore, changesOf, type LoggedChange } from './change-log.ts';
import { normalizeDn } from './dn.ts';
import { entryByUuid } from './entries.ts';
import type { Attribute, AttributeValue, Entry } from './entry.ts';
import { type MemberValue, readMemberValues } from './member-values.ts';
import { schema } from './schema.ts';

const MEMBERS_MAX = 1_000_000;
const PAGE = 10_000;

export function entryAt(reader: Reader, uuid: string, revision: Revision): Entry | undefined {
  let entry = entryByUuid(reader, uuid);
  for (const change of changesOf(reader, uuid, revision)) entry = undone(entry, uuid, change);
  return entry;
}

/** The same, some changes at a time: there may be a million of one entry. What is changed meanwhile does not count. */
export class WayBack {
  readonly uuid: string;
  readonly #reader: Reader;
  readonly #revision: Revision;
  #entry: Entry | undefined;
  /** What has been undone. */
  #from = Number.MAX_SAFE_INTEGER;
  #isThere = false;

  constructor(reader: Reader, uuid: string, revision: Revision) {
    this.#reader = reader;
    this.uuid = uuid;
    this.#revision = revision;
    this.#entry = entryByUuid(reader, uuid);
  }

  /** Undoes `count` changes at most, and gives how many. */
  undo(count: number): number {
    const { uuid } = this;
    const changes = changesBefore(this.#reader, { uuid, after: this.#revision, before: this.#from }, count);
    for (const change of changes) this.#entry = undone(this.#entry, uuid, change);
    this.#from = changes.at(-1)?.revision ?? this.#from;
    this.#isThere = changes.length < count;
    return changes.length;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** The entry as it stood then, once the way is gone. */
  get entry(): Entry | undefined {
    return this.#entry;
  }
}

/** `change` is the last one that the entry has gone through. */
function undone(entry: Entry | undefined, uuid: string, change: LoggedChange): Entry | undefined {
  if (change.kind === 'add') return undefined;
  const attributes = new Map<string, Attribute>(entry?.attributes);
  for (const { name, removed, added } of change.attributes) {
    const known = schema().description(name);
    if (known?.type.isKeptInRows === true) continue;
    // Of a mirrored entry also types that the schema does not have.
    const description = known ?? { key: asciiLower(name), name };
    const left = (attributes.get(description.key)?.values ?? []).filter((value) => !holds(added, value));
    const values = [...left, ...removed];
    if (values.length === 0) attributes.delete(description.key);
    else attributes.set(description.key, { name: description.name, values });
  }
  const known = entry ?? { id: 0, parent: 0, uuid, revision: change.revision, createdAt: 0, modifiedAt: 0 };
  return { ...known, dn: change.dn, normalizedDn: normalizeDn(change.dn), attributes };
}

/** In the order in which they were given. */
export function membersAt(reader: Reader, list: Pick<Entry, 'id' | 'uuid'>, revision: Revision): MemberValue[] {
  const members = new Map<string, MemberValue>();
  for (let page: MemberValue[] = []; ; ) {
    page = readMemberValues(reader, list.id, page.at(-1)?.id ?? 0, PAGE);
    for (const member of page) members.set(keyOf(member), member);
    if (page.length < PAGE) break;
    if (members.size > MEMBERS_MAX) throw new Failure('too-large', 'The list has too many members to be brought back');
  }
  for (const { attributes } of changesOf(reader, list.uuid, revision))
    for (const { name, removed, added, places } of attributes) {
      const type = schema().description(name)?.type;
      if (type?.isKeptInRows !== true) continue;
      const attribute = type.key as MemberValue['attribute'];
      for (const value of added) members.delete(keyOf({ attribute, value: String(value) }));
      for (const [index, value] of removed.entries()) {
        const member = { id: places[index] ?? 0, attribute, value: String(value) };
        members.set(keyOf(member), member);
      }
    }
  // Pages begin behind a place: the first one is 0.
  return [...members.values()].sort((a, b) => a.id - b.id).map((member, index) => ({ ...member, id: index + 1 }));
}

function keyOf({ attribute, value }: Omit<MemberValue, 'id'>): string {
  return `${attribute} ${value}`;
}

function holds(values: readonly AttributeValue[], value: AttributeValue): boolean {
  return values.some((other) =>
    typeof other === 'string' || typeof value === 'string' ? other === value : Buffer.compare(other, value) === 0,
  );
}
