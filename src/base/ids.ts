// Message, queue and segment ids: time-ordered integers below 2^53 with a node number, one sequence for all threads.
//
// Layout  tick * 64 + node; a tick is 1/64 ms since 2026-01-01, so 47 bits last until 2095
// Never   goes back: after a restart the first tick lies above the highest id in the store

declare const named: unique symbol;
/**
 * A number that names one kind of thing: no other is taken in its stead, say a mailbox for an account or a sequence number
 * for a UID. It is a plain number wherever one is enough. Numbers become ids where they come in, by idOf.
 */
export type Id<Kind extends string> = number & { readonly [named]: Kind };

export type AccountId = Id<'account'>;
/** Within its account; INBOX is 1. */
export type MailboxId = Id<'mailbox'>;
/** Within its mailbox. */
export type Uid = Id<'uid'>;
/** One count for the whole store. */
export type Modseq = Id<'modseq'>;
export type MessageId = Id<'message'>;
export type SegmentId = Id<'segment'>;
export type QueueRowId = Id<'queue row'>;
/** Of the directory. */
export type Revision = Id<'revision'>;
/** Its low 32 bits, as all threads see it: says that there is another, not which is newer. */
export type PublishedRevision = Id<'published revision'>;

/** The id that a column, an argument or a sum holds; the caller answers for its kind. */
export function idOf<Of extends Id<string>>(value: unknown): Of {
  return Number(value) as Of;
}

/** Epoch milliseconds of tick 0. */
export const ID_EPOCH_MS = Date.UTC(2026, 0, 1);
const TICKS_PER_MS = 64;
const NODES = 64;

/** A mail system's ids: `shared` is one BigInt64 in memory that all threads see, `node` below 64. */
export class Ids {
  readonly #last: BigInt64Array;
  readonly #node: number;
  readonly #now: () => number;

  constructor(shared: BigInt64Array, node: number, now: () => number) {
    if (node < 0 || node >= NODES) throw new Error(`node number ${node}`);
    this.#last = shared;
    this.#node = node;
    this.#now = now;
  }

  /** The caller says what it will name. */
  next<Of extends number>(): Of {
    const wall = BigInt(Math.max(0, Math.floor((this.#now() - ID_EPOCH_MS) * TICKS_PER_MS)));
    for (;;) {
      const last = Atomics.load(this.#last, 0);
      const tick = wall > last ? wall : last + 1n;
      if (Atomics.compareExchange(this.#last, 0, last, tick) === last) return (Number(tick) * NODES + this.#node) as Of;
    }
  }

  /** Called once at start with the highest id of the store, before any thread takes one. */
  startAbove(id: number): void {
    const tick = BigInt(Math.floor(id / NODES));
    if (tick > Atomics.load(this.#last, 0)) Atomics.store(this.#last, 0, tick);
  }
}

/** When an id was made, epoch milliseconds. */
export function idTime(id: number): number {
  return ID_EPOCH_MS + Math.floor(id / NODES / TICKS_PER_MS);
}

/** The lowest id of a millisecond, for comparing. */
export function idFloor(at: number): number {
  return Math.floor((at - ID_EPOCH_MS) * TICKS_PER_MS) * NODES;
}

const DIGITS = '0123456789bcdfghjklmnpqrstvwxyz';
const BASE = DIGITS.length;

/** The short text of an id as it stands in Received, log, journey and replies: no vowels, so no words. */
export function idText(id: number): string {
  let text = '';
  let rest = id;
  do {
    text = DIGITS.charAt(rest % BASE) + text;
    rest = Math.floor(rest / BASE);
  } while (rest > 0);
  return text;
}

/** The id of such a text, undefined when it is none. The caller knows what it names. */
export function parseIdText<Of extends Id<string>>(text: string): Of | undefined {
  if (text.length === 0 || text.length > 12) return undefined;
  let id = 0;
  for (const c of text.toLowerCase()) {
    const digit = DIGITS.indexOf(c);
    if (digit < 0) return undefined;
    id = id * BASE + digit;
  }
  return Number.isSafeInteger(id) ? idOf(id) : undefined;
}
