// A message on its way in: buffered while it is small, a segment file of its own when it is not, synced at the end.
//
// In      chunks of a message, as a door reads them; at the end what we put before them
// Out     the pending blob and the parsed message, or nothing at all
// Signed  where its maker says so: the fields of the signature stand behind Return-Path, and are made when all has come. In a large
//         message room is kept for them in front, SIGNATURE_ROOM
// Limits  MESSAGE_BUFFER_BYTES a message and THREAD_BUFFER_BYTES a thread are held in memory; beyond either it is written
//         to a file, so that a slow sender never holds the shared segment; one large message is parsed at a time
// Errors  Failure 'full' from write() or finish(); after a failure or abandon() nothing is left behind

import { createHash, hash as hashOnce } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Failure } from '../base/failure.ts';
import type { MessageId } from '../base/ids.ts';
import { MESSAGE_BUFFER_BYTES, THREAD_BUFFER_BYTES } from '../base/limits.ts';
import { type Header, parseHeader } from '../message/header.ts';
import { countBareLineFeeds } from '../message/lines.ts';
import { PARSER, type ParsedMessage, parseMessage } from '../message/structure.ts';
import type { MessageRow } from './messages.ts';
import { LargeMessage, type PendingBlob, type SegmentHost, type SegmentWriter } from './segment.ts';

/** What a thread needs to take messages in. */
export interface Intakes {
  readonly host: SegmentHost;
  readonly segments: SegmentWriter;
  /** Bytes of all messages that this thread holds in memory. */
  readonly held: { bytes: number };
  /** The last large message that was parsed; the next waits for it. */
  readonly parsing: { last: Promise<unknown> };
}

export function createIntakes(host: SegmentHost, segments: SegmentWriter): Intakes {
  return { host, segments, held: { bytes: 0 }, parsing: { last: Promise.resolve() } };
}

/** What stands before the message as it was sent, made when its header has been seen. */
export interface Preamble {
  /** The Return-Path line, which is never sent out again; empty for APPEND. */
  readonly returnPath: string;
  /** Received, and what submission adds. */
  readonly fields: string;
  /** What of the header as it was sent is left out: offsets, in order, none within another. */
  readonly without?: readonly (readonly [start: number, end: number])[];
  /** The end of the header was not there to be looked at, and fields may have to be left out behind it. */
  readonly isHeaderCut?: boolean;
}

export interface TakenMessage {
  readonly row: MessageRow;
  readonly parsed: ParsedMessage;
  readonly pending: PendingBlob;
}

/** A message as it will be sent: what stands before it is in the header, but for Return-Path. */
export interface Unsigned {
  readonly id: MessageId;
  readonly header: Header;
  readonly body: Buffer;
}

/** Gives whole header fields, latin1, CRLF at their ends; `''` where the message is not to be signed after all. */
export type Sign = (message: Unsigned) => Promise<string>;

export interface IntakeOptions {
  /** finish() may be given a signature to make. */
  readonly mayBeSigned?: boolean;
}

/** Return-Path, and two signatures by the largest keys. */
const SIGNATURE_ROOM = 8192;
/** Hashed in one go. */
const PIECE_BYTES = 1024 * 1024;

export class Intake {
  readonly id: MessageId;
  readonly #intakes: Intakes;
  readonly #preamble: (head: Buffer) => Preamble;
  readonly #mayBeSigned: boolean;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #length = 0;
  #large: LargeMessage | undefined;
  #hash: ReturnType<typeof createHash> | undefined;
  #traceBytes = 0;
  /** Of a large message that may be signed: it comes in front of the signature. */
  #returnPath = '';
  #isAbandoned = false;

  /**
   * `preamble` is asked once, with the header as far as it is buffered: all of it for a message below the buffer size. Where it
   * says that the header is cut, the message is refused for now.
   */
  constructor(
    intakes: Intakes,
    id: MessageId,
    preamble: (head: Buffer) => Preamble,
    { mayBeSigned = false }: IntakeOptions = {},
  ) {
    this.#intakes = intakes;
    this.id = id;
    this.#preamble = preamble;
    this.#mayBeSigned = mayBeSigned;
  }

  /** Bytes as sent, so far. */
  get length(): number {
    return this.#length;
  }

  /** A promise when the sender has to wait. The chunk belongs to the intake from now on. */
  write(chunk: Buffer): Promise<void> | undefined {
    // A chunk that was on its way when the message was given up.
    if (this.#isAbandoned) return undefined;
    this.#length += chunk.length;
    if (this.#large !== undefined) return this.#writeLarge(chunk);
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    this.#intakes.held.bytes += chunk.length;
    if (this.#buffered <= MESSAGE_BUFFER_BYTES && this.#intakes.held.bytes <= THREAD_BUFFER_BYTES) return undefined;
    return this.#spill();
  }

  async #spill(): Promise<void> {
    const head = this.#takeBuffered();
    const { returnPath, fields, without, isHeaderCut } = this.#preamble(head);
    if (isHeaderCut === true) throw new Failure('full', 'Too many messages at once, try again later');
    this.#traceBytes = Buffer.byteLength(returnPath);
    const large = await LargeMessage.create(this.#intakes.host, this.id, this.#mayBeSigned ? SIGNATURE_ROOM : 0);
    if (this.#isAbandoned) {
      large.abandon();
      throw new Failure('unavailable', 'The message was given up');
    }
    this.#large = large;
    if (this.#mayBeSigned) this.#returnPath = returnPath;
    else this.#hash = createHash('sha256');
    await this.#writeLarge(Buffer.from(this.#mayBeSigned ? fields : returnPath + fields));
    for (const piece of piecesOf(head, without)) await this.#writeLarge(piece);
  }

  async #writeLarge(chunk: Buffer): Promise<void> {
    const large = this.#large;
    if (large === undefined) throw new Failure('unavailable', 'The message was given up');
    this.#hash?.update(chunk);
    await large.write(chunk);
  }

  #takeBuffered(): Buffer {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#buffered);
    this.#release();
    return bytes;
  }

  #release(): void {
    this.#intakes.held.bytes -= this.#buffered;
    this.#buffered = 0;
    this.#chunks = [];
  }

  /**
   * Syncs the message. The caller settles `pending` when the operation that names it has its outcome. `lines` says whether a
   * bare line feed may end one: no mail that comes by SMTP has any, and none is looked for.
   */
  async finish(received: number, lines: 'crlf' | 'any' = 'crlf', sign?: Sign): Promise<TakenMessage> {
    if (this.#large !== undefined)
      return this.#mayBeSigned
        ? this.#finishWithRoom(received, { lines, sign }, this.#large)
        : this.#finishLarge(received, lines, this.#large);
    const body = this.#takeBuffered();
    const { returnPath, fields, without } = this.#preamble(body);
    this.#traceBytes = Buffer.byteLength(returnPath);
    const before = Buffer.from(returnPath + fields);
    const unsigned = before.length === 0 ? body : Buffer.concat([before, ...piecesOf(body, without)]);
    // Held until it is on disk: what waits for the sync, or for a signature, is memory too.
    this.#intakes.held.bytes += unsigned.length;
    try {
      const bytes = sign === undefined ? unsigned : await this.#signed(unsigned, sign);
      const parsed = parseMessage(bytes);
      const bareLineFeeds = lines === 'any' ? countBareLineFeeds(bytes) : 0;
      const digest = hashOnce('sha256', bytes, 'buffer');
      const pending = await this.#intakes.segments.append(this.id, [bytes], bytes.length, digest);
      return this.#taken(received, { parsed, bareLineFeeds }, pending);
    } finally {
      this.#intakes.held.bytes -= unsigned.length;
    }
  }

  async #signed(bytes: Buffer, sign: Sign): Promise<Buffer> {
    const at = this.#traceBytes;
    const signature = await this.#signature(bytes.subarray(at), sign);
    if (signature.length === 0) return bytes;
    return Buffer.concat([bytes.subarray(0, at), signature, bytes.subarray(at)]);
  }

  async #signature(bytes: Buffer, sign: Sign): Promise<Buffer> {
    const header = parseHeader(bytes);
    return Buffer.from(await sign({ id: this.id, header, body: bytes.subarray(header.end) }), 'latin1');
  }

  async #finishLarge(received: number, lines: 'crlf' | 'any', large: LargeMessage): Promise<TakenMessage> {
    const pending = await large.finish(this.#hash!.digest());
    try {
      return this.#taken(received, await this.#inTurn(async () => parsedOf(await large.read(), lines)), pending);
    } catch (error) {
      pending.settle();
      throw error;
    }
  }

  /** Hash and checksum are of all that the message has in the end: they are made when it is read for parsing. */
  async #finishWithRoom(
    received: number,
    { lines, sign }: { readonly lines: 'crlf' | 'any'; readonly sign: Sign | undefined },
    large: LargeMessage,
  ): Promise<TakenMessage> {
    const { parsed, hash, before } = await this.#inTurn(async () => {
      const room = await large.read(SIGNATURE_ROOM);
      const returnPath = Buffer.from(this.#returnPath);
      const signature =
        sign === undefined ? Buffer.alloc(0) : await this.#signature(room.subarray(SIGNATURE_ROOM), sign);
      const first = Buffer.concat([returnPath, signature]);
      const start = SIGNATURE_ROOM - first.length;
      room.set(first, start);
      const bytes = room.subarray(start);
      const { hash, checksum } = await digestsOf(bytes);
      return { parsed: parsedOf(bytes, lines), hash, before: { bytes: first, checksum } };
    });
    return this.#taken(received, parsed, await large.finish(hash, before));
  }

  /** Nothing of a large message stays in memory until the next one's turn. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const { parsing } = this.#intakes;
    const turn = parsing.last.then(work);
    parsing.last = turn.then(
      () => {},
      () => {},
    );
    return turn;
  }

  #taken(received: number, { parsed, bareLineFeeds }: ParsedBytes, pending: PendingBlob): TakenMessage {
    const row = {
      id: this.id,
      blob: pending.blob,
      received,
      traceBytes: this.#traceBytes,
      header: parsed.headerText,
      structure: parsed.structureText,
      bareLineFeeds,
      parser: PARSER,
    };
    return { row, parsed, pending };
  }

  /** The message will not come: what was held or written is given up. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#release();
    this.#large?.abandon();
    this.#large = undefined;
  }
}

interface ParsedBytes {
  readonly parsed: ParsedMessage;
  readonly bareLineFeeds: number;
}

function parsedOf(bytes: Buffer, lines: 'crlf' | 'any'): ParsedBytes {
  return { parsed: parseMessage(bytes), bareLineFeeds: lines === 'any' ? countBareLineFeeds(bytes) : 0 };
}

/** Others have their turn between two pieces. */
async function digestsOf(bytes: Buffer): Promise<{ readonly hash: Buffer; readonly checksum: number }> {
  const hash = createHash('sha256');
  let checksum = 0;
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (at > 0) await new Promise((turn) => setImmediate(turn));
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    hash.update(piece);
    checksum = crc32(piece, checksum);
  }
  return { hash: hash.digest(), checksum };
}

/** What is left of a message without these ranges. */
function piecesOf(bytes: Buffer, without: Preamble['without'] = []): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const [start, end] of without) {
    pieces.push(bytes.subarray(at, start));
    at = end;
  }
  pieces.push(bytes.subarray(at));
  return pieces;
}
