// What was sent, what was answered, and where it was found: the judge of the soak test, who knows nothing of how mail is kept.
//
// A place is a mailbox, by its login, or the recipient at another host. Mailboxes are emptied while mail comes: a copy that was taken
// away is as good as one that is there, and may not come back.
//
// States of a message  open          sent, and the answer was lost: in each of its places once, or not at all
//                      acknowledged  in each of its places once. At another host once at least; what it has twice is counted
//                      refused       nowhere
// States of a copy     there -> taking (its removal was asked for) -> taken (and answered)
// Out  problems as sentences. Never reads a mailbox itself

import { sha } from '../crash/ledger.ts';
import { recognize } from '../crash/message.ts';

export interface SentMessage {
  readonly id: string;
  readonly places: readonly string[];
  readonly sha: string;
  fate: 'open' | 'acknowledged' | 'refused';
}

interface Copy {
  readonly id: string;
  state: 'there' | 'taking' | 'taken';
}

export interface FoundCopy {
  readonly uid: number;
  readonly id: string | undefined;
  readonly sha: string | undefined;
}

export class Ledger {
  readonly #sent = new Map<string, SentMessage>();
  /** Place -> UID -> what stood there. */
  readonly #copies = new Map<string, Map<number, Copy>>();
  /** `id for place` -> how often it has come. */
  readonly #arrivals = new Map<string, number>();
  readonly #problem: (sentence: string) => void;
  /** To these places mail goes over SMTP, too, and a repeat is legal where a kill comes in between. */
  readonly #relayed: ReadonlySet<string>;
  #ids = 0;
  #repeats = 0;

  constructor(relayed: ReadonlySet<string>, problem: (sentence: string) => void) {
    this.#relayed = relayed;
    this.#problem = problem;
  }

  nextId(): string {
    return `m${++this.#ids}`;
  }

  open(id: string, places: readonly string[], message: Uint8Array): SentMessage {
    const sent: SentMessage = { id, places, sha: sha(message), fate: 'open' };
    this.#sent.set(id, sent);
    return sent;
  }

  count(fate: SentMessage['fate']): number {
    return this.#sent.values().reduce((sum, sent) => sum + (sent.fate === fate ? 1 : 0), 0);
  }

  /** Another host or the second server has taken the same once more. */
  get repeats(): number {
    return this.#repeats;
  }

  /** Of a mailbox, whose UIDs are never used twice. */
  seen(place: string, { uid, id, sha: seen }: FoundCopy): void {
    const copies = this.#copiesOf(place);
    const known = copies.get(uid);
    const sent = this.#sent.get(id ?? '');
    if (known !== undefined) {
      if (known.id !== id) this.#problem(`UID ${uid} of ${place} was ${known.id}, is ${id}`);
      if (known.state === 'taken') this.#problem(`${id} (UID ${uid} of ${place}) is there again`);
      return;
    }
    copies.set(uid, { id: id ?? '', state: 'there' });
    if (sent === undefined) {
      this.#problem(`UID ${uid} of ${place} was never sent (${id ?? 'no id'})`);
      return;
    }
    if (seen !== undefined && seen !== sent.sha) this.#problem(`${id} in ${place} is not what was sent`);
    this.#arrived(`${id} for ${place}`);
  }

  taking(place: string, uids: readonly number[]): void {
    for (const uid of uids) this.#copiesOf(place).get(uid)!.state = 'taking';
  }

  taken(place: string, uids: readonly number[]): void {
    for (const uid of uids) this.#copiesOf(place).get(uid)!.state = 'taken';
  }

  /** At another host; an octet a character. */
  abroad(recipients: readonly string[], data: string): void {
    const known = recognize(Buffer.from(data, 'latin1'));
    const sent = this.#sent.get(known?.id ?? '');
    if (known === undefined || sent === undefined) {
      this.#problem(`another host got for ${recipients.join(', ')} what was never sent`);
      return;
    }
    if (sha(known.sent) !== sent.sha) this.#problem(`${known.id} at another host is not what was sent`);
    for (const recipient of recipients) this.#arrived(`${known.id} for ${recipient}`);
  }

  /** When nothing is under way any more: `mailboxes` has the UIDs that are in each, `queue` the recipients that wait. */
  check(mailboxes: ReadonlyMap<string, ReadonlySet<number>>, queue: ReadonlySet<string>): void {
    for (const [place, found] of mailboxes)
      for (const [uid, { id, state }] of this.#copiesOf(place))
        if (state === 'there' && !found.has(uid)) this.#problem(`${id} (UID ${uid} of ${place}) is gone`);
    const due = new Set<string>();
    for (const { id, places, fate } of this.#sent.values())
      for (const place of places) {
        due.add(`${id} for ${place}`);
        const count = this.#arrivals.get(`${id} for ${place}`) ?? 0;
        const isHere = mailboxes.has(place);
        if (fate === 'acknowledged' && count === 0 && !queue.has(place)) this.#problem(`${id} for ${place} is lost`);
        if (fate === 'refused' && count > 0) this.#problem(`${id} for ${place} was refused, and is there`);
        if (count > 1 && isHere && !this.#relayed.has(place))
          this.#problem(`${id} is in ${place} ${count} times, once each under another UID`);
      }
    for (const key of this.#arrivals.keys()) if (!due.has(key)) this.#problem(`${key} is where it was not sent`);
  }

  #copiesOf(place: string): Map<number, Copy> {
    let copies = this.#copies.get(place);
    if (copies === undefined) this.#copies.set(place, (copies = new Map()));
    return copies;
  }

  #arrived(key: string): void {
    const count = (this.#arrivals.get(key) ?? 0) + 1;
    this.#arrivals.set(key, count);
    if (count > 1) this.#repeats++;
  }
}
