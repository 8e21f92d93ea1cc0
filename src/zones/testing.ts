// Names of mail domains for tests, without a directory.

import { operation } from '../database/operation.ts';
import type { CompiledDomain } from './compile.ts';
import { noteDomainChange } from './names.ts';
import type { NameSource, ZoneName } from './records.ts';

/** What the entry of a domain gives to DNS. */
export function compiledDomain(name: string): CompiledDomain {
  return { name, row: { mxPreference: 10 } };
}

/** A domain entry is added, removed or renamed; gives the revision. */
export const changeDomain = operation(
  'test.changeDomain',
  async (tx, names: { readonly before?: string; readonly after?: string }): Promise<number> => {
    const [before, after] = [names.before, names.after].map((name) =>
      name === undefined ? name : compiledDomain(name),
    );
    const revision = await tx.nextRevision();
    await noteDomainChange(tx, { before, after, revision });
    return revision;
  },
);

/** Domains that were added at this revision. Lists nothing. */
export function namesOf(domains: readonly string[], revision: number): NameSource {
  const find = (name: string): ZoneName | undefined => {
    const isDomain = domains.includes(name);
    const hasBelow = domains.some((domain) => domain.endsWith(`.${name}`));
    if (!isDomain && !hasBelow) return undefined;
    return {
      name,
      domain: isDomain ? compiledDomain(name).row : undefined,
      hasBelow,
      changedAt: isDomain ? revision : 0,
      changedBelowAt: hasBelow ? revision : 0,
    };
  };
  return { find, list: () => [] };
}
