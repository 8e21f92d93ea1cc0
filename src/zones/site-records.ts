// Records that an entry says itself: attributes of dNSDomain and dNSDomain2, whose values are the data of zone files.
//
// In      an entry; or the text of one value
// Out     type and data in the one spelling in which equal records are equal; what is none of it, as problems
// Names are absolute, with a final dot or without: in a directory there is no origin.
// Limits  RECORDS_MAX records of one entry, TEXT_BYTES of one value
// RFC 1035 §5.1, RFC 2782, RFC 3596 §2.4, RFC 4524 §3.4, RFC 6698 §2.2, RFC 8659 §4.1.1

import { asciiLower } from '../base/characters.ts';
import { SyntaxFailure } from '../base/cursor.ts';
import { type Entry, textValues } from '../directory/entry.ts';
import { ROOT } from '../wire/dns/name.ts';
import type { Rdata } from '../wire/dns/rdata.ts';
import { rdataText } from '../wire/dns/text.ts';
import { parseRdata, type WrittenType } from '../wire/dns/zone-file.ts';

type SiteType = WrittenType;

/** Type and data, the text of zone files. */
export type SiteRecord = readonly [type: SiteType, data: string];

/** A value that means nothing to DNS and is left out. */
export interface ZoneProblem {
  readonly attribute: string;
  readonly value: string;
  readonly reason: string;
}

const RECORDS_MAX = 1000;
const TEXT_BYTES = 4096;

/** In the order in which they stand in a row. */
const ATTRIBUTES: readonly (readonly [attribute: string, type: SiteType])[] = [
  ['aRecord', 'A'],
  ['aAAARecord', 'AAAA'],
  ['mXRecord', 'MX'],
  ['nSRecord', 'NS'],
  ['cNAMERecord', 'CNAME'],
  ['tXTRecord', 'TXT'],
  ['sRVRecord', 'SRV'],
  ['cAARecord', 'CAA'],
  ['tLSARecord', 'TLSA'],
  ['pTRRecord', 'PTR'],
];

export function siteRecordsOf(entry: Entry, problems: ZoneProblem[]): readonly SiteRecord[] {
  const records: SiteRecord[] = [];
  for (const [attribute, type] of ATTRIBUTES) {
    const found: string[] = [];
    for (const value of textValues(entry, asciiLower(attribute))) {
      try {
        const text = rdataText(siteRdata(type, value));
        if (!found.includes(text)) found.push(text);
      } catch (error) {
        if (!(error instanceof SyntaxFailure)) throw error;
        problems.push({ attribute, value, reason: `is no ${type} record: ${error.message}` });
      }
    }
    records.push(...found.sort().map((text): SiteRecord => [type, text]));
  }
  if (records.length > RECORDS_MAX)
    problems.push({ attribute: 'aRecord', value: `${records.length} records`, reason: `are more than ${RECORDS_MAX}` });
  return records.slice(0, RECORDS_MAX);
}

export function hasSiteRecords(entry: Entry): boolean {
  return ATTRIBUTES.some(([attribute]) => entry.attributes.has(asciiLower(attribute)));
}

/** Throws a SyntaxFailure for what is no data of this type: names are absolute, with and without their final dot. */
function siteRdata(type: SiteType, text: string): Rdata {
  if (text.length > TEXT_BYTES) throw new SyntaxFailure(`at most ${TEXT_BYTES} characters`, TEXT_BYTES);
  return parseRdata(type, text, ROOT);
}

/** Of a value what was made from it: in a WeakMap a zone of 100,000 names would be walked at each collection. */
const PARSED = Symbol('parsed');

/** A row is made once, and asked often. */
export function siteRdatas(
  site: (readonly SiteRecord[] & { [PARSED]?: readonly Rdata[] }) | undefined,
): readonly Rdata[] {
  if (site === undefined) return [];
  site[PARSED] ??= site.map(([type, text]) => siteRdata(type, text));
  return site[PARSED];
}

/**
 * What an owner has: what the entry says replaces what is generated of the same type; of texts only the one that says it is of
 * the same kind (`v=spf1`); exchanges are added. An alias stands alone.
 */
export function mergeSite(generated: readonly Rdata[], site: readonly Rdata[]): readonly Rdata[] {
  if (site.length === 0) return generated;
  const alias = site.find(({ type }) => type === 'CNAME');
  if (alias !== undefined) return [alias];
  const tags = new Set(site.flatMap((one) => (one.type === 'TXT' ? (versionTag(one.strings) ?? []) : [])));
  const types = new Set(site.map(({ type }) => type));
  const kept = generated.filter((one) => {
    if (one.type === 'TXT') return !tags.has(versionTag(one.strings) ?? '');
    // A null MX would be one among others. RFC 7505 §3
    if (one.type === 'MX') return !types.has('MX') || one.exchange !== '.';
    return !types.has(one.type as SiteType);
  });
  if (kept.length === 0) return site;
  const texts = new Set(kept.map((one) => `${one.type} ${rdataText(one)}`));
  return [...kept, ...site.filter((one) => !texts.has(`${one.type} ${rdataText(one)}`))];
}

/** `v=spf1` of `v=spf1 mx ~all`, in lower case; undefined for a text that is of no kind. */
export function versionTag(strings: readonly string[]): string | undefined {
  const text = strings.join('').slice(0, 40);
  if (text.slice(0, 2).toLowerCase() !== 'v=') return undefined;
  const end = /[\s;]/.exec(text)?.index ?? text.length;
  return asciiLower(text.slice(0, end));
}
