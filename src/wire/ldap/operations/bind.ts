// Bind: a name and the proof of it.
//
// RFC 4511 §4.2, RFC 4513 §5

import {
  applicationConstructed,
  type BerReader,
  type BerWriter,
  context,
  contextConstructed,
  INTEGER,
  OCTET_STRING,
} from '../ber.ts';
import { RequestFailure } from '../request-failure.ts';
import { decodeResult, encodeResult, type LdapResult } from '../result.ts';
import type { AttributeValue } from '../values.ts';

export interface BindRequest {
  readonly kind: 'bind';
  readonly version: number;
  /** Empty for anonymous. */
  readonly name: string;
  readonly authentication: Authentication;
}

export type Authentication =
  | { readonly method: 'simple'; readonly password: AttributeValue }
  | { readonly method: 'sasl'; readonly mechanism: string; readonly credentials: Uint8Array | undefined }
  /** A choice that this standard does not have; only decoded, never encoded. */
  | { readonly method: 'unknown' };

export interface BindResponse {
  readonly kind: 'bindResponse';
  readonly result: LdapResult;
  readonly serverCredentials: Uint8Array | undefined;
}

export const BIND_REQUEST = applicationConstructed(0);
export const BIND_RESPONSE = applicationConstructed(1);
const SIMPLE = context(0);
const SASL = contextConstructed(3);
const SERVER_CREDENTIALS = context(7);

export function decodeBindRequest(reader: BerReader): BindRequest {
  const request = reader.enter(BIND_REQUEST);
  const at = request.at;
  const version = request.integer(INTEGER);
  if (version < 1 || version > 127) throw new RequestFailure('a version of 1 to 127', at);
  const name = request.text();
  const authentication = decodeAuthentication(request);
  request.skipRest();
  return { kind: 'bind', version, name, authentication };
}

function decodeAuthentication(request: BerReader): Authentication {
  const tag = request.peekTag();
  if (tag === SIMPLE) return { method: 'simple', password: request.value(SIMPLE) };
  if (tag !== SASL) return request.atEnd ? request.fail('an authentication choice') : { method: 'unknown' };
  const sasl = request.enter(SASL);
  const mechanism = sasl.text();
  const credentials = sasl.peekTag() === OCTET_STRING ? new Uint8Array(sasl.octets()) : undefined;
  sasl.skipRest();
  return { method: 'sasl', mechanism, credentials };
}

export function encodeBindRequest(writer: BerWriter, request: BindRequest): void {
  const authentication = request.authentication;
  writer.constructed(BIND_REQUEST, () => {
    writer.integer(request.version);
    writer.octets(request.name);
    if (authentication.method === 'simple') writer.octets(authentication.password, SIMPLE);
    if (authentication.method !== 'sasl') return;
    writer.constructed(SASL, () => {
      writer.octets(authentication.mechanism);
      if (authentication.credentials !== undefined) writer.octets(authentication.credentials);
    });
  });
}

export function decodeBindResponse(reader: BerReader): BindResponse {
  const response = reader.enter(BIND_RESPONSE);
  const result = decodeResult(response);
  const given = response.peekTag() === SERVER_CREDENTIALS;
  const serverCredentials = given ? new Uint8Array(response.octets(SERVER_CREDENTIALS)) : undefined;
  response.skipRest();
  return { kind: 'bindResponse', result, serverCredentials };
}

export function encodeBindResponse(writer: BerWriter, response: BindResponse): void {
  writer.constructed(BIND_RESPONSE, () => {
    encodeResult(writer, response.result);
    if (response.serverCredentials !== undefined) writer.octets(response.serverCredentials, SERVER_CREDENTIALS);
  });
}
