// What tests of DNS ask, and how they write what comes back.

import { RCODE, type RecordType } from './codes.ts';
import type { DnsHeader, DnsMessage } from './message.ts';

/** A query for one name and type, as a client sends it; its EDNS offer is 1232 octets. */
export function queryMessage(id: number, name: string, type: RecordType, header: Partial<DnsHeader> = {}): DnsMessage {
  return {
    id,
    isResponse: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    ...header,
    questions: [{ name, type, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: { udpSizeBytes: 1232, version: 0, dnssecOk: false, options: [] },
  };
}
