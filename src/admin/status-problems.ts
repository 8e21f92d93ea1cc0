// What an operator should know of the whole server: one line a kind of problem, found at each request.

import type { Reader } from '../database/operation.ts';
import { addressProblems } from '../zones/describe.ts';
import { zoneNames } from '../zones/names.ts';
import { waitingServers } from '../zones/outbox.ts';
import type { ZoneParts } from '../zones/records.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { domainsElsewhere, domainsInConflict, type WatchedDomains } from '../zones/watch.ts';

/** Domains that are named. */
const NAMED_MAX = 10;

interface ProblemParts extends ZoneParts {
  readonly reader: Reader;
}

type ProblemKind = (parts: ProblemParts) => readonly string[];

const kinds: readonly ProblemKind[] = [
  addressProblems,
  ({ reader }) =>
    domainsText(
      domainsInConflict(reader, NAMED_MAX),
      'have records that others have written: waypost dns publish DOMAIN --force replaces them',
    ),
  ({ reader }) => domainsText(domainsElsewhere(reader, NAMED_MAX), 'have an MX that names only others'),
  ({ reader, settings }) => {
    const known = new Set(settings.nameServers.filter(({ role }) => role === 'primary').map(({ key }) => key));
    return waitingServers(reader)
      .filter((server) => server !== '' && !known.has(server))
      .map((server) => `domains wait for the primary ${server}, which has no entry any more`);
  },
];

/** A sentence each. */
export function statusProblems(reader: Reader, site: ZoneSite): readonly string[] {
  const parts = { reader, names: zoneNames(reader), settings: readZoneSettings(reader, site) };
  return kinds.flatMap((kind) => kind(parts));
}

function domainsText({ count, domains }: WatchedDomains, what: string): readonly string[] {
  if (count === 0) return [];
  const more = count > domains.length ? ' and others' : '';
  return [`${count} domains ${what} (${domains.join(', ')}${more})`];
}
