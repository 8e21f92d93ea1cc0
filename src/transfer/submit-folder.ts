// The folder where local programs hand in mail: `waypost sendmail` writes a file a message, in the text form of queued messages.
//
// In      files under a name, whole; those whose names begin with a dot are still being written
// Out     each accepted once, then removed; what cannot be one is moved to `bad/`, with a line in the log
// Order   its name is written in the transaction that accepts it, then the file goes: a kill between leaves a file whose name is known
// Never   follows a link, reads what has a second name, waits for a pipe; believes X- lines: any user may write them; moves a file
//         to a `bad` that is not its own directory
// Errors  a store that is full, or does not answer: the file stays, and is looked at again; so does one that cannot be moved to `bad/`,
//         with one line in the log, not one a look
// Limits  FILES_AT_ONCE; UNMOVED_MAX names that are remembered as logged; the octets of `[limits]`: too many are reported to the sender with
//         the header alone. Recipients as many as the text form has room for, RECIPIENTS_AT_ONCE of them a message and a transaction

import { constants, type FSWatcher, watch } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { DAY_MS } from '../base/duration.ts';
import { asFailure, Failure } from '../base/failure.ts';
import { idText, type MessageId } from '../base/ids.ts';
import { HEADER_BYTES, type Limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Reply } from '../base/reply.ts';
import type { Operation, Writer } from '../database/operation.ts';
import { ANONYMOUS } from '../directory/caller.ts';
import { addressKey, formatAddress } from '../message/address.ts';
import { type Envelope, formatSender, type Recipient } from '../message/envelope.ts';
import { parseHeader } from '../message/header.ts';
import { Intake, type Intakes, type TakenMessage } from '../store/intake.ts';
import type { OnceAccepted, OnceArguments } from './accept-once.ts';
import { preambleOf } from './preamble.ts';
import type { Signer } from './sign/signer.ts';
import { type PrepareParts, prepareAccept, sizeOf } from './submit.ts';
import { CrlfSearch, crlfOf, parseTextHead, TEXT_HEAD_BYTES } from './text-form.ts';

const FILES_AT_ONCE = 8;
/** The same whatever is configured: a file that a kill has left half taken goes on where it was. */
const RECIPIENTS_AT_ONCE = 1000;
/** Where nothing is noticed, and for files that could not be taken. */
const LOOK_MS = 30_000;
const PIECE_BYTES = 256 * 1024;
/** A program that was killed while it wrote. */
const DRAFT_AGE_MS = DAY_MS;
const BAD = 'bad';
/** Beyond it names are logged again. */
const UNMOVED_MAX = 10_000;

const TOO_LARGE: Reply = { code: 552, enhanced: '5.3.4', text: 'The message is too large' };

export interface SubmitFolderParts extends PrepareParts {
  readonly folder: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly hostname: string;
  readonly intakes: Intakes;
  readonly signer: Pick<Signer, 'signsTo'>;
  readonly nextId: () => MessageId;
  readonly limits: Pick<Limits, 'messageSizeBytes'>;
  readonly writer: Writer;
  /** acceptOnceOperation. */
  readonly accept: Operation<OnceArguments, OnceAccepted>;
}

/** A file, and what of it is one message. */
interface Given {
  readonly name: string;
  /** What is accepted once. */
  readonly key: string;
  /** Whose it is. */
  readonly uid: number;
  /** Where the message begins, and where what is taken of it ends. */
  readonly bodyAt: number;
  readonly end: number;
  readonly sizeBytes: number;
  readonly isTooLarge: boolean;
}

/** Why a file is none of ours. */
class BadFile extends Error {}

export class SubmitFolder {
  readonly #parts: SubmitFolderParts;
  /** Those under way. */
  readonly #taking = new Map<string, Promise<void>>();
  /** What is none of ours and could not be moved: it is in the log. */
  readonly #unmoved = new Set<string>();
  #looking: Promise<void> | undefined;
  #isLookDue = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;

  constructor(parts: SubmitFolderParts) {
    this.#parts = parts;
  }

  start(): void {
    const { folder, log } = this.#parts;
    try {
      this.#watcher = watch(folder, { persistent: false }, (_, name) => {
        // A name that begins with a dot is looked at when it has lost it.
        if (name === null || !name.startsWith('.')) this.look();
      });
      this.#watcher.on('error', (error) => log.warn('submit.watch', { detail: error.message }));
    } catch (error) {
      log.warn('submit.watch', { detail: asFailure(error).message });
    }
    this.#timer = setInterval(() => {
      void this.#removeDrafts();
      this.look();
    }, LOOK_MS);
    this.#timer.unref();
    // Before anybody else makes it. Where that fails, the first file that belongs there says why.
    void this.#makeBad()
      .catch(() => {})
      .then(() => this.look());
  }

  /** What is under way comes to its end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
    await this.#looking;
    await Promise.all(this.#taking.values());
  }

  /** Takes what is there; called again meanwhile, it looks again. */
  look(): void {
    this.#isLookDue = true;
    this.#looking ??= this.#lookWhileDue().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookWhileDue(): Promise<void> {
    while (this.#isLookDue && !this.#isStopped) {
      this.#isLookDue = false;
      for (const name of await this.#names()) {
        if (this.#isStopped) return;
        if (this.#taking.has(name)) continue;
        if (this.#taking.size >= FILES_AT_ONCE) await Promise.race(this.#taking.values());
        this.#taking.set(
          name,
          this.#take(name).finally(() => this.#taking.delete(name)),
        );
      }
    }
  }

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.#parts.folder)).filter((name) => !name.startsWith('.') && name !== BAD).sort();
    } catch (error) {
      this.#parts.log.error('submit.folder', { folder: this.#parts.folder, detail: asFailure(error).message });
      return [];
    }
  }

  async #take(name: string): Promise<void> {
    const { log } = this.#parts;
    let file: FileHandle | undefined;
    try {
      file = await this.#open(name);
      if (file === undefined) return;
      await this.#accept(name, file);
      await unlink(join(this.#parts.folder, name));
    } catch (error) {
      if (error instanceof BadFile) return await this.#setAside(name, error.message);
      const { detail, message } = asFailure(error);
      log.warn('submit.later', { file: name, detail: detail ?? message });
    } finally {
      await file?.close().catch(() => {});
    }
  }

  /** Undefined: it is gone. */
  async #open(name: string): Promise<FileHandle | undefined> {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    try {
      return await open(join(this.#parts.folder, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOENT') return undefined;
      if (code === 'ELOOP') throw new BadFile('it is a symbolic link');
      if (code === 'ENXIO') throw new BadFile('it is no plain file');
      if (code === 'EACCES') throw new BadFile('it may not be read by the server');
      throw error;
    }
  }

  async #accept(name: string, file: FileHandle): Promise<void> {
    const { clock, limits } = this.#parts;
    const status = await file.stat();
    const { size, nlink, uid } = status;
    if (!status.isFile()) throw new BadFile('it is no plain file');
    if (nlink !== 1) throw new BadFile('it has a second name');
    const { envelope, bodyAt } = await headOf(file, size, clock.now());
    const isTooLarge = size - bodyAt > limits.messageSizeBytes;
    const end = isTooLarge ? await headerEnd(file, bodyAt) : size;
    const recipients = eachOnce(envelope.recipients);
    for (let at = 0; at === 0 || at < recipients.length; at += RECIPIENTS_AT_ONCE) {
      const some = { ...envelope, recipients: recipients.slice(at, at + RECIPIENTS_AT_ONCE) };
      const key = at === 0 ? name : `${name} ${at}`;
      await this.#acceptSome(file, some, { name, key, uid, bodyAt, end, isTooLarge, sizeBytes: size - bodyAt });
    }
  }

  async #acceptSome(file: FileHandle, envelope: Envelope, given: Given): Promise<void> {
    const { clock, log, writer, accept } = this.#parts;
    const { name, key, uid, sizeBytes, isTooLarge } = given;
    const taken = await this.#takeIn(file, envelope, given);
    try {
      const args = await prepareAccept(this.#parts, {
        // What the bytes are counts, whatever BODY= said.
        envelope: { ...envelope, body: taken.parsed.isEightBit ? '8BITMIME' : '7BIT' },
        message: taken,
        caller: ANONYMOUS,
        mayRelay: true,
        door: 'sendmail',
        sizeBytes,
        refused: 'report',
        ...(isTooLarge ? { refusal: TOO_LARGE } : {}),
      });
      const once = { kind: 'submit-file', owner: '', key, hash: null } as const;
      const done = await writer.execute(accept, { accept: args, once }, sizeOf(args));
      // It was accepted before a kill.
      if ('answer' in done) return;
      const { delivered, queued } = done.accepted;
      const sender = formatSender(envelope.sender);
      log.info('submit.take', {
        file: name,
        queue: idText(taken.row.id),
        uid,
        sender,
        at: clock.now(),
        delivered,
        queued,
      });
    } finally {
      taken.pending.settle();
    }
  }

  async #takeIn(
    file: FileHandle,
    envelope: Envelope,
    { uid, bodyAt, end }: Pick<Given, 'uid' | 'bodyAt' | 'end'>,
  ): Promise<TakenMessage> {
    const { clock, hostname, intakes, signer, nextId } = this.#parts;
    const at = clock.now();
    const id = nextId();
    const [only, ...others] = envelope.recipients;
    const recipient = only === undefined || others.length > 0 ? undefined : formatAddress(only.address);
    const { isUtf8 } = envelope;
    const trace = { uid, hostname, id: idText(id), recipient, at, ...(isUtf8 === undefined ? {} : { isUtf8 }) };
    const wishes = { sender: formatSender(envelope.sender), isSubmission: true, trace };
    const intake = new Intake(intakes, id, (head) => preambleOf(head, wishes), { mayBeSigned: true });
    try {
      const search = new CrlfSearch();
      for await (const piece of piecesOf(file, bodyAt, end)) {
        search.push(piece);
        if (search.found) break;
      }
      for await (const piece of piecesOf(file, bodyAt, end)) await intake.write(search.found ? piece : crlfOf(piece));
      const isRoot = uid === 0 || uid === process.geteuid?.();
      const addresses = envelope.recipients.map(({ address }) => address);
      return await intake.finish(at, 'any', await signer.signsTo({ kind: 'local', isRoot }, addresses));
    } catch (error) {
      intake.abandon();
      throw error;
    }
  }

  async #setAside(name: string, why: string): Promise<void> {
    const { folder, log } = this.#parts;
    try {
      await this.#makeBad();
      await rename(join(folder, name), join(folder, BAD, name));
      this.#unmoved.delete(name);
      log.warn('submit.bad', { file: name, why });
    } catch (error) {
      if (this.#unmoved.has(name)) return;
      if (this.#unmoved.size >= UNMOVED_MAX) this.#unmoved.clear();
      this.#unmoved.add(name);
      const { detail, message } = asFailure(error);
      log.error('submit.bad', { file: name, why, detail: detail ?? message });
    }
  }

  /** Where all users write, one of them may have made it before: a link, or a directory that is theirs. */
  async #makeBad(): Promise<void> {
    const path = join(this.#parts.folder, BAD);
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
    const status = await lstat(path);
    if (!status.isDirectory() || status.uid !== process.geteuid?.())
      throw new Failure('denied', `${path} is not a directory of the server's user`);
  }

  async #removeDrafts(): Promise<void> {
    const { folder, clock } = this.#parts;
    const names = await readdir(folder).catch((): string[] => []);
    for (const name of names) {
      if (!name.startsWith('.')) continue;
      const path = join(folder, name);
      try {
        if ((await lstat(path)).mtimeMs < clock.now() - DRAFT_AGE_MS) await unlink(path);
      } catch {
        // It has become a message meanwhile.
      }
    }
  }
}

/** Of two that are the same address the first: they may come to stand in two messages. */
function eachOnce(recipients: readonly Recipient[]): readonly Recipient[] {
  if (recipients.length <= RECIPIENTS_AT_ONCE) return recipients;
  const known = new Map<string, Recipient>();
  for (const recipient of recipients) {
    const key = addressKey(recipient.address);
    if (!known.has(key)) known.set(key, recipient);
  }
  return [...known.values()];
}

async function headOf(file: FileHandle, size: number, now: number): Promise<{ envelope: Envelope; bodyAt: number }> {
  const bytes = Buffer.alloc(Math.min(size, TEXT_HEAD_BYTES));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  try {
    const { form, bodyAt } = parseTextHead(bytes.subarray(0, bytesRead), now);
    return { envelope: form.envelope, bodyAt };
  } catch (error) {
    if (error instanceof Failure) throw new BadFile(error.message);
    throw error;
  }
}

/** For a report to its sender no more is needed. */
async function headerEnd(file: FileHandle, bodyAt: number): Promise<number> {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, bodyAt);
  return bodyAt + parseHeader(bytes.subarray(0, bytesRead)).end;
}

async function* piecesOf(file: FileHandle, from: number, end: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = from; at < end; ) {
    const bytes = Buffer.alloc(Math.min(PIECE_BYTES, end - at));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield bytes.subarray(0, bytesRead);
  }
}
