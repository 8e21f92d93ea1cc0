// The views of mailboxes that the sessions of a thread share, and what has changed between them: both are read once.
//
// In      which mailbox, and up to where a session knows it
// Out     the view of that state; the changes that follow it
// Limits  what nobody has asked for in KEPT_MS goes; LOADED_MAX UIDs together: then the view that waits longest goes first. A
//         session that uses a view holds it by itself; one that waits holds none, and gets it again from here or from the rows
// Never   gives an older state than is committed: the mailbox's row is read at each question for changes

import type { Clock } from '../../base/clock.ts';
import type { Modseq, Uid } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import { changesSince, type KnownState, type MailboxChanges, PastUids, readerState } from '../../store/changes.ts';
import type { MailboxAccess, MailboxKey } from '../../store/mailbox-key.ts';
import { MailboxView, type ViewState } from './mailbox-view.ts';

const KEPT_MS = 30_000;
const SWEEP_MS = 10_000;
const LOADED_MAX = 16 * 1024 * 1024;
/** Views and changes of a mailbox that is busy: sessions follow one after another. */
const STATES_A_MAILBOX = 4;

interface Kept<T> {
  readonly value: T;
  usedAt: number;
}

/** What leads from one state to the next, for all sessions that stand at the first. */
export interface SharedChanges extends MailboxChanges {
  /** From the view that they begin at. Made by the first session that asks. */
  readonly follow: (view: MailboxView) => FollowedView;
}

interface FollowedView {
  /** With what has come, without what has gone. */
  readonly view: MailboxView;
  /** Of what has gone, highest first. */
  readonly numbers: readonly number[];
}

interface KeptMailbox {
  readonly views: Map<Modseq, Kept<MailboxView>>;
  /** By where they begin, and whose flags they show. */
  readonly changes: Map<string, Kept<SharedChanges>>;
}

export class Views {
  readonly #reader: Reader;
  readonly #clock: Clock;
  readonly #mailboxes = new Map<string, KeptMailbox>();
  #timer: NodeJS.Timeout | undefined;

  constructor(reader: Reader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  /** The view of a mailbox at a state, undefined when nobody has one. */
  find(key: MailboxKey, modseq: Modseq): MailboxView | undefined {
    const kept = this.#mailboxes.get(nameOf(key))?.views.get(modseq);
    if (kept !== undefined) kept.usedAt = this.#clock.monotonic();
    return kept?.value;
  }

  /** The same, or one that loads what it is asked for; `newest` are the UIDs of the last messages, as far as they are known. */
  get(key: MailboxKey, state: ViewState, newest: readonly Uid[] = []): MailboxView {
    return this.find(key, state.modseq) ?? this.keep(key, state.modseq, this.#make(key, state, newest));
  }

  #make({ owner, mailbox }: MailboxKey, state: ViewState, newest: readonly Uid[]): MailboxView {
    const key = { owner, mailbox };
    return MailboxView.at(state, newest, (modseq, below) => new PastUids(this.#reader, key, modseq, below));
  }

  /** The view of a whole state, for other sessions. */
  keep(key: MailboxKey, modseq: Modseq, view: MailboxView): MailboxView {
    this.#keep(this.#kept(key).views, modseq, view);
    return view;
  }

  /** As changesSince; `known` must be a whole state, or a part of changes on the way to one. */
  changesSince(access: MailboxAccess, known: KnownState): SharedChanges | undefined {
    const state = readerState(this.#reader, access);
    if (state === undefined) return undefined;
    if (state.modseq === known.modseq) {
      const none = { modseq: state.modseq, more: false, vanished: [], changed: [], added: [], state };
      return { ...none, follow: (view) => ({ view, numbers: [] }) };
    }
    const mailbox = this.#kept(access);
    const at = `${known.modseq} ${known.lastUid} ${access.reader} ${access.status ?? ''}`;
    const kept = mailbox.changes.get(at);
    // Whoever has claimed messages as recent has moved no modseq.
    if (kept !== undefined && kept.value.state.modseq === state.modseq) return { ...kept.value, state };
    const changes = changesSince(this.#reader, access, known);
    if (changes === undefined) return undefined;
    const shared = { ...changes, follow: followOnce(changes, known) };
    this.#keep(mailbox.changes, at, shared);
    return shared;
  }

  #kept(key: MailboxKey): KeptMailbox {
    const name = nameOf(key);
    let mailbox = this.#mailboxes.get(name);
    if (mailbox === undefined) {
      mailbox = { views: new Map(), changes: new Map() };
      this.#mailboxes.set(name, mailbox);
    }
    this.#sweepLater();
    return mailbox;
  }

  #keep<K, V>(kept: Map<K, Kept<V>>, at: K, value: V): void {
    kept.delete(at);
    kept.set(at, { value, usedAt: this.#clock.monotonic() });
    if (kept.size <= STATES_A_MAILBOX) return;
    const [oldest] = kept.keys();
    kept.delete(oldest!);
  }

  #sweepLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.sweep(this.#clock.monotonic() - KEPT_MS);
    }, SWEEP_MS).unref();
  }

  /** Drops what nobody has asked for since `before`, on the monotonic clock. */
  sweep(before: number): void {
    const left: { readonly views: Map<Modseq, Kept<MailboxView>>; readonly modseq: Modseq; readonly usedAt: number }[] =
      [];
    let loaded = 0;
    for (const [name, { views, changes }] of this.#mailboxes) {
      for (const [modseq, { value, usedAt }] of views) {
        if (usedAt < before) views.delete(modseq);
        else {
          loaded += value.loadedCount;
          left.push({ views, modseq, usedAt });
        }
      }
      for (const [at, { usedAt }] of changes) if (usedAt < before) changes.delete(at);
      if (views.size === 0 && changes.size === 0) this.#mailboxes.delete(name);
    }
    if (loaded > LOADED_MAX) {
      left.sort((a, b) => a.usedAt - b.usedAt);
      for (const { views, modseq } of left) {
        if (loaded <= LOADED_MAX) break;
        loaded -= views.get(modseq)?.value.loadedCount ?? 0;
        views.delete(modseq);
      }
    }
    if (this.#mailboxes.size > 0) this.#sweepLater();
  }
}

function nameOf({ owner, mailbox }: MailboxKey): string {
  return `${owner} ${mailbox}`;
}

function followOnce({ vanished, added, modseq }: MailboxChanges, { lastUid }: KnownState): SharedChanges['follow'] {
  let followed: FollowedView | undefined;
  return (from) => {
    if (followed !== undefined) return followed;
    const { view, numbers } = from.without(new Set(vanished.filter((uid) => uid <= lastUid)), modseq);
    followed = { view: view.with(added, modseq), numbers };
    return followed;
  };
}
