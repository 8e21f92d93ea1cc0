// A directory for tests: the suffix, and changes applied one by one through the real writer.

import { operation, type Reader } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import { type ApplyOptions, applyChange } from './apply-change.ts';
import { type Caller, checkChange } from './caller.ts';
import type { ChangedEntry, DirectoryChange } from './entry.ts';
import { migrations } from './tables.ts';

export interface TestDirectory {
  readonly reader: Reader;
  apply(change: DirectoryChange, options?: Partial<ApplyOptions>): Promise<ChangedEntry>;
  /** Attributes as `{cn: 'a', sn: ['b', 'c']}`. */
  add(dn: string, attributes: Record<string, string | readonly string[]>): Promise<ChangedEntry>;
  /** Throws where checkChange does, in a transaction of its own. */
  check(caller: Caller, change: DirectoryChange): Promise<void>;
  close(): void;
}

const apply = operation(
  'test.applyChange',
  (tx, { change, options }: { change: DirectoryChange; options: ApplyOptions }) => applyChange(tx, change, options),
);

const check = operation('test.checkChange', (tx, { caller, change }: { caller: Caller; change: DirectoryChange }) =>
  checkChange(tx, caller, change),
);

export async function openTestDirectory(): Promise<TestDirectory> {
  const { reader, writer, close } = openTestDatabase([{ name: 'directory', migrations }]);
  const directory: TestDirectory = {
    reader,
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
