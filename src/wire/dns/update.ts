// UPDATE as octets: what must stand in a zone, and what changes if it does; all of it or nothing.
//
// In      encodeUpdate: a zone, prerequisites and changes as records
// Out     one message; the server answers YXRRSET or NXRRSET where a prerequisite does not hold, and changes nothing
// Limits  65,535 octets: Failure 'too-large'
// Never   deletes a whole name or a whole set: what somebody else has added meanwhile stays
// RFC 2136 §2 §2.4.2 §2.4.3 §2.5.1 §2.5.4

import { Failure } from '../../base/failure.ts';
import { CLASS_IN, CLASS_NONE, OPCODE_UPDATE, RCODE, type RecordType, typeCode } from './codes.ts';
import { decodeDnsHeader, encodeMessage } from './message.ts';
import type { ResourceRecord } from './rdata.ts';

/** `set`: these records, their TTL aside, are exactly the set of their name and type. `noSet`: there is none. */
export type Prerequisite =
  | { readonly set: readonly ResourceRecord[] }
  | { readonly noSet: { readonly name: string; readonly type: RecordType } };

/** `remove`: the record with exactly this data, if it is there. */
export type RecordChange = { readonly add: ResourceRecord } | { readonly remove: ResourceRecord };

export interface ZoneUpdate {
  readonly zone: string;
  readonly prerequisites: readonly Prerequisite[];
  /** In this order; a record that goes and comes again has a new TTL. */
  readonly changes: readonly RecordChange[];
}

export function encodeUpdate({ id, zone, prerequisites, changes }: ZoneUpdate & { readonly id: number }): Uint8Array {
  const octets = encodeMessage({
    id,
    isResponse: false,
    opcode: OPCODE_UPDATE,
    authoritative: false,
    truncated: false,
    recursionDesired: false,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [{ name: zone, type: 'SOA', class: CLASS_IN }],
    answers: prerequisites.flatMap(prerequisiteRecords),
    authorities: changes.map(changeRecord),
    additionals: [],
    edns: undefined,
  });
  // A part of an update would be another update.
  if (decodeDnsHeader(octets)!.truncated) throw new Failure('too-large', `The update of ${zone} is too large`);
  return octets;
}

function prerequisiteRecords(prerequisite: Prerequisite): readonly ResourceRecord[] {
  if ('set' in prerequisite) return prerequisite.set.map((record) => ({ ...record, class: CLASS_IN, ttl: 0 }));
  const { name, type } = prerequisite.noSet;
  return [{ name, class: CLASS_NONE, ttl: 0, type: `TYPE${typeCode(type)}`, data: new Uint8Array() }];
}

function changeRecord(change: RecordChange): ResourceRecord {
  if ('add' in change) return { ...change.add, class: CLASS_IN };
  return { ...change.remove, class: CLASS_NONE, ttl: 0 };
}
