// What other name servers that have our zones are given: whole zones, differences, and answers that a key signs.
//
// In      a query for AXFR or IXFR, of the catalog, or with a TSIG record
// Out     a series of messages, each made when the one before it is sent, and between them what only took time; or one message; each
//         signed when the query was
// Limits  limits.ts: a message. A record alone that is larger stands in a message of its own
// RFC 1995 §2 §4, RFC 5936 §2.2 §4, RFC 8945 §5, RFC 9432 §5

import { asciiLower } from '../../base/characters.ts';
import { systemClock } from '../../base/clock.ts';
import { DNS_HEADER_BYTES } from '../../wire/dns/buffer.ts';
import { typeCode } from '../../wire/dns/codes.ts';
import type { DnsMessage, Question } from '../../wire/dns/message.ts';
import { type ResourceRecord, recordBytesAtMost } from '../../wire/dns/rdata.ts';
import { refusalByTsig, type TsigKey, TsigSeries, tsigBytes, verifyTsig } from '../../wire/dns/tsig.ts';
import type { QueryOrigin } from './answer.ts';
import { TRANSFER_BYTES } from './limits.ts';

export interface TransferGiven {
  /** All of the answer, a page at a time, the SOA records that begin and end it among them. */
  readonly records: Iterable<readonly ResourceRecord[]>;
}

export interface ZoneTransfers {
  /** `name` in lower case. Of several with this name that of the peer comes first. */
  key(name: string, peerAddress: string): TsigKey | undefined;
  /** Undefined: a query like any other. `from.key`: the name of the key that has signed it. May throw a Failure. */
  give(
    query: DnsMessage & { readonly question: Question },
    from: QueryOrigin & { readonly key: string | undefined },
  ): TransferGiven | { readonly rcode: number } | undefined;
}

const CATALOG = Buffer.from('\x07catalog', 'latin1');
/** Of whichever class: one that is wrong is refused, not passed over. */
const TSIG_MARK = Buffer.of(0, typeCode('TSIG'));
const OPT = 41;
const TYPES = [typeCode('AXFR'), typeCode('IXFR')];

/** Read from the octets: most queries are not, and are answered from memory. Some that are not look as if. */
export function isForSecondaries(octets: Uint8Array): boolean {
  let at = DNS_HEADER_BYTES;
  while (at < octets.length && octets[at] !== 0) at += 1 + octets[at]!;
  if (octets[at + 1] === 0 && TYPES.includes(octets[at + 2]!)) return true;
  const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  if (octets[11] !== 0 && !isOptAlone(octets, at) && bytes.includes(TSIG_MARK, at)) return true;
  if (octets[DNS_HEADER_BYTES] !== CATALOG[0]) return false;
  return (
    asciiLower(bytes.toString('latin1', DNS_HEADER_BYTES, DNS_HEADER_BYTES + CATALOG.length)) === CATALOG.toString()
  );
}

/** Nothing stands behind the question, whose name ends at `at`, but an OPT record. */
function isOptAlone(octets: Uint8Array, at: number): boolean {
  const counts = octets.subarray(6, DNS_HEADER_BYTES);
  return counts.every((count, i) => count === (i === 5 ? 1 : 0)) && octets[at + 5] === 0 && octets[at + 7] === OPT;
}

export interface Seal {
  /** The name of the key. */
  readonly key: string | undefined;
  /** What stays free in each message. */
  readonly bytes: number;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export interface Sealed {
  readonly octets: Uint8Array;
  readonly peerAddress: string;
  /** OPT for a refusal, where the query has one. */
  readonly opt: Uint8Array | undefined;
}

/** How the answer is signed, or how a signature that is no good is refused. */
export function openSeal(
  transfers: ZoneTransfers,
  { octets, peerAddress, opt }: Sealed,
): Seal | { readonly refusal: Uint8Array } {
  const now = (): number => Math.floor(systemClock.now() / 1000);
  const verified = verifyTsig(octets, (name) => transfers.key(name, peerAddress), { now: now() });
  if (verified === undefined) return { key: undefined, bytes: 0, sign: (message) => message };
  if ('error' in verified) return { refusal: refusalByTsig(octets, { ...verified, opt }, now()) };
  const series = new TsigSeries(verified.key, verified.mac, now);
  return { key: verified.key.name, bytes: tsigBytes(verified.key), sign: (message) => series.sign(message) };
}

/** Records gathered into messages. Undefined behind each page that makes none full: who sends has had enough of one turn. */
export function* sealedSeries(
  pages: Iterable<readonly ResourceRecord[]>,
  message: (answers: readonly ResourceRecord[], isFirst: boolean) => Uint8Array,
  seal: Seal,
): Generator<Uint8Array | undefined, undefined> {
  let gathered: ResourceRecord[] = [];
  let bytes = 0;
  let isFirst = true;
  const take = (): Uint8Array => {
    const made = seal.sign(message(gathered, isFirst));
    gathered = [];
    bytes = 0;
    isFirst = false;
    return made;
  };
  for (const page of pages) {
    let isTaken = false;
    for (const record of page) {
      const more = recordBytesAtMost(record);
      if (gathered.length > 0 && bytes + more > TRANSFER_BYTES) {
        isTaken = true;
        yield take();
      }
      gathered.push(record);
      bytes += more;
    }
    if (!isTaken) yield undefined;
  }
  if (gathered.length > 0) yield take();
  return undefined;
}
