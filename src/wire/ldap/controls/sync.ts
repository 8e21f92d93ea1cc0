// Content synchronization: what a search is to go on from, what has become of each entry, and where its answer ends.
//
// RFC 4533 §2.2 to §2.4

import { SyntaxFailure } from '../../../base/cursor.ts';
import { type BerReader, type BerWriter, BOOLEAN, ENUMERATED, OCTET_STRING, SEQUENCE } from '../ber.ts';
import { readUuid, writeUuid } from '../uuid.ts';
import { berControl } from './codec.ts';

export interface SyncRequest {
  readonly mode: 'refreshOnly' | 'refreshAndPersist';
  /** Undefined: from the beginning. */
  readonly cookie: Uint8Array | undefined;
  /** Whether the server is to begin anew, rather than to refuse, where the cookie is too old. */
  readonly reloadHint: boolean;
}

/** Beside an entry of the answer. */
export interface SyncState {
  readonly state: 'present' | 'add' | 'modify' | 'delete';
  /** As the text of `entryUUID`. */
  readonly uuid: string;
  readonly cookie: Uint8Array | undefined;
}

/** Beside the result. */
export interface SyncDone {
  readonly cookie: Uint8Array | undefined;
  /** Whether deletions were named; else what was not named is gone. */
  readonly refreshDeletes: boolean;
}

const MODES = [undefined, 'refreshOnly', undefined, 'refreshAndPersist'] as const;
const STATES = ['present', 'add', 'modify', 'delete'] as const satisfies readonly SyncState['state'][];

export const syncRequest = berControl<SyncRequest>(
  '1.3.6.1.4.1.4203.1.9.1.1',
  (reader) => {
    const sequence = reader.enter(SEQUENCE);
    const mode = MODES[sequence.unsigned(ENUMERATED)];
    if (mode === undefined) throw new SyntaxFailure('a mode of 1 or 3', 0);
    const cookie = readCookie(sequence);
    const reloadHint = sequence.peekTag() === BOOLEAN && sequence.boolean();
    sequence.end();
    return { mode, cookie, reloadHint };
  },
  (writer, { mode, cookie, reloadHint }) =>
    writer.constructed(SEQUENCE, () => {
      writer.integer(MODES.indexOf(mode), ENUMERATED);
      writeCookie(writer, cookie);
      if (reloadHint) writer.boolean(true);
    }),
);

export const syncState = berControl<SyncState>(
  '1.3.6.1.4.1.4203.1.9.1.2',
  (reader) => {
    const sequence = reader.enter(SEQUENCE);
    const state = STATES[sequence.unsigned(ENUMERATED)];
    if (state === undefined) throw new SyntaxFailure('a state of 0 to 3', 0);
    const uuid = readUuid(sequence);
    const cookie = readCookie(sequence);
    sequence.end();
    return { state, uuid, cookie };
  },
  (writer, { state, uuid, cookie }) =>
    writer.constructed(SEQUENCE, () => {
      writer.integer(STATES.indexOf(state), ENUMERATED);
      writeUuid(writer, uuid);
      writeCookie(writer, cookie);
    }),
);

export const syncDone = berControl<SyncDone>(
  '1.3.6.1.4.1.4203.1.9.1.3',
  (reader) => {
    const sequence = reader.enter(SEQUENCE);
    const cookie = readCookie(sequence);
    const refreshDeletes = sequence.peekTag() === BOOLEAN && sequence.boolean();
    sequence.end();
    return { cookie, refreshDeletes };
  },
  (writer, { cookie, refreshDeletes }) =>
    writer.constructed(SEQUENCE, () => {
      writeCookie(writer, cookie);
      if (refreshDeletes) writer.boolean(true);
    }),
);

function readCookie(reader: BerReader): Uint8Array | undefined {
  return reader.peekTag() === OCTET_STRING ? new Uint8Array(reader.octets()) : undefined;
}

function writeCookie(writer: BerWriter, cookie: Uint8Array | undefined): void {
  if (cookie !== undefined) writer.octets(cookie);
}
