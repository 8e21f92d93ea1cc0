// What was answered to the clients, kept in the memory of the harness: the judge of every crash.
//
// States of a message    open          sent, and the connection broke before an answer: once or not at all is legal
//                        acknowledged  250 or OK was read: from now on it is there, once, in each of its mailboxes
//                        refused       4xx, 5xx, NO: it is nowhere
// A check after a crash settles what was open by what it finds; found or not, it must stay so.
// Out   problems as sentences; counts. Never reads a mailbox itself.

import { createHash } from 'node:crypto';

export type Fate = 'open' | 'acknowledged' | 'refused';

export interface MessageRecord {
  readonly id: string;
  /** Logins; of what goes out the places where it is due (ends.ts). */
  readonly recipients: readonly string[];
  /** Undefined: what arrives is not what was sent. */
  readonly sha: string | undefined;
  /** `append` gives flags and a UID; where `out` ends, ends.ts judges. */
  readonly kind: 'deliver' | 'append' | 'out';
  fate: Fate;
  uid: number | undefined;
  /** Flags that an answer said are set or not; `open` when the connection broke first. */
  readonly flags: Map<string, boolean | 'open'>;
  expunged: boolean | 'open';
}

export interface FoundMessage {
  readonly uid: number;
  readonly id: string | undefined;
  readonly flags: readonly string[];
  /** Of the octets that were sent; undefined when this check did not fetch the body. */
  readonly sha: string | undefined;
  /** Of a report to a sender: the recipients that it is about. */
  readonly report?: readonly string[] | undefined;
}

export interface Problems {
  lost: number;
  doubled: number;
  /** In some mailboxes of one transaction and not in others. */
  torn: number;
  corrupt: number;
  /** There without a reason: refused, settled as absent, expunged, or never sent. */
  alien: number;
  flags: number;
  /** The UID of the answer is not the message's, or a message changed its UID. */
  uids: number;
  /** Recipients that have not ended in exactly one place (ends.ts). */
  ends: number;
  /** Rows in no legal state, as `waypost mailbox check` names them (docs/states.md). */
  states: number;
}

export class Ledger {
  readonly messages = new Map<string, MessageRecord>();
  readonly entries = new Map<string, Fate>();
  readonly problems: Problems = {
    lost: 0,
    doubled: 0,
    torn: 0,
    corrupt: 0,
    alien: 0,
    flags: 0,
    uids: 0,
    ends: 0,
    states: 0,
  };
  /** The first problems in words. */
  readonly sentences: string[] = [];
  /** Never acknowledged and there all the same, once: legal, and worth knowing. */
  phantoms = 0;
  /** mailbox -> UID -> id, as found so far. */
  readonly #known = new Map<string, Map<number, string>>();

  open(
    kind: MessageRecord['kind'],
    id: string,
    recipients: readonly string[],
    message: Uint8Array | undefined,
  ): MessageRecord {
    const record: MessageRecord = {
      id,
      kind,
      recipients,
      sha: message === undefined ? undefined : sha(message),
      fate: 'open',
      uid: undefined,
      flags: new Map(),
      expunged: false,
    };
    this.messages.set(id, record);
    return record;
  }

  acknowledged(): number {
    let count = 0;
    for (const { fate } of this.messages.values()) if (fate === 'acknowledged') count++;
    return count;
  }

  problem(kind: keyof Problems, sentence: string): void {
    this.problems[kind]++;
    if (this.sentences.length < 40) this.sentences.push(`${kind}: ${sentence}`);
  }

  /** Compares every mailbox with what was said, and settles what was open. */
  check(mailboxes: ReadonlyMap<string, readonly FoundMessage[]>): void {
    const places = new Map<string, string[]>();
    for (const [login, found] of mailboxes) {
      const known = this.#known.get(login) ?? new Map<number, string>();
      for (const message of found) {
        this.#checkFound(login, message, known);
        if (message.id === undefined) continue;
        const at = places.get(message.id);
        if (at === undefined) places.set(message.id, [login]);
        else at.push(login);
      }
      this.#known.set(login, new Map(found.map(({ uid, id }) => [uid, id ?? ''])));
    }
    for (const record of this.messages.values())
      if (record.kind !== 'out') this.#checkPlaces(record, places.get(record.id) ?? []);
  }

  #checkFound(login: string, message: FoundMessage, known: ReadonlyMap<number, string>): void {
    const before = known.get(message.uid);
    const id = message.id ?? '';
    if (before !== undefined && before !== id)
      this.problem('uids', `UID ${message.uid} of ${login} was ${before}, is ${id}`);
    const record = message.id === undefined ? undefined : this.messages.get(message.id);
    if (record === undefined) {
      // Reported once: afterwards it is known.
      if (before === undefined)
        this.problem('alien', `UID ${message.uid} of ${login} was never sent (${id || 'no id'})`);
      return;
    }
    if (message.sha !== undefined && record.sha !== undefined && message.sha !== record.sha)
      this.problem('corrupt', `${record.id} in ${login} is not what was sent`);
    if (record.kind !== 'append') return;
    if (record.uid !== undefined && record.uid !== message.uid)
      this.problem('uids', `${record.id} was acknowledged with UID ${record.uid} and has ${message.uid}`);
    record.uid = message.uid;
    for (const [flag, said] of record.flags) {
      const is = message.flags.includes(flag);
      if (said !== 'open' && said !== is) {
        this.problem('flags', `${flag} of ${record.id} (UID ${message.uid} of ${login}) is ${is ? 'set' : 'not set'}`);
      }
      record.flags.set(flag, is);
    }
  }

  #checkPlaces(record: MessageRecord, found: readonly string[]): void {
    const { id } = record;
    if (record.expunged === 'open') record.expunged = found.length === 0;
    const wanted = record.fate === 'acknowledged' && record.expunged !== true;
    if (new Set(found).size < found.length) this.problem('doubled', `${id} in ${found.toSorted().join(', ')}`);
    if (record.fate === 'open') {
      if (found.length > 0) this.phantoms++;
      record.fate = found.length > 0 ? 'acknowledged' : 'refused';
      if (found.length > 0) this.#checkMissing('torn', record, found);
    } else if (wanted) {
      this.#checkMissing(found.length === 0 ? 'lost' : 'torn', record, found);
    } else if (found.length > 0) {
      this.problem('alien', `${id} is in ${found.join(', ')}, but was ${record.expunged ? 'expunged' : 'refused'}`);
    }
  }

  #checkMissing(kind: 'lost' | 'torn', record: MessageRecord, found: readonly string[]): void {
    const missing = record.recipients.filter((login) => !found.includes(login));
    if (missing.length > 0) this.problem(kind, `${record.id} is missing in ${missing.join(', ')}`);
    // Said once: from now on it is expected nowhere.
    if (found.length === 0) record.fate = 'refused';
  }

  /** The directory's entries as found, by DN in lower case. */
  checkEntries(found: ReadonlySet<string>): void {
    for (const [dn, fate] of this.entries) {
      if (fate === 'open') {
        if (found.has(dn)) this.phantoms++;
        this.entries.set(dn, found.has(dn) ? 'acknowledged' : 'refused');
      } else if (fate === 'acknowledged' && !found.has(dn)) {
        this.problem('lost', `entry ${dn}`);
        this.entries.set(dn, 'refused');
      } else if (fate === 'refused' && found.has(dn)) this.problem('alien', `entry ${dn} was refused`);
    }
  }
}

export function sha(octets: Uint8Array): string {
  return createHash('sha1').update(octets).digest('base64');
}
