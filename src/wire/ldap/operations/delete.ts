// Delete: one leaf entry.
//
// RFC 4511 §4.8

import { application, type BerReader, type BerWriter } from '../ber.ts';

export interface DeleteRequest {
  readonly kind: 'delete';
  readonly dn: string;
}

export const DELETE_REQUEST = application(10);

export function decodeDeleteRequest(reader: BerReader): DeleteRequest {
  return { kind: 'delete', dn: reader.text(DELETE_REQUEST) };
}

export function encodeDeleteRequest(writer: BerWriter, request: DeleteRequest): void {
  writer.octets(request.dn, DELETE_REQUEST);
}
