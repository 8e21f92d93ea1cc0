// A message as programs and mbox files have it, piece by piece: lines end in LF.
//
// In      pieces of a message whose lines end in CRLF, of any size; a CR that no LF follows stays
// Out     the same lines with LF; in an mbox a line of any number of `>` and then `From ` gets one `>` more, so that it begins no
//         message (mboxrd). The last line is ended
// Limits  six bytes are held back between pieces

import { formatSender } from '../message/envelope.ts';
import { returnPathField } from '../message/trace.ts';
import { BLOB_CHUNK_BYTES, type Blobs } from '../store/blobs.ts';
import type { Delivery } from './channels/channel.ts';

const CR = 0x0d;
export const LINE_END = 0x0a;
const QUOTE = 0x3e;
const FROM = Buffer.from('From ');

class LfText {
  readonly #isMbox: boolean;
  #held = Buffer.alloc(0);
  /** Nothing of the line has come but `>`. */
  #isAtStart = true;
  #last = LINE_END;

  constructor({ isMbox }: { readonly isMbox: boolean }) {
    this.#isMbox = isMbox;
  }

  push(piece: Buffer): Buffer {
    return this.#convert(this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]), false);
  }

  end(): Buffer {
    const rest = this.#convert(this.#held, true);
    return this.#last === LINE_END ? rest : Buffer.concat([rest, Buffer.from([LINE_END])]);
  }

  #convert(data: Buffer, isEnd: boolean): Buffer {
    // At most one byte more for each line, which has five at least.
    const out = Buffer.allocUnsafe(data.length + Math.floor(data.length / FROM.length) + 1);
    let length = 0;
    let at = 0;
    const take = (end: number): void => {
      length += data.copy(out, length, at, end);
      at = end;
    };
    this.#held = Buffer.alloc(0);
    while (at < data.length) {
      if (this.#isAtStart && this.#isMbox) {
        let end = at;
        while (end < data.length && data[end] === QUOTE) end++;
        take(end);
        const seen = data.subarray(at, at + FROM.length);
        const isLike = seen.equals(FROM.subarray(0, seen.length));
        if (isLike && seen.length < FROM.length && !isEnd) return this.#hold(data, at, out.subarray(0, length));
        if (isLike && seen.length === FROM.length) out[length++] = QUOTE;
      }
      this.#isAtStart = false;
      const lf = data.indexOf(LINE_END, at);
      if (lf < 0) {
        const isOpen = data.at(-1) === CR && !isEnd;
        take(isOpen ? data.length - 1 : data.length);
        return this.#hold(data, at, out.subarray(0, length));
      }
      take(lf > at && data[lf - 1] === CR ? lf - 1 : lf);
      out[length++] = LINE_END;
      at = lf + 1;
      this.#isAtStart = true;
    }
    return this.#said(out.subarray(0, length));
  }

  #hold(data: Buffer, from: number, out: Buffer): Buffer {
    this.#held = Buffer.from(data.subarray(from));
    return this.#said(out);
  }

  #said(out: Buffer): Buffer {
    this.#last = out.at(-1) ?? this.#last;
    return out;
  }
}

const PIECE_BYTES = Math.min(256 * 1024, BLOB_CHUNK_BYTES);

/** A delivery's message, below the Return-Path line of its sender. RFC 5321 §4.4 */
export async function* lfMessage(
  blobs: Pick<Blobs, 'read'>,
  { message, envelope }: Pick<Delivery, 'message' | 'envelope'>,
  { isMbox }: { readonly isMbox: boolean },
): AsyncGenerator<Buffer> {
  const text = new LfText({ isMbox });
  yield text.push(Buffer.from(returnPathField(formatSender(envelope.sender), envelope.isUtf8)));
  const { blob, traceBytes } = message;
  for (let at = traceBytes; at < blob.length; at += PIECE_BYTES)
    yield text.push(await blobs.read(blob, at, PIECE_BYTES));
  yield text.end();
}

/** The same behind the line that begins a message in an mbox file, and with the empty one that ends it. `at`: epoch ms. */
export async function* mboxMessage(
  blobs: Pick<Blobs, 'read'>,
  delivery: Pick<Delivery, 'message' | 'envelope'>,
  at: number,
): AsyncGenerator<Buffer> {
  const sender = formatSender(delivery.envelope.sender).replaceAll(' ', '_') || 'MAILER-DAEMON';
  yield Buffer.from(`From ${sender} ${ctime(at)}\n`);
  yield* lfMessage(blobs, delivery, { isMbox: true });
  yield Buffer.from([LINE_END]);
}

/** As ctime(3) writes it, in UTC: `Thu Nov 26 22:20:55 2026`. */
function ctime(at: number): string {
  // Thu, 26 Nov 2026 22:20:55 GMT
  const [day = '', date = '', month = '', year = '', time = ''] = new Date(at)
    .toUTCString()
    .replace(',', '')
    .split(' ');
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`;
}
