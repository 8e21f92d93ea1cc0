// Hourly: journeys that are too old, or too many, go, and what is known of messages that have been to long lists or were accepted
// once under a name. In slices, so that mail is not held up.

import type { Clock } from '../base/clock.ts';
import { DAY_MS, HOUR_MS } from '../base/duration.ts';
import { asFailure } from '../base/failure.ts';
import { ID_EPOCH_MS, idFloor } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { operation, type Reader, type Writer } from '../database/operation.ts';
import { forgetOnce } from './accept-once.ts';
import { deleteJourneys, journeyRowFromTheEnd } from './journey.ts';
import { forgetLists, nextKnown } from './list-progress.ts';
import { forgetReplied } from './replied.ts';

const EVERY_MS = HOUR_MS;
const AGE_MS = 30 * DAY_MS;
/** Of names under which a message was accepted once. */
const ONCE_AGE_MS = 7 * DAY_MS;
/** Of who has been answered in somebody's absence: nobody asks for longer. */
const REPLIED_AGE_MS = 366 * DAY_MS;
/** Some hundred bytes each. */
const JOURNEY_ROWS_MAX = 2_000_000;
const SLICE = 2000;
/** Between two slices. */
const BREATH_MS = 20;

/** Removes a slice of the rows of messages below an id; gives whether there may be more. */
export const pruneJourney = operation('transfer.pruneJourney', async (tx, args: { readonly below: number }) => ({
  more: (await deleteJourneys(tx, args.below, SLICE)) === SLICE,
}));

interface HousekeepingParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
}

/** Messages below this id have been on record long enough. */
export function journeyLimit(reader: Reader, now: number, rowsMax = JOURNEY_ROWS_MAX): number {
  const old = idFloor(Math.max(ID_EPOCH_MS, now - AGE_MS));
  return Math.max(old, journeyRowFromTheEnd(reader, rowsMax) ?? 0);
}

export async function pruneJourneys({ reader, writer, clock }: HousekeepingParts): Promise<void> {
  const below = journeyLimit(reader, clock.now());
  while ((await writer.execute(pruneJourney, { below })).more)
    await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
}

async function pruneLists({ reader, writer }: Pick<HousekeepingParts, 'reader' | 'writer'>): Promise<void> {
  for (let message = nextKnown(reader, 0); message !== undefined; message = nextKnown(reader, message))
    while ((await writer.execute(forgetLists, { message })).more)
      await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
}

async function pruneNames({ writer, clock }: HousekeepingParts): Promise<void> {
  while ((await writer.execute(forgetOnce, { before: clock.now() - ONCE_AGE_MS })).more)
    await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
}

async function pruneReplied({ writer, clock }: HousekeepingParts): Promise<void> {
  while ((await writer.execute(forgetReplied, { before: clock.now() - REPLIED_AGE_MS })).more)
    await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
}

async function prune(parts: HousekeepingParts): Promise<void> {
  await pruneJourneys(parts);
  await pruneLists(parts);
  await pruneNames(parts);
  await pruneReplied(parts);
}

/** Gives the function that ends it. The first round comes an hour from now. */
export function startHousekeeping(parts: HousekeepingParts): () => void {
  const timer = setInterval(() => {
    prune(parts).catch((error: unknown) => {
      const { detail, message } = asFailure(error);
      parts.log.warn('transfer.prune', { detail: detail ?? message });
    });
  }, EVERY_MS);
  return () => clearInterval(timer);
}
