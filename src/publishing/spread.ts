// The walk through domains whose standing, or whose records at others, may be another one: each gets its row of the outbox or of the
// watch, in slices, so that a change that means something to a hundred thousand domains holds the writer up no longer than any.
//
// In      ranges (zones/spread.ts): of a host, a key, a name server, of a name that decides over those below it
// Out     rows of the outbox (a primary has them, or had), the watch begun (somebody else publishes them) or ended (we do again)
// Limits  SLICE domains a transaction; a slice in which nothing is to be done costs none
// States  the walk's place is written with its slice; after a start it goes on there, and what is done twice changes nothing

import type { Revision } from '../base/ids.ts';
import { type Operation, operation } from '../database/operation.ts';
import { authorityOf } from '../zones/authority.ts';
import { zoneNames } from '../zones/names.ts';
import { queueOutbox } from '../zones/outbox.ts';
import { notedMode, noteMode, readZoneSettings, type ZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { firstSpread, moveSpread, type Spread, type SpreadDomain, spreadPage } from '../zones/spread.ts';
import { beginWatch, endWatch } from '../zones/watch.ts';
import type { WatchParts } from './watch.ts';

const LOOK_MS = 250;
const SLICE = 200;

type Step = 'publish' | 'watch' | 'unwatch';

interface SliceArguments {
  readonly spread: Spread;
  readonly steps: readonly { readonly path: string; readonly step: Step; readonly server?: string }[];
  /** Undefined: the walk is at its end. */
  readonly after: string | undefined;
  readonly now: number;
}

export const spreadSlice: Operation<SliceArguments, void> = operation(
  'publishing.spread',
  async (tx, { spread, steps, after, now }) => {
    for (const { path, step, server } of steps)
      switch (step) {
        case 'publish':
          await queueOutbox(tx, { path, revision: spread.revision as Revision, now, server });
          break;
        case 'watch':
          await beginWatch(tx, { path, now });
          break;
        case 'unwatch':
          await endWatch(tx, path);
          break;
        default:
          step satisfies never;
      }
    await moveSpread(tx, spread.id, after);
  },
);

/** DNS is served in another way than before, or for the first time. */
export const servedAs = operation('publishing.served-as', (tx, mode: ZoneSite['mode']) => noteMode(tx, mode));

export function spreadChanges(parts: WatchParts): { stop(): Promise<void> } {
  let stopped = false;
  // A start looks for itself, then commits say that there is something to walk through.
  let isWanted = true;
  let underWay: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (!isWanted || underWay !== undefined) return;
    isWanted = false;
    underWay = walk(parts, () => stopped)
      .catch((error: unknown) => {
        isWanted = true;
        parts.log.warn('dns.spread', { error: String(error) });
      })
      .finally(() => {
        underWay = undefined;
      });
  }, LOOK_MS);
  const end = parts.writer.onNotification(({ kind }) => {
    if (kind === 'spread') isWanted = true;
  });
  return {
    async stop() {
      stopped = true;
      clearInterval(timer);
      end();
      await underWay;
    },
  };
}

async function walk(parts: WatchParts, isStopped: () => boolean): Promise<void> {
  const { reader, writer, zoneSite } = parts;
  if (notedMode(reader) !== zoneSite.mode) await writer.execute(servedAs, zoneSite.mode);
  for (let spread = firstSpread(reader); spread !== undefined && !isStopped(); spread = firstSpread(reader))
    await walkOne(spread, parts, isStopped);
}

async function walkOne(spread: Spread, parts: WatchParts, isStopped: () => boolean): Promise<void> {
  const { reader, writer, zoneSite, clock } = parts;
  for (let at = spread.after; !isStopped(); ) {
    const { page, steps } = reader.snapshot(() => {
      const settings = readZoneSettings(reader, zoneSite);
      const domains = spreadPage(reader, spread, at, SLICE);
      return { page: domains, steps: domains.flatMap((each) => stepsOf(each, parts, settings)) };
    });
    const after = page.length < SLICE ? undefined : page.at(-1)!.path;
    if (steps.length > 0 || after === undefined)
      await writer.execute(spreadSlice, { spread, steps, after, now: clock.now() });
    else await new Promise((turn) => setImmediate(turn));
    if (after === undefined) return;
    at = after;
  }
}

function stepsOf(
  { path, name, isPublished, isWatched }: SpreadDomain,
  { reader }: WatchParts,
  settings: ZoneSettings,
): SliceArguments['steps'] {
  const names = zoneNames(reader);
  const isThere = names.find(name)?.row?.domain !== undefined;
  const { authority, server } = authorityOf(name, names, settings);
  if (isThere && authority === 'updatable')
    return [{ path, step: 'publish', ...(server === undefined ? {} : { server }) }];
  // What of ours stands at a primary that has it no more is taken away there.
  const left = isPublished ? [{ path, step: 'publish' as const }] : [];
  if (isThere && authority === 'theirs') return [...left, { path, step: 'watch' }];
  return isWatched ? [...left, { path, step: 'unwatch' }] : left;
}
