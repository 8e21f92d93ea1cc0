// directory access: each right of a caller on an entry, and the rule that decides it.

import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { type ExplainedRight, explainAccess } from '../directory/access/explain.ts';
import { ANONYMOUS, type Caller, callerOf } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { adminOperation } from './operation.ts';

const dn = z.string().min(1).max(4096);
const NOBODY = 'anonymous';

export interface ShownRight {
  readonly allowed: boolean;
  readonly rule: { readonly dn: string; readonly name: string } | null;
  /** For some values the answer is another. */
  readonly someValues?: true;
}

type Rights = Readonly<Record<string, ShownRight>>;

export interface DirectoryAccess {
  readonly as: string;
  readonly on: string;
  readonly entry: Rights;
  readonly attributes: Readonly<Record<string, Rights>>;
}

/** `as` is a DN, or `anonymous`. */
export const directoryAccess = ({ reader }: { readonly reader: Reader }) =>
  adminOperation(
    'directory.access',
    z.strictObject({ as: dn, on: dn }),
    (input): DirectoryAccess =>
      reader.snapshot(() => {
        const on = named(reader, input.on);
        const as = input.as === NOBODY ? undefined : named(reader, input.as);
        const caller: Caller = as === undefined ? ANONYMOUS : callerOf(as);
        const { entry, attributes } = explainAccess(reader, caller, on);
        return {
          as: as?.dn ?? NOBODY,
          on: on.dn,
          entry: shown(entry),
          attributes: Object.fromEntries([...attributes].map(([name, rights]) => [name, shown(rights)])),
        };
      }),
  );

function named(reader: Reader, name: string): Entry {
  const entry = findEntry(reader, name);
  if (entry === undefined) throw new Failure('not-found', `there is no entry ${name}`);
  return entry;
}

function shown(rights: ReadonlyMap<string, ExplainedRight>): Rights {
  return Object.fromEntries([...rights].map(([right, { rule = null, ...rest }]) => [right, { ...rest, rule }]));
}
