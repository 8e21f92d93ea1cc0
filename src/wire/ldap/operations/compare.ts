// Compare: does this entry hold this value.
//
// RFC 4511 §4.10

import { applicationConstructed, type BerReader, type BerWriter, SEQUENCE } from '../ber.ts';
import type { AttributeValue } from '../values.ts';

export interface CompareRequest {
  readonly kind: 'compare';
  readonly dn: string;
  readonly attribute: string;
  readonly value: AttributeValue;
}

export const COMPARE_REQUEST = applicationConstructed(14);

export function decodeCompareRequest(reader: BerReader): CompareRequest {
  const request = reader.enter(COMPARE_REQUEST);
  const dn = request.text();
  const assertion = request.enter(SEQUENCE);
  request.skipRest();
  const attribute = assertion.text();
  const value = assertion.value();
  assertion.skipRest();
  return { kind: 'compare', dn, attribute, value };
}

export function encodeCompareRequest(writer: BerWriter, request: CompareRequest): void {
  writer.constructed(COMPARE_REQUEST, () => {
    writer.octets(request.dn);
    writer.constructed(SEQUENCE, () => {
      writer.octets(request.attribute);
      writer.octets(request.value);
    });
  });
}
