// Messages of every kind with what the program of c7e30bd, the last of format 1, made of them: test/messages/corpus.json.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CorpusMessage {
  /** latin1, a character an octet, as are the others. */
  readonly message: string;
  /** IMAP's ENVELOPE, BODY and BODYSTRUCTURE. */
  readonly envelope: string;
  readonly body: string;
  readonly bodyStructure: string;
  /** The column `structure` of format 1. */
  readonly structure: string;
}

export function corpus(): readonly CorpusMessage[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../messages/corpus.json'), 'utf8'));
}
