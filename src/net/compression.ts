// Compression of a connection by DEFLATE, from an agreed point on, and its end.
//
// In      a connection whose last reply, the one that says "go ahead", was given to its output
// Out     what the peer sends is inflated before the framer sees it, what is written goes out deflated, complete at each write
// Limits  level 1 and a window of 2^12 for what we send; the peer may use the largest. What is inflated waits as input of any
//         transport does: a bomb meets the framer's limits, and no more is inflated than is read
// Errors  what is no DEFLATE closes the connection
// Never   twice on one connection: not even behind its end
// RFC 1951, RFC 4978 §3

import { Duplex } from 'node:stream';
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib';
import type { Connection } from './connection.ts';

type Framer = { push(chunk: Buffer): void };

const LEVEL = 1;
const WINDOW_BITS = 12;
const MEMORY_LEVEL = 5;
const CHUNK_BYTES = 16 * 1024;

export async function compress<F extends Framer>(connection: Connection<F>): Promise<void> {
  await connection.replaceTransport(async (raw) => new DeflatedTransport(raw));
}

/** What has been written goes out compressed; what comes from now on is not. No-op on a connection that is not compressed. */
export async function endCompression<F extends Framer>(connection: Connection<F>): Promise<void> {
  if (!(connection.transport instanceof DeflatedTransport)) return;
  await connection.replaceTransport((transport) => (transport as DeflatedTransport).detach());
}

class DeflatedTransport extends Duplex {
  readonly #raw: Duplex;
  readonly #inflate: InflateRaw;
  readonly #deflate: DeflateRaw;

  constructor(raw: Duplex) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    // A peer may stop anywhere: what has come whole is read.
    this.#inflate = createInflateRaw({ chunkSize: CHUNK_BYTES, finishFlush: constants.Z_SYNC_FLUSH });
    this.#deflate = createDeflateRaw({
      level: LEVEL,
      windowBits: WINDOW_BITS,
      memLevel: MEMORY_LEVEL,
      chunkSize: CHUNK_BYTES,
      flush: constants.Z_SYNC_FLUSH,
    });
    this.#inflate.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#inflate.pause();
    });
    // A peer may end its stream and say no more before it closes.
    this.#inflate.on('end', () => raw.readableEnded && this.push(null));
    raw.once('end', () => this.#inflate.readableEnded && this.push(null));
    for (const part of [this.#inflate, this.#deflate]) part.on('error', (error) => this.destroy(error));
    raw.once('close', () => this.destroy());
    this.#deflate.pipe(raw, { end: false });
    raw.pipe(this.#inflate);
  }

  override _read(): void {
    this.#inflate.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, written: (error?: Error | null) => void): void {
    this.#deflate.write(chunk, written);
  }

  /** What was gathered goes out as one. */
  override _writev(chunks: { chunk: Buffer }[], written: (error?: Error | null) => void): void {
    this.#deflate.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), written);
  }

  override _final(ended: (error?: Error | null) => void): void {
    this.#deflate.once('end', () => {
      this.#raw.end();
      ended();
    });
    this.#deflate.end();
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    this.#inflate.destroy();
    this.#deflate.destroy();
    this.#raw.destroy();
    destroyed(error);
  }

  /** Gives the raw transport back, when all that was written has gone to it. */
  async detach(): Promise<Duplex> {
    this.#raw.unpipe(this.#inflate);
    await new Promise((written) => this.write('', written));
    // Also where the peer is gone.
    const isOut = new Promise((closed) => this.#deflate.once('close', closed));
    this.#deflate.end();
    await isOut;
    this.#inflate.destroy();
    return this.#raw;
  }
}
