// Sync Info: the intermediate response by which a synchronization gives cookies, ends a phase, or names many entries at once.
//
// RFC 4533 §2.5

import { BerReader, BerWriter, BOOLEAN, context, contextConstructed, OCTET_STRING, SET } from '../ber.ts';
import { readUuid, writeUuid } from '../uuid.ts';

export const SYNC_INFO = '1.3.6.1.4.1.4203.1.9.1.4';

export type SyncInfo =
  | { readonly kind: 'newCookie'; readonly cookie: Uint8Array }
  | {
      /** The end of a phase that named deletions, or of one that named what is still there. */
      readonly kind: 'refreshDelete' | 'refreshPresent';
      readonly cookie: Uint8Array | undefined;
      readonly refreshDone: boolean;
    }
  | {
      readonly kind: 'syncIdSet';
      readonly cookie: Uint8Array | undefined;
      /** Whether these are gone; else they are unchanged. */
      readonly refreshDeletes: boolean;
      readonly uuids: readonly string[];
    };

const NEW_COOKIE = context(0);
const REFRESH_DELETE = contextConstructed(1);
const REFRESH_PRESENT = contextConstructed(2);
const SYNC_ID_SET = contextConstructed(3);

export const syncInfo = {
  /** Throws a SyntaxFailure. */
  decode(octets: Uint8Array): SyncInfo {
    const reader = new BerReader(Buffer.from(octets));
    const info = read(reader);
    reader.end();
    return info;
  },
  encode(info: SyncInfo): Uint8Array {
    const writer = new BerWriter();
    write(writer, info);
    return writer.take();
  },
};

function read(reader: BerReader): SyncInfo {
  const tag = reader.peekTag();
  switch (tag) {
    case NEW_COOKIE:
      return { kind: 'newCookie', cookie: new Uint8Array(reader.octets(NEW_COOKIE)) };
    case REFRESH_DELETE:
    case REFRESH_PRESENT: {
      const phase = reader.enter(tag);
      const cookie = readCookie(phase);
      const refreshDone = phase.peekTag() !== BOOLEAN || phase.boolean();
      phase.end();
      return { kind: tag === REFRESH_DELETE ? 'refreshDelete' : 'refreshPresent', cookie, refreshDone };
    }
    case SYNC_ID_SET: {
      const set = reader.enter(tag);
      const cookie = readCookie(set);
      const refreshDeletes = set.peekTag() === BOOLEAN && set.boolean();
      const list = set.enter(SET);
      set.end();
      const uuids: string[] = [];
      while (!list.atEnd) uuids.push(readUuid(list));
      return { kind: 'syncIdSet', cookie, refreshDeletes, uuids };
    }
    default:
      return reader.fail('a choice of 0 to 3');
  }
}

function readCookie(reader: BerReader): Uint8Array | undefined {
  return reader.peekTag() === OCTET_STRING ? new Uint8Array(reader.octets()) : undefined;
}

function write(writer: BerWriter, info: SyncInfo): void {
  switch (info.kind) {
    case 'newCookie':
      writer.octets(info.cookie, NEW_COOKIE);
      break;
    case 'syncIdSet':
      writer.constructed(SYNC_ID_SET, () => {
        if (info.cookie !== undefined) writer.octets(info.cookie);
        if (info.refreshDeletes) writer.boolean(true);
        writer.constructed(SET, () => {
          for (const uuid of info.uuids) writeUuid(writer, uuid);
        });
      });
      break;
    default:
      writer.constructed(info.kind === 'refreshDelete' ? REFRESH_DELETE : REFRESH_PRESENT, () => {
        if (info.cookie !== undefined) writer.octets(info.cookie);
        if (!info.refreshDone) writer.boolean(false);
      });
  }
}
