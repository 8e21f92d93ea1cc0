// The writer of a copy of the store: what is written there is thrown away with it.

import { parentPort, workerData } from 'node:worker_threads';
import { asFailure } from '../../base/failure.ts';
import { copyStore } from '../../database/copy.ts';
import { databasePath } from '../paths.ts';
import type { WriterData, WriterReport } from './writer.ts';

/** Its `configuration.data` is the folder of the copy. */
export interface CopiedWriterData extends WriterData {
  readonly source: string;
}

const { source, configuration } = workerData as CopiedWriterData;
try {
  copyStore(source, databasePath(configuration.data));
  await import('./writer.ts');
} catch (error) {
  parentPort?.postMessage({ kind: 'fatal', text: asFailure(error).message } satisfies WriterReport);
}
