// Extended operations, and the one message that a server sends unasked.
//
// RFC 4511 §4.12 §4.4.1

import { applicationConstructed, type BerReader, type BerWriter, context } from '../ber.ts';
import { decodeResult, encodeResult, type LdapResult } from '../result.ts';

export interface ExtendedRequest {
  readonly kind: 'extended';
  /** An OID in dots. */
  readonly name: string;
  readonly value: Uint8Array | undefined;
}

export interface ExtendedResponse {
  readonly kind: 'extendedResponse';
  readonly result: LdapResult;
  readonly name: string | undefined;
  readonly value: Uint8Array | undefined;
}

export const EXTENDED_REQUEST = applicationConstructed(23);
export const EXTENDED_RESPONSE = applicationConstructed(24);
const REQUEST_NAME = context(0);
const REQUEST_VALUE = context(1);
const RESPONSE_NAME = context(10);
const RESPONSE_VALUE = context(11);

/** RFC 4511 §4.14 */
export const START_TLS = '1.3.6.1.4.1.1466.20037';

/** RFC 4511 §4.4.1: the server is about to close; sent with message ID 0. */
export const NOTICE_OF_DISCONNECTION = '1.3.6.1.4.1.1466.20036';

export function decodeExtendedRequest(reader: BerReader): ExtendedRequest {
  const request = reader.enter(EXTENDED_REQUEST);
  const name = request.text(REQUEST_NAME);
  const value = optionalOctets(request, REQUEST_VALUE);
  request.skipRest();
  return { kind: 'extended', name, value };
}

function optionalOctets(reader: BerReader, tag: number): Uint8Array | undefined {
  return reader.peekTag() === tag ? new Uint8Array(reader.octets(tag)) : undefined;
}

export function encodeExtendedRequest(writer: BerWriter, request: ExtendedRequest): void {
  writer.constructed(EXTENDED_REQUEST, () => {
    writer.octets(request.name, REQUEST_NAME);
    if (request.value !== undefined) writer.octets(request.value, REQUEST_VALUE);
  });
}

export function decodeExtendedResponse(reader: BerReader): ExtendedResponse {
  const response = reader.enter(EXTENDED_RESPONSE);
  const result = decodeResult(response);
  const name = response.peekTag() === RESPONSE_NAME ? response.text(RESPONSE_NAME) : undefined;
  const value = optionalOctets(response, RESPONSE_VALUE);
  response.skipRest();
  return { kind: 'extendedResponse', result, name, value };
}

export function encodeExtendedResponse(writer: BerWriter, response: ExtendedResponse): void {
  writer.constructed(EXTENDED_RESPONSE, () => {
    encodeResult(writer, response.result);
    if (response.name !== undefined) writer.octets(response.name, RESPONSE_NAME);
    if (response.value !== undefined) writer.octets(response.value, RESPONSE_VALUE);
  });
}
