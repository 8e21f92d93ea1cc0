// Intermediate response: what an operation says between its request and its result, such as a message of a synchronization.
//
// RFC 4511 §4.13

import { applicationConstructed, type BerReader, type BerWriter, context } from '../ber.ts';

export interface IntermediateResponse {
  readonly kind: 'intermediateResponse';
  /** An OID in dots. */
  readonly name: string | undefined;
  readonly value: Uint8Array | undefined;
}

export const INTERMEDIATE_RESPONSE = applicationConstructed(25);
const NAME = context(0);
const VALUE = context(1);

export function decodeIntermediateResponse(reader: BerReader): IntermediateResponse {
  const response = reader.enter(INTERMEDIATE_RESPONSE);
  const name = response.peekTag() === NAME ? response.text(NAME) : undefined;
  const value = response.peekTag() === VALUE ? new Uint8Array(response.octets(VALUE)) : undefined;
  response.skipRest();
  return { kind: 'intermediateResponse', name, value };
}

export function encodeIntermediateResponse(writer: BerWriter, { name, value }: IntermediateResponse): void {
  writer.constructed(INTERMEDIATE_RESPONSE, () => {
    if (name !== undefined) writer.octets(name, NAME);
    if (value !== undefined) writer.octets(value, VALUE);
  });
}
