// Segments as the writer sees them: what their threads have written is synced right before the rows that name it are committed.
//
// In      segments that a batch of the writer names
// Out     their bytes on disk
// Limits  OPEN_MAX descriptors of its own: a thread that dies takes its descriptors with it, and not what it has posted
// Errors  any: thrown, and the process ends, because what is on disk is not known any more

import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import type { SegmentId } from '../base/ids.ts';
import { segmentPath } from './segment.ts';

/** One open segment a thread is the rule. */
const OPEN_MAX = 64;

export class SegmentSyncs {
  readonly #directory: string;
  /** Those opened last are at the end. */
  readonly #descriptors = new Map<SegmentId, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  sync(segment: SegmentId): void {
    try {
      fdatasyncSync(this.#descriptors.get(segment) ?? this.#open(segment));
    } catch (error) {
      throw new Error(`a segment file cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #open(segment: SegmentId): number {
    if (this.#descriptors.size === OPEN_MAX) this.forget(this.#descriptors.keys().next().value!);
    const descriptor = openSync(segmentPath(this.#directory, segment), 'r+');
    this.#descriptors.set(segment, descriptor);
    return descriptor;
  }

  /** The file has been collected: a descriptor would keep its space. */
  forget(segment: SegmentId): void {
    const descriptor = this.#descriptors.get(segment);
    if (descriptor === undefined) return;
    this.#descriptors.delete(segment);
    closeSync(descriptor);
  }
}
