// Records as lines of a zone file. RFC 1035 §5.1, RFC 2782, RFC 3597 §5, RFC 6698 §2.2, RFC 8659 §4.1.1

import { octetText, ROOT } from './name.ts';
import type { Rdata, ResourceRecord } from './rdata.ts';

/** A name with its final dot, so that no origin is added to it. */
export function absoluteText(name: string): string {
  return name === ROOT ? name : `${name}.`;
}

export function rdataText(rdata: Rdata): string {
  switch (rdata.type) {
    case 'A':
    case 'AAAA':
      return rdata.address;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return absoluteText(rdata.target);
    case 'MX':
      return `${rdata.preference} ${absoluteText(rdata.exchange)}`;
    case 'SOA': {
      const { serial, refresh, retry, expire, minimum } = rdata;
      const names = `${absoluteText(rdata.mname)} ${absoluteText(rdata.rname)}`;
      return `${names} ${serial} ${refresh} ${retry} ${expire} ${minimum}`;
    }
    case 'TXT':
      return rdata.strings.map(stringText).join(' ');
    case 'SRV':
      return `${rdata.priority} ${rdata.weight} ${rdata.port} ${absoluteText(rdata.target)}`;
    case 'CAA':
      return `${rdata.flags} ${rdata.tag} ${stringText(rdata.value)}`;
    case 'TLSA':
      return `${rdata.usage} ${rdata.selector} ${rdata.matching} ${Buffer.from(rdata.data).toString('hex')}`;
    default:
      return `\\# ${rdata.data.length} ${Buffer.from(rdata.data).toString('hex')}`.trimEnd();
  }
}

/** What needs no escape in quotes and does in a name. */
const QUOTED_PLAIN = ' .;()@$';

function stringText(text: string): string {
  let inside = '';
  for (const c of text) inside += QUOTED_PLAIN.includes(c) ? c : octetText(c.charCodeAt(0));
  return `"${inside}"`;
}

/** `acme.example. 300 IN MX 10 mail.acme.example.`; for class IN. */
export function recordText(record: ResourceRecord): string {
  return `${absoluteText(record.name)} ${record.ttl} IN ${record.type} ${rdataText(record)}`;
}
