// The files of segments against their rows, at a start, before any thread reads.
//
// In      the rows of the store, the folder of the segments
// Out     files that no row knows are gone: the process died between making one and committing its row, or between the end of
//         the row and that of the file
// Newer   a file with bytes whose id lies above all ids of the store was made after this store.db was: it is an older copy, and
//         what the file holds was acknowledged. It is kept aside under another name for ASIDE_KEPT_MS, and is back in its place
//         at the first start whose store has its row
// Missing a row whose messages have no file any more is named; the server runs, and they cannot be read

import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { idText, parseIdText, type SegmentId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { highestId } from './collect.ts';

const ENDING = '.seg';
const ASIDE = `${ENDING}.aside`;
/** As long as the copy of the database that an upgrade makes. */
const ASIDE_KEPT_MS = 7 * 24 * 3600 * 1000;

export interface SegmentFilesFound {
  readonly removed: number;
  /** Names that files kept aside have now. */
  readonly aside: readonly string[];
  /** Names of files that are back in their place. */
  readonly back: readonly string[];
  readonly missing: readonly { readonly segment: SegmentId; readonly messages: number }[];
}

export async function settleSegmentFiles(reader: Reader, directory: string): Promise<SegmentFilesFound> {
  const known = new Set(reader.arrays('SELECT id FROM segment').map((row) => `${idText(Number(row[0]))}${ENDING}`));
  const highest = highestId(reader);
  const names = new Set(await readdir(directory));
  const aside: string[] = [];
  const back: string[] = [];
  let removed = 0;
  for (const name of [...names]) {
    const path = join(directory, name);
    if (name.endsWith(ASIDE)) {
      const own = `${name.slice(0, -ASIDE.length)}${ENDING}`;
      if (!known.has(own) || names.has(own)) continue;
      await rename(path, join(directory, own));
      names.add(own);
      back.push(own);
    } else if (name.endsWith(ENDING) && !known.has(name)) {
      const id = parseIdText<SegmentId>(name.slice(0, -ENDING.length));
      if (id !== undefined && id > highest && (await stat(path)).size > 0) {
        const kept = `${name.slice(0, -ENDING.length)}${ASIDE}`;
        await rename(path, join(directory, kept));
        aside.push(kept);
      } else {
        await unlink(path);
        removed++;
      }
    }
  }
  return {
    removed,
    aside,
    back,
    missing: missingOf(
      reader,
      [...known].filter((name) => !names.has(name)),
    ),
  };
}

/** What a row still names; one without messages only waits to be collected. */
function missingOf(reader: Reader, names: readonly string[]): SegmentFilesFound['missing'] {
  return names
    .map((name) => {
      const segment = parseIdText<SegmentId>(name.slice(0, -ENDING.length))!;
      const messages = Number(reader.arrays('SELECT count(*) FROM message WHERE segment = ?', segment)[0]?.[0]);
      return { segment, messages };
    })
    .filter(({ messages }) => messages > 0);
}

/** Whether there are files with bytes: then there was a store. */
export async function hasSegments(directory: string): Promise<boolean> {
  for (const name of await readdir(directory))
    if ((name.endsWith(ENDING) || name.endsWith(ASIDE)) && (await stat(join(directory, name))).size > 0) return true;
  return false;
}

/** Takes away what has been kept aside long enough, and gives the names. `now` in epoch milliseconds. */
export async function removeAside(directory: string, now: number): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(directory)) {
    if (!name.endsWith(ASIDE)) continue;
    const path = join(directory, name);
    // A rename moves no other time.
    if ((await stat(path)).ctimeMs + ASIDE_KEPT_MS > now) continue;
    await unlink(path);
    removed.push(name);
  }
  return removed;
}
