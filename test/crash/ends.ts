// Where each accepted recipient has ended: in a mailbox, in a file, at another host, in the queue, or in a report to the sender;
// in exactly one of them. The ledger of all ways out: who adds one says where its ends are found.
//
// In      what was sent and answered; for each kind of end, how often each recipient of each message was found there
// Out     problems as sentences; repeats at other hosts, which SMTP allows, counted apart

import type { Fate } from './ledger.ts';

export type End = 'mailbox' | 'file' | 'remote' | 'queue' | 'report';

/** `id recipient` -> how often. */
export type Found = ReadonlyMap<string, number>;

interface Sent {
  readonly recipients: readonly string[];
  /** Its fate is settled by who got the answer. */
  readonly record: { readonly fate: Fate };
}

export function endKey(id: string, recipient: string): string {
  return `${id} ${recipient}`;
}

export class Ends {
  readonly #sent = new Map<string, Sent>();
  /** Beyond the first, at other hosts. */
  repeated = 0;

  open(id: string, recipients: readonly string[], record: Sent['record']): void {
    this.#sent.set(id, { recipients, record });
  }

  /** When nothing is under way any more. */
  check(found: Readonly<Partial<Record<End, Found>>>): string[] {
    const problems: string[] = [];
    for (const [id, { recipients, record }] of this.#sent)
      for (const recipient of recipients) {
        const ends = (Object.entries(found) as [End, Found][])
          .map(([end, counts]) => ({ end, count: counts.get(endKey(id, recipient)) ?? 0 }))
          .filter(({ count }) => count > 0);
        for (const { end, count } of ends) {
          if (end === 'remote') this.repeated += count - 1;
          else if (count > 1) problems.push(`${id} for ${recipient} is ${count} times in: ${end}`);
        }
        if (ends.length > 1)
          problems.push(`${id} for ${recipient} has ended in ${ends.map(({ end }) => end).join(' and ')}`);
        if (ends.length === 0 && record.fate === 'acknowledged')
          problems.push(`${id} for ${recipient} has ended nowhere`);
        if (ends.length > 0 && record.fate === 'refused')
          problems.push(`${id} for ${recipient} was refused, and is in: ${ends[0]!.end}`);
      }
    return problems;
  }
}
