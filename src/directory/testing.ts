// A directory for tests: the suffix, changes applied one by one through the real writer, and what is there and in the log.

import { operation, type Reader, type Writer } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import { checkChange } from './access/check-change.ts';
import { type ApplyOptions, applyChange } from './apply-change.ts';
import type { Caller } from './caller.ts';
import type { JsonChange } from './change-log.ts';
import { decodeValues } from './entries.ts';
import type { AttributeValue, ChangedEntry, DirectoryChange, Entry } from './entry.ts';
import { followReferences } from './references.ts';
import { type EntrySearch, Search } from './search.ts';
import { directoryUnit } from './tables.ts';

export interface TestDirectory {
  readonly reader: Reader;
  readonly writer: Writer;
  /** What names an entry follows it. */
  apply(change: DirectoryChange, options?: Partial<ApplyOptions>): Promise<ChangedEntry>;
  /** Attributes as `{cn: 'a', sn: ['b', 'c']}`. */
  add(dn: string, attributes: Record<string, string | readonly string[]>): Promise<ChangedEntry>;
  /** Throws where checkChange does, in a transaction of its own. */
  check(caller: Caller, change: DirectoryChange): Promise<void>;
  close(): void;
}

const apply = operation(
  'test.applyChange',
  async (tx, { change, options }: { change: DirectoryChange; options: ApplyOptions }) => {
    const changed = await applyChange(tx, change, options);
    await followReferences(tx, [changed, ...(changed.below ?? [])], options);
    return changed;
  },
);

const check = operation('test.checkChange', (tx, { caller, change }: { caller: Caller; change: DirectoryChange }) =>
  checkChange(tx, caller, change),
);

export async function openTestDirectory(): Promise<TestDirectory> {
  const { reader, writer, close } = openTestDatabase([directoryUnit]);
  const directory: TestDirectory = {
    reader,
    writer,
    apply: (change, options = {}) => writer.execute(apply, { change, options: { author: '', now: 0, ...options } }),
    add: (dn, attributes) =>
      directory.apply(
        {
          kind: 'add',
          dn,
          attributes: Object.entries(attributes).map(([name, values]) => ({ name, values: [values].flat() })),
        },
        { isRoot: !dn.includes(',') },
      ),
    check: (caller, change) => writer.execute(check, { caller, change }),
    close,
  };
  await directory.add('o=internet', { objectClass: 'organization', o: 'internet' });
  return directory;
}

export function replaceAci(dn: string, values: readonly string[]): DirectoryChange {
  return { kind: 'modify', dn, modifications: [{ operation: 'replace', attribute: 'aci', values }] };
}

/** All entries that match, at most `limit` and a page. */
export function searchAll(reader: Reader, request: EntrySearch, limit: number): Entry[] {
  const search = new Search(reader, request);
  const found: Entry[] = [];
  while (!search.done && found.length < limit) found.push(...search.next(limit - found.length));
  return found;
}

export interface LoggedChange {
  readonly revision: number;
  readonly at: number;
  readonly kind: DirectoryChange['kind'];
  readonly uuid: string;
  /** Before the change; of an added entry, its DN. */
  readonly dn: string;
  readonly newDn: string | undefined;
  readonly author: string;
  readonly attributes: readonly {
    readonly name: string;
    readonly removed: readonly AttributeValue[];
    readonly added: readonly AttributeValue[];
  }[];
}

/** The change log after `revision`, oldest first. */
export function loggedChanges(reader: Reader, revision: number): LoggedChange[] {
  const rows = reader.arrays(
    'SELECT revision, at, kind, uuid, dn, author, change FROM dit_change WHERE revision > ? ORDER BY revision',
    revision,
  );
  return rows.map(([logged, at, kind, uuid, dn, author, json]) => {
    const { newDn, attributes } = JSON.parse(json as string) as JsonChange;
    return {
      revision: logged as number,
      at: at as number,
      kind: kind as DirectoryChange['kind'],
      uuid: uuid as string,
      dn: dn as string,
      newDn,
      author: author as string,
      attributes: attributes.map(([name, removed, added]) => ({
        name,
        removed: decodeValues(removed),
        added: decodeValues(added),
      })),
    };
  });
}
