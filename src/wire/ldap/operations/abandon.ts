// Abandon and unbind: the two requests that have no response.
//
// RFC 4511 §4.3 §4.11

import { application, type BerReader, type BerWriter } from '../ber.ts';

export interface UnbindRequest {
  readonly kind: 'unbind';
}

export interface AbandonRequest {
  readonly kind: 'abandon';
  /** The message whose operation shall stop. */
  readonly abandoned: number;
}

export const UNBIND_REQUEST = application(2);
export const ABANDON_REQUEST = application(16);

export function decodeUnbindRequest(reader: BerReader): UnbindRequest {
  reader.octets(UNBIND_REQUEST);
  return { kind: 'unbind' };
}

export function encodeUnbindRequest(writer: BerWriter): void {
  writer.empty(UNBIND_REQUEST);
}

export function decodeAbandonRequest(reader: BerReader): AbandonRequest {
  return { kind: 'abandon', abandoned: reader.unsigned(ABANDON_REQUEST) };
}

export function encodeAbandonRequest(writer: BerWriter, request: AbandonRequest): void {
  writer.integer(request.abandoned, ABANDON_REQUEST);
}
