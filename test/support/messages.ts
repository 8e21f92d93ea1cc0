// Messages of every kind with what the program of c7e30bd, the last of format 1, made of them, and what is made of them now
// where that differs: test/messages/corpus.json.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** IMAP's ENVELOPE, BODY and BODYSTRUCTURE. */
export interface Fetched {
  readonly envelope: string;
  readonly body: string;
  readonly bodyStructure: string;
}

export interface CorpusMessage extends Fetched {
  /** latin1, a character an octet, as are the others. */
  readonly message: string;
  /** As today's parser reads it, where that is other. */
  readonly now?: Fetched;
  /** The column `structure` of format 1. */
  readonly structure: string;
}

export function corpus(): readonly CorpusMessage[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../messages/corpus.json'), 'utf8'));
}
