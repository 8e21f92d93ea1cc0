// What a look at a domain is written down as: one call of the writer, and only where something has changed.
//
// In      a domain, what was wanted and what was seen of it
// Out     its entry's state `active`, the keys whose records were seen, or are gone, what was wrong; a record of ours that was taken away is
//         due again at its primary
// States  of the entry: see provisioning/domain-state.ts. What was once seen whole and is not any more was taken away; before that it
//         may not have come everywhere yet, so that for as long as is looked often nothing is due again
// Never   believes a look at records that are others by now: the watch has begun again then, and its number is another one

import type { Log } from '../base/log.ts';
import { type Operation, operation, type Reader, type Writer } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { reachState } from '../provisioning/domain-state.ts';
import type { ChangeSite } from '../provisioning/write-options.ts';
import { forgetObserved, keyObserved, noteObserved } from '../zones/keys.ts';
import { queueOutbox, waitingDomain } from '../zones/outbox.ts';
import { pathOf } from '../zones/path.ts';
import { beginWatch, endWatch, noteLook, WATCH_OFTEN_MS, type Watch, watchIn, watchOf } from '../zones/watch.ts';
import type { Observation, WantedRecords } from './observe.ts';
import { type DomainVerdict, judge } from './verdict.ts';

interface ObservedArguments extends Pick<DomainVerdict, 'isSeen' | 'isElsewhere' | 'problems'> {
  readonly domain: string;
  /** Of the watch; 0: there was none. */
  readonly number: number;
  /** All was seen, the keys too. */
  readonly isComplete: boolean;
  /** Those that had not been seen. */
  readonly keys: readonly { readonly selector: string; readonly publicKey: string }[];
  /** Selectors of those that had been seen, and whose records are gone. */
  readonly lost: readonly string[];
  readonly isTakenAway: boolean;
  readonly now: number;
}

interface Observed {
  readonly isActive: boolean;
  readonly keys: readonly string[];
  readonly isDue: boolean;
}

const NOTHING: Observed = { isActive: false, keys: [], isDue: false };

export function observedOperation(site: ChangeSite): Operation<ObservedArguments, Observed> {
  return operation('publishing.observed', async (tx, args) => {
    const { domain, number, isSeen, isComplete, isElsewhere, problems, now } = args;
    const path = pathOf(domain);
    const before = await watchIn(tx, path);
    if ((before?.number ?? 0) !== number) return NOTHING;
    if (before === undefined) await beginWatch(tx, { path, now });
    const watch = before ?? (await watchIn(tx, path))!;
    const keys: string[] = [];
    for (const { selector, publicKey } of args.keys)
      if (await noteObserved(tx, path, { selector, publicKey, at: now })) keys.push(selector);
    for (const selector of args.lost) await forgetObserved(tx, path, selector);
    const isActive = isSeen && (await reachState(tx, { domain, state: 'active', now, site }));
    if (args.isTakenAway) await queueOutbox(tx, { path, revision: tx.revision, now });
    await noteLook(tx, watch.number, { isSeen: isComplete, isElsewhere, problems });
    return { isActive, keys, isDue: args.isTakenAway };
  });
}

/** The domain is gone, or nobody else publishes it any more. */
export const unwatch = operation('publishing.unwatch', (tx, domain: string) => endWatch(tx, pathOf(domain)));

/** For who posts it. */
const observed = observedOperation({ hostname: 'localhost', mode: 'embedded' });

export interface ObservationParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly log: Log;
}

/** Gives what it was judged to be. */
export async function noteObservation(
  parts: ObservationParts,
  {
    wanted,
    observation,
    watch,
    now,
  }: {
    readonly wanted: WantedRecords;
    readonly observation: Observation;
    /** As it stood before the look. */
    readonly watch: Watch | undefined;
    readonly now: number;
  },
): Promise<DomainVerdict> {
  const { reader, writer, log } = parts;
  const { domain } = wanted;
  const verdict = judge(wanted, observation, watch?.conflicts ?? 0);
  const args = reader.snapshot(() => changedBy(reader, { wanted, verdict, watch, now }));
  if (args === undefined) return verdict;
  const { isActive, keys, isDue } = await writer.execute(observed, args);
  log.info('dns.observe', {
    domain,
    seen: verdict.isComplete,
    ...(isActive ? { state: 'active' } : {}),
    ...(keys.length > 0 ? { keys: keys.join(' ') } : {}),
    ...(args.lost.length > 0 ? { lost: args.lost.join(' ') } : {}),
    ...(isDue ? { due: true } : {}),
    ...(verdict.problems.length > 0 ? { problem: verdict.problems[0]! } : {}),
  });
  return verdict;
}

function changedBy(
  reader: Reader,
  {
    wanted,
    verdict,
    watch,
    now,
  }: {
    readonly wanted: WantedRecords;
    readonly verdict: DomainVerdict;
    readonly watch: Watch | undefined;
    readonly now: number;
  },
): ObservedArguments | undefined {
  const { domain } = wanted;
  const path = pathOf(domain);
  // It has begun again, or ended: the next look is of what it is now.
  if (watchOf(reader, path)?.number !== watch?.number) return undefined;
  const isKnown = keyObserved(reader);
  const keys = verdict.keys
    .filter(({ key }) => !isKnown(key, domain))
    .map(({ key, public: publicKey }) => ({ selector: key, publicKey }));
  const lost = verdict.lostKeys.filter(({ key }) => isKnown(key, domain)).map(({ key }) => key);
  const wasOnceSeen = watch !== undefined && (watch.isSeen || now >= watch.begun + WATCH_OFTEN_MS);
  const isTakenAway = verdict.isMissing && wasOnceSeen && waitingDomain(reader, path) === undefined;
  // What no server answers to says nothing: what was wrong stays.
  const isHeard = watch === undefined || isAnswered(verdict);
  const problems = isHeard ? verdict.problems : watch.problems;
  const isElsewhere = isHeard ? verdict.isElsewhere : watch.isElsewhere;
  const isComplete = verdict.isComplete || (watch?.isSeen === true && !isTakenAway);
  const isMoved =
    watch === undefined ||
    keys.length > 0 ||
    lost.length > 0 ||
    isTakenAway ||
    isComplete !== watch.isSeen ||
    isElsewhere !== watch.isElsewhere ||
    problems.join('\n') !== watch.problems.join('\n') ||
    (verdict.isSeen && isBehind(reader, domain));
  if (!isMoved) return undefined;
  const { isSeen } = verdict;
  return {
    domain,
    number: watch?.number ?? 0,
    isSeen,
    isComplete,
    isElsewhere,
    problems,
    keys,
    lost,
    isTakenAway,
    now,
  };
}

function isAnswered({ isSeen, problems, keys }: DomainVerdict): boolean {
  return isSeen || problems.length > 0 || keys.length > 0;
}

/** Its entry does not say yet that it was seen. An entry without a state is one of before there were any. */
function isBehind(reader: Reader, domain: string): boolean {
  const entry = findEntry(reader, dcDnOfDomain(domain));
  const state = entry && textValue(entry, 'waypostdomainstate');
  return state !== undefined && state !== 'active';
}
