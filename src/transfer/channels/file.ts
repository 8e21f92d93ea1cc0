// The file channel: a message at the end of an mbox file, or in a Maildir, below the folder of files.
//
// In      a delivery of one recipient; the destination is `DOMAIN/NAME`, a Maildir with `/` behind it
// Out     delivered 2.0.0; deferred 4.2.0 where something else is in the way or has the lock, 4.2.2 where it would be too large,
//         4.3.1 where the disk is full
// Order   mbox: lock -> what an earlier run has left torn is cut -> the place is committed -> append, sync -> outcome committed -> unlock
// States  a row with a place: appended or not, nobody knows; the bytes there decide
// Limits  one delivery of a file at a time; `[file] max` of an mbox, and of a message in a Maildir
// Never   follows a symbolic link, writes into a file that has another name, or is none
// RFC 4155, https://cr.yp.to/proto/maildir.html

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { idText } from '../../base/ids.ts';
import type { JsonObject } from '../../base/json.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import type { Blobs } from '../../store/blobs.ts';
import { isCode, openBelow, openFolder, pathIn } from '../file/below.ts';
import { type LockOwner, lockFile } from '../file/dot-lock.ts';
import { putInMaildir } from '../file/maildir.ts';
import { appendAt, cutAt, type FilePlace, foundAt, placeOf, planPlace } from '../file/mbox.ts';
import { TornEnds } from '../file/torn-ends.ts';
import { noteIntent } from '../intend.ts';
import { lfMessage, mboxMessage } from '../lf-text.ts';
import { type Outcome, outcome } from '../outcome.ts';
import { lastRow } from '../queue.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

export interface FileChannelParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly blobs: Pick<Blobs, 'read'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: {
    /** Absolute. */
    readonly folder: string;
    readonly maxBytes: number;
    /** This server among all that may use the folder: one word. */
    readonly server: string;
    /** This run of it: one word. */
    readonly run: string;
  };
}

const DELIVERED: Outcome = { ...outcome('delivered', '2.0.0', 'filed'), action: 'delivered' };
const TOO_LARGE = outcome('deferred', '4.2.2', 'The file would be larger than [file] max');
const LOCKED = outcome('deferred', '4.2.0', 'The file is locked');

/** Something else stands where the file should be. */
class InTheWay extends Error {}

export class FileChannel implements Channel {
  static readonly kind = { name: 'file', isLocal: false } as const;
  readonly name = FileChannel.kind.name;
  readonly isLocal = FileChannel.kind.isLocal;
  readonly recipientsMax = 1;
  readonly #parts: FileChannelParts;
  readonly #owner: LockOwner;
  readonly #torn: TornEnds;
  readonly #lastOfBefore: number;

  constructor(parts: FileChannelParts) {
    this.#parts = parts;
    this.#owner = { ...parts.files, now: parts.clock.now };
    this.#torn = new TornEnds(parts);
    this.#lastOfBefore = lastRow(parts.reader);
  }

  concurrency(): number {
    return 1;
  }

  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
    const { destination, message, rows } = delivery;
    const delivered = await this.#deliver(delivery, signal);
    const { status } = delivered.outcomes[0]!;
    this.#parts.log.info('file.append', { queue: idText(message.id), file: destination, row: rows[0]!.id, status });
    return delivered;
  }

  async #deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
    const { destination, message } = delivery;
    const { folder, maxBytes } = this.#parts.files;
    if (message.blob.length > maxBytes) return { outcomes: [TOO_LARGE] };
    const names = destination.split('/');
    const last = names.pop()!;
    try {
      const directory = await openBelow(await openFolder(folder), names);
      if (last !== '') return await this.#intoMbox(delivery, { directory, name: last, signal });
      try {
        return { outcomes: [await this.#intoMaildir(delivery, directory)] };
      } finally {
        await directory.close();
      }
    } catch (error) {
      const known = outcomeOf(error, destination);
      if (known === undefined) throw error;
      return { outcomes: [known] };
    }
  }

  async #intoMaildir(delivery: Delivery, directory: FileHandle): Promise<Outcome> {
    const [row] = delivery.rows;
    const { id, createdAt, attempts } = row!;
    await putInMaildir(directory, `${Math.floor(createdAt / 1000)}.R${id}.waypost`, {
      text: lfMessage(this.#parts.blobs, delivery, { isMbox: false }),
      mayBeRead: attempts > 0 || id <= this.#lastOfBefore,
    });
    return DELIVERED;
  }

  /** The lock is held until the outcome is committed: nobody rewrites the file before. */
  async #intoMbox(
    delivery: Delivery,
    {
      directory,
      name,
      signal,
    }: { readonly directory: FileHandle; readonly name: string; readonly signal: AbortSignal },
  ): Promise<Delivered> {
    let unlock: (() => void) | undefined;
    const release = (): void => {
      try {
        unlock?.();
      } catch {
        // Somebody has taken it for stale.
      }
      directory.close().catch(() => {});
    };
    try {
      unlock = await lockFile(directory, name, this.#owner, signal);
      const own = unlock === undefined ? LOCKED : await this.#append(delivery, directory, name);
      return { outcomes: [own], release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #append(delivery: Delivery, directory: FileHandle, name: string): Promise<Outcome> {
    const { blobs, files } = this.#parts;
    const [row] = delivery.rows;
    const text = (): AsyncGenerator<Buffer> => mboxMessage(blobs, delivery, row!.createdAt);
    const file = await openMbox(directory, name);
    try {
      const before = row!.intent === undefined ? undefined : placeOf(row!.intent);
      const found = before === undefined ? 'other' : await foundAt(file, before, text());
      if (found === 'whole') {
        // What is to be read need not be on the disk: it may have been on its way there when that run ended.
        await file.sync();
        await directory.sync();
        return DELIVERED;
      }
      if (found === 'torn') await cutAt(file, before!);
      await this.#torn.cutOthers(file, delivery.destination, row!.id);
      const place = await planPlace(file);
      if (place.offset + delivery.message.blob.length > files.maxBytes) return TOO_LARGE;
      if (!(await this.#note(delivery, { ...place })))
        return outcome('deferred', '4.3.0', 'The recipient is not in the queue any more');
      await this.#appendOrForget(delivery, file, { place, text: text() });
      if (place.offset === 0) await directory.sync();
      return DELIVERED;
    } finally {
      await file.close();
    }
  }

  /** What could not be written is cut: the row is as one that has never been tried. Where that fails, too, the place is kept. */
  async #appendOrForget(
    delivery: Delivery,
    file: FileHandle,
    { place, text }: { readonly place: FilePlace; readonly text: AsyncIterable<Buffer> },
  ): Promise<void> {
    try {
      await appendAt(file, place, text);
    } catch (error) {
      const isCut = await cutAt(file, place).then(
        () => true,
        () => false,
      );
      if (isCut) await this.#note(delivery, null);
      throw error;
    }
  }

  #note({ message, rows }: Delivery, intent: JsonObject | null): Promise<boolean> {
    const { writer, clock } = this.#parts;
    const { id, lease } = rows[0]!;
    return writer.execute(noteIntent, { message: message.id, row: id, lease, intent, at: clock.now() });
  }
}

/** A FIFO is not waited for. */
async function openMbox(directory: FileHandle, name: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(pathIn(directory, name), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  const stat = await file.stat();
  if (stat.isFile() && stat.nlink === 1) return file;
  await file.close();
  throw new InTheWay(stat.isFile() ? 'it has a second name' : 'it is no file');
}

/** Undefined for what nobody has expected. */
function outcomeOf(error: unknown, destination: string): Outcome | undefined {
  if (error instanceof InTheWay) return outcome('deferred', '4.2.0', `${destination} cannot be used: ${error.message}`);
  if (isCode(error, 'ELOOP', 'ENOTDIR', 'EISDIR', 'ENXIO', 'EACCES', 'EPERM', 'EROFS'))
    return outcome('deferred', '4.2.0', `${destination} cannot be used: ${(error as NodeJS.ErrnoException).code}`);
  if (isCode(error, 'EFBIG', 'EDQUOT')) return TOO_LARGE;
  if (isCode(error, 'ENOSPC')) return outcome('deferred', '4.3.1', 'There is no space for files');
  return undefined;
}
