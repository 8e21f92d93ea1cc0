// What FETCH makes from the bytes of one message: a section, a part decoded, a preview.

import type { Part } from '../../message/part.ts';
import type { Blobs } from '../../store/blobs.ts';
import type { MessageRow } from '../../store/messages.ts';
import type { FetchContent } from '../../wire/imap/commands/fetch.ts';
import { FetchedBinary } from './fetched-binary.ts';
import { FetchedPreview } from './fetched-preview.ts';
import { type Budget, FetchedSection, type SectionOutput } from './fetched-section.ts';

export interface FetchedContent {
  /** Reads what the budget allows, so that the messages of a batch are read together. */
  readAhead(budget: Budget): Promise<void>;
  /** Reads so much that no error comes later that could have been said; throws Failure. */
  open(): Promise<void>;
  /** Writes the item behind `text`, or gives both back as text for more to come behind: '' when it was written. After open(). */
  write(text: string, to: SectionOutput): Promise<string>;
}

/** `structure` decodes the row's once for all that is made of it. */
export function fetchedContent(
  item: FetchContent,
  row: MessageRow,
  structure: () => Part,
  blobs: Blobs,
): FetchedContent {
  if ('binary' in item) return new FetchedBinary(item, row, structure, blobs);
  if ('preview' in item) return new FetchedPreview(item, row, structure, blobs);
  return new FetchedSection(item, row, structure, blobs);
}
