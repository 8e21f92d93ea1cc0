// The columns of a message's row that say where its bytes lie.

import { idOf } from '../base/ids.ts';
import type { Value } from '../database/operation.ts';
import type { Blob } from './segment.ts';

const COLUMNS = ['id', 'segment', 'offset', 'length', 'hash', 'codec', 'stored'] as const;

/** For a SELECT; `of` is the table's name with its dot, where one is needed. */
export function blobColumns(of = ''): string {
  return COLUMNS.map((column) => of + column).join(', ');
}

/** These columns, from `first` on. */
export function blobOf(row: readonly Value[], first: number): Blob {
  const blob = {
    message: idOf<Blob['message']>(row[first]),
    segment: idOf<Blob['segment']>(row[first + 1]),
    offset: Number(row[first + 2]),
    length: Number(row[first + 3]),
    hash: row[first + 4] as Uint8Array,
    codec: Number(row[first + 5]),
  };
  const stored = row[first + 6];
  return stored === null ? blob : { ...blob, stored: Number(stored) };
}

/** Length of the bytes as they lie in the segment. */
export function storedBytes({ length, stored = length }: Blob): number {
  return stored;
}
