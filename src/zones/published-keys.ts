// The keys whose records a domain has.
//
// In      the site's keys and the domain's own
// Out     those that stand at `SELECTOR._domainkey` below it

import type { NameSource } from './name-source.ts';
import type { ZoneKeyRow, ZoneSettings } from './settings.ts';

interface KeySource {
  readonly names: Pick<NameSource, 'keys'>;
  readonly settings: Pick<ZoneSettings, 'keys'>;
}

/** Those whose records are published. A domain's own replace the site's, as soon as one of them is new no more. */
export function publishedKeys(domain: string, { names, settings }: KeySource): readonly ZoneKeyRow[] {
  const own = names.keys(domain);
  if (own.length === 0) return settings.keys;
  return own.some(({ state }) => state !== 'new') ? own : [...own, ...settings.keys];
}
