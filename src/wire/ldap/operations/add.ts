// Add: a new entry.
//
// RFC 4511 §4.7

import { decodeAttributes, encodeAttributes, type LdapAttribute } from '../attributes.ts';
import { applicationConstructed, type BerReader, type BerWriter } from '../ber.ts';
import { RequestFailure } from '../request-failure.ts';

export interface AddRequest {
  readonly kind: 'add';
  readonly dn: string;
  /** Each has one value at least. */
  readonly attributes: readonly LdapAttribute[];
}

export const ADD_REQUEST = applicationConstructed(8);

export function decodeAddRequest(reader: BerReader): AddRequest {
  const request = reader.enter(ADD_REQUEST);
  const dn = request.text();
  const at = request.at;
  const attributes = decodeAttributes(request);
  request.skipRest();
  if (attributes.some((attribute) => attribute.values.length === 0))
    throw new RequestFailure('a value for each attribute', at);
  return { kind: 'add', dn, attributes };
}

export function encodeAddRequest(writer: BerWriter, request: AddRequest): void {
  writer.constructed(ADD_REQUEST, () => {
    writer.octets(request.dn);
    encodeAttributes(writer, request.attributes);
  });
}
