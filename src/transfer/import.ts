// Messages in the text form (text-form.ts) on their way in, page by page, as an administrator brings them.
//
// In      pages: the first one has the whole head
// Out     the message accepted as any other, its bytes as they came: no field is added but Return-Path
// States  begun -> pages -> finished, or given up: after a failure, and IDLE_MS without a page
// Limits  IMPORTS_MAX at a time; bytesMax a message
// Errors  Failure('invalid') names the line of the head; 'too-large', 'too-many'; 'not-found' for one that has been given up
// X-Login counts where the directory has the entry, X-Channel where somebody has made a channel of that name to other hosts,
// X-Arrived is when the mailbox says that it came. Who brings it may relay.

import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { MessageId } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { ANONYMOUS, type Caller, callerOf } from '../directory/caller.ts';
import { parseDn } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { formatSender } from '../message/envelope.ts';
import { returnPathField } from '../message/trace.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { takesToHosts } from '../routing/targets.ts';
import { Intake, type Intakes } from '../store/intake.ts';
import type { Submission, Submitted } from './submit.ts';
import { crlfOf, parseTextHead, type TextForm } from './text-form.ts';

const IMPORTS_MAX = 8;
const IDLE_MS = 60_000;

export interface ImportParts {
  readonly reader: Reader;
  readonly routing: Pick<RoutingCache, 'settings'>;
  readonly clock: Clock;
  readonly intakes: Intakes;
  readonly nextId: () => MessageId;
  readonly submit: (submission: Submission) => Promise<Submitted>;
  readonly bytesMax: number;
}

export interface ImportPage {
  /** Undefined: it begins. */
  readonly token: string | undefined;
  readonly bytes: Buffer;
  readonly isLast: boolean;
  /** The message has no CRLF: each LF becomes one. Of the first page. */
  readonly isLf: boolean;
}

interface Import {
  readonly form: TextForm;
  readonly intake: Intake;
  readonly isLf: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class Imports {
  readonly #parts: ImportParts;
  readonly #begun = new Map<string, Import>();

  constructor(parts: ImportParts) {
    this.#parts = parts;
  }

  /** Gives the token for the next page, or what has become of the message. */
  async take(page: ImportPage): Promise<{ readonly token: string } | { readonly submitted: Submitted }> {
    const token = page.token ?? randomUUID();
    const { own, body } =
      page.token === undefined ? this.#begin(token, page) : { own: this.#known(page.token), body: page.bytes };
    clearTimeout(own.timer);
    try {
      if (own.intake.length + body.length > this.#parts.bytesMax)
        throw new Failure('too-large', `the message has more than ${this.#parts.bytesMax} bytes`);
      await own.intake.write(own.isLf ? crlfOf(body) : body);
      if (page.isLast) return { submitted: await this.#finish(token, own) };
      own.timer = setTimeout(() => this.#giveUp(token), IDLE_MS).unref();
      return { token };
    } catch (error) {
      this.#giveUp(token);
      throw error;
    }
  }

  #known(token: string): Import {
    const own = this.#begun.get(token);
    if (own === undefined) throw new Failure('not-found', 'this import has been given up');
    return own;
  }

  #begin(token: string, { bytes, isLf }: ImportPage): { readonly own: Import; readonly body: Buffer } {
    const { form, bodyAt } = parseTextHead(bytes, this.#parts.clock.now());
    if (this.#begun.size >= IMPORTS_MAX) throw new Failure('too-many', `${IMPORTS_MAX} messages are being imported`);
    const preamble = { returnPath: returnPathField(formatSender(form.envelope.sender)), fields: '' };
    const intake = new Intake(this.#parts.intakes, this.#parts.nextId(), () => preamble);
    const own = { form, intake, isLf, timer: undefined };
    this.#begun.set(token, own);
    return { own, body: bytes.subarray(bodyAt) };
  }

  #giveUp(token: string): void {
    const own = this.#begun.get(token);
    if (own === undefined) return;
    clearTimeout(own.timer);
    this.#begun.delete(token);
    own.intake.abandon();
  }

  async #finish(token: string, { form, intake }: Import): Promise<Submitted> {
    const { clock, submit } = this.#parts;
    const message = await intake.finish(Math.min(form.arrivedAt ?? clock.now(), clock.now()));
    this.#begun.delete(token);
    try {
      return await submit({
        envelope: form.envelope,
        message,
        caller: this.#callerOf(form),
        mayRelay: true,
        door: 'sendmail',
        refused: 'return',
        ...this.#channelOf(form),
      });
    } finally {
      message.pending.settle();
    }
  }

  /** What is no name of an entry here says nothing to us. */
  #callerOf({ login }: TextForm): Caller {
    if (login === undefined) return ANONYMOUS;
    try {
      const entry = findEntry(this.#parts.reader, parseDn(login));
      return entry === undefined ? ANONYMOUS : callerOf(entry);
    } catch (error) {
      if (error instanceof Failure && error.kind !== 'unavailable') return ANONYMOUS;
      throw error;
    }
  }

  /** A channel that every site has says nothing of what was wanted. */
  #channelOf({ channel }: TextForm): { readonly channel?: string } {
    const row = channel === undefined ? undefined : this.#parts.routing.settings().channels.get(channel);
    return row !== undefined && row.key !== row.channelKind && takesToHosts(row) ? { channel: row.key } : {};
  }
}
