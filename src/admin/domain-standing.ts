// How a domain stands: who has its zone, how far its records have come there, what brought it, what is wrong, what has happened.
//
// In      the domain's entry, its rows of the zones, of the outbox and of the watch
// Out     facts for `domain show`
// Limits  HISTORY_MAX events, the latest first, as far back as the change log goes

import type { Reader } from '../database/operation.ts';
import { type HistoryEvent, historyOf } from '../directory/change-log.ts';
import type { Entry } from '../directory/entry.ts';
import { textValue } from '../directory/entry.ts';
import { type Authority, authorityOf } from '../zones/authority.ts';
import { conflictsOf } from '../zones/conflicts.ts';
import { describeRecords } from '../zones/describe.ts';
import { zoneNames } from '../zones/names.ts';
import { waitingDomain } from '../zones/outbox.ts';
import { pathOf } from '../zones/path.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { watchOf } from '../zones/watch.ts';

const HISTORY_MAX = 100;

export interface DomainStanding {
  /** `defined`, `published` or `active`. */
  readonly state: string;
  readonly authority: Authority;
  /** Null where it is not known, in somebody else's hands. */
  readonly zone: string | null;
  /** The author's DN, `message`, `waypost`; null for an entry of before that was kept. */
  readonly origin: string | null;
  /** Of a domain that a message brought. */
  readonly evidence: unknown;
  readonly problems: readonly string[];
  readonly history: readonly DomainEvent[];
}

export interface DomainEvent {
  readonly at: string;
  readonly revision: number;
  readonly event: string;
}

/** A domain without a state is one of before there were any, or in a zone of ours. */
export function domainState(entry: Entry | undefined): string {
  return (entry && textValue(entry, 'waypostdomainstate')) ?? 'active';
}

export function standingOf(
  domain: string,
  entry: Entry,
  parts: { reader: Reader; zoneSite: ZoneSite },
): DomainStanding {
  const { reader, zoneSite } = parts;
  const zones = { names: zoneNames(reader), settings: readZoneSettings(reader, zoneSite) };
  const { authority, zone } = authorityOf(domain, zones.names, zones.settings);
  return {
    state: domainState(entry),
    authority,
    zone: zone ?? null,
    origin: textValue(entry, 'waypostdomainorigin') ?? null,
    evidence: jsonOf(textValue(entry, 'waypostdomainevidence')),
    problems: [...describeRecords(domain, zones).problems, ...publishingProblems(reader, domain)],
    history: historyOf(reader, entry.uuid, HISTORY_MAX).map((each) => ({
      at: new Date(each.at).toISOString(),
      revision: each.revision,
      event: eventText(each),
    })),
  };
}

function publishingProblems(reader: Reader, domain: string): readonly string[] {
  const path = pathOf(domain);
  const waiting = waitingDomain(reader, path);
  return [
    ...(waiting?.error == null ? [] : [`not published at ${waiting.server} yet: ${waiting.error}`]),
    ...conflictsOf(reader, path).map(
      ({ name, type, found }) => `others have written ${name}. ${type} ${found.join(', ')}: it is left as it is`,
    ),
    ...(watchOf(reader, path)?.problems ?? []),
  ];
}

function eventText({ kind, names, state }: HistoryEvent): string {
  if (kind === 'add') return 'added';
  if (kind === 'rename') return 'renamed';
  if (state !== undefined) return state;
  return names.length === 0 ? 'changed' : `changed ${names.join(', ')}`;
}

function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
