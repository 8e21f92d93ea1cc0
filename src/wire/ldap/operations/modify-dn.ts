// Modify DN: a new RDN, or another superior.
//
// RFC 4511 §4.9

import { applicationConstructed, type BerReader, type BerWriter, context } from '../ber.ts';

export interface ModifyDnRequest {
  readonly kind: 'modifyDn';
  readonly dn: string;
  readonly newRdn: string;
  readonly deleteOldRdn: boolean;
  readonly newSuperior: string | undefined;
}

export const MODIFY_DN_REQUEST = applicationConstructed(12);
const NEW_SUPERIOR = context(0);

export function decodeModifyDnRequest(reader: BerReader): ModifyDnRequest {
  const request = reader.enter(MODIFY_DN_REQUEST);
  const dn = request.text();
  const newRdn = request.text();
  const deleteOldRdn = request.boolean();
  const newSuperior = request.peekTag() === NEW_SUPERIOR ? request.text(NEW_SUPERIOR) : undefined;
  request.skipRest();
  return { kind: 'modifyDn', dn, newRdn, deleteOldRdn, newSuperior };
}

export function encodeModifyDnRequest(writer: BerWriter, request: ModifyDnRequest): void {
  writer.constructed(MODIFY_DN_REQUEST, () => {
    writer.octets(request.dn);
    writer.octets(request.newRdn);
    writer.boolean(request.deleteOldRdn);
    if (request.newSuperior !== undefined) writer.octets(request.newSuperior, NEW_SUPERIOR);
  });
}
