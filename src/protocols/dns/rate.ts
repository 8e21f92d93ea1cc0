// Response rate limiting: a forged source address gets at most so many equal answers a second, so that this server is of no
// use against others. What is over it goes unanswered, and every second time truncated: who is real asks again over TCP.
//
// In      the address of a client, and what makes its answer equal to others: the name, or the zone of a refusal
// Out     whether to send the answer, a truncated one, or nothing
// Limits  PER_SECOND a network and answer, over a window of WINDOW_SECONDS; BUCKETS_MAX, and the one longest unused goes first
// Never   holds for loopback, TCP, or who has shown a cookie of ours: the caller does not ask then

import { isIPv6 } from 'node:net';
import { ipv6Octets } from '../../wire/dns/address.ts';

export type RateVerdict = 'send' | 'truncate' | 'drop';

const PER_SECOND = 20;
const WINDOW_SECONDS = 15;
const BUCKETS_MAX = 100_000;
/** Octets of an IPv6 address that are one network: /56. */
const NETWORK_BYTES = 7;

interface Bucket {
  /** Answers that may be sent now; below zero, how far it is in debt, at most a window. */
  balance: number;
  /** Milliseconds. */
  at: number;
  /** Answers that were not sent whole. */
  limited: number;
}

export class ResponseRate {
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #now: () => number;

  /** `now`: milliseconds of a clock that does not go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `kind` tells a name's answer from its zone's errors. */
  take(address: string, kind: 'answer' | 'error', name: string): RateVerdict {
    const key = `${networkOf(address)} ${kind} ${name}`;
    const now = this.#now();
    const bucket = this.#touch(key, now);
    bucket.balance = Math.min(PER_SECOND, bucket.balance + ((now - bucket.at) * PER_SECOND) / 1000);
    bucket.at = now;
    if (bucket.balance >= 1) {
      bucket.balance--;
      return 'send';
    }
    bucket.balance = Math.max(-PER_SECOND * WINDOW_SECONDS, bucket.balance - 1);
    return ++bucket.limited % 2 === 0 ? 'truncate' : 'drop';
  }

  #touch(key: string, now: number): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      this.#buckets.delete(key);
      this.#buckets.set(key, known);
      return known;
    }
    if (this.#buckets.size >= BUCKETS_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
    const made = { balance: PER_SECOND, at: now, limited: 0 };
    this.#buckets.set(key, made);
    return made;
  }
}

/** The /24 of an IPv4 address, also of one that is written as IPv6; the /56 of another. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address.slice(0, address.lastIndexOf('.'));
  const octets = ipv6Octets(withoutZone(address));
  const isMapped = octets.subarray(0, 10).every((octet) => octet === 0) && octets[10] === 0xff && octets[11] === 0xff;
  return isMapped ? octets.subarray(12, 15).join('.') : Buffer.from(octets.subarray(0, NETWORK_BYTES)).toString('hex');
}

function withoutZone(address: string): string {
  const at = address.indexOf('%');
  return at < 0 ? address : address.slice(0, at);
}
