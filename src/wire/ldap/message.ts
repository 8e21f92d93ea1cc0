// An LDAP message: an ID, one operation, controls. Requests and responses, for both ends.
//
// In      one PDU from framer.ts; values
// Out     values; octets
// Fails   with a SyntaxFailure when tags or lengths are wrong: where the next message begins is not known, so the
//         connection ends.
//         With an UnacceptableRequest when only this request is at fault: it gets its response with protocolError.
// RFC 4511 §4.1.1

import { SyntaxFailure } from '../../base/cursor.ts';
import { applicationConstructed, BerReader, BerWriter, SEQUENCE } from './ber.ts';
import { type Control, decodeControls, encodeControls } from './controls.ts';
import * as abandon from './operations/abandon.ts';
import * as add from './operations/add.ts';
import * as bind from './operations/bind.ts';
import * as compare from './operations/compare.ts';
import * as deletion from './operations/delete.ts';
import * as extended from './operations/extended.ts';
import * as intermediate from './operations/intermediate.ts';
import * as modify from './operations/modify.ts';
import * as modifyDn from './operations/modify-dn.ts';
import * as search from './operations/search.ts';
import { RequestFailure } from './request-failure.ts';
import { decodeResult, encodeResult, type LdapResult } from './result.ts';

export type LdapRequest =
  | abandon.AbandonRequest
  | abandon.UnbindRequest
  | add.AddRequest
  | bind.BindRequest
  | compare.CompareRequest
  | deletion.DeleteRequest
  | extended.ExtendedRequest
  | modify.ModifyRequest
  | modifyDn.ModifyDnRequest
  | search.SearchRequest;

export type RequestKind = LdapRequest['kind'];

/** A response that is a result and nothing else. */
export interface ResultResponse {
  readonly kind: ResultResponseKind;
  readonly result: LdapResult;
}

export type ResultResponseKind =
  | 'searchDone'
  | 'modifyResponse'
  | 'addResponse'
  | 'deleteResponse'
  | 'modifyDnResponse'
  | 'compareResponse';

export type LdapResponse =
  | ResultResponse
  | bind.BindResponse
  | extended.ExtendedResponse
  | intermediate.IntermediateResponse
  | search.SearchEntry
  | search.SearchReference;

export interface LdapMessage<Operation> {
  readonly messageId: number;
  readonly operation: Operation;
  readonly controls: readonly Control[];
}

/** A request that can't be carried out, with what its response needs. */
export class UnacceptableRequest extends RequestFailure {
  readonly messageId: number;
  readonly operation: RequestKind;
  constructor(messageId: number, kind: RequestKind, failure: RequestFailure) {
    super(failure.expected, failure.offset);
    this.name = 'UnacceptableRequest';
    this.messageId = messageId;
    this.operation = kind;
  }
}

const REQUESTS = new Map<number, readonly [RequestKind, (reader: BerReader) => LdapRequest]>([
  [bind.BIND_REQUEST, ['bind', bind.decodeBindRequest]],
  [abandon.UNBIND_REQUEST, ['unbind', abandon.decodeUnbindRequest]],
  [search.SEARCH_REQUEST, ['search', search.decodeSearchRequest]],
  [modify.MODIFY_REQUEST, ['modify', modify.decodeModifyRequest]],
  [add.ADD_REQUEST, ['add', add.decodeAddRequest]],
  [deletion.DELETE_REQUEST, ['delete', deletion.decodeDeleteRequest]],
  [modifyDn.MODIFY_DN_REQUEST, ['modifyDn', modifyDn.decodeModifyDnRequest]],
  [compare.COMPARE_REQUEST, ['compare', compare.decodeCompareRequest]],
  [abandon.ABANDON_REQUEST, ['abandon', abandon.decodeAbandonRequest]],
  [extended.EXTENDED_REQUEST, ['extended', extended.decodeExtendedRequest]],
]);

const RESULT_TAGS = {
  searchDone: applicationConstructed(5),
  modifyResponse: applicationConstructed(7),
  addResponse: applicationConstructed(9),
  deleteResponse: applicationConstructed(11),
  modifyDnResponse: applicationConstructed(13),
  compareResponse: applicationConstructed(15),
} satisfies Record<ResultResponseKind, number>;

const RESULT_KINDS = new Map(
  Object.entries(RESULT_TAGS).map(([kind, tag]) => [tag, kind as ResultResponseKind] as const),
);

export function decodeRequest(bytes: Buffer): LdapMessage<LdapRequest> {
  const { message, messageId } = enterMessage(bytes);
  // RFC 4511 §4.1.1.1: 0 is the server's, for unsolicited notifications.
  if (messageId === 0) throw new SyntaxFailure('a message ID above 0', 0);
  const known = REQUESTS.get(message.peekTag());
  if (known === undefined) return message.fail('a request');
  const [kind, decode] = known;
  try {
    const operation = decode(message);
    const controls = decodeControls(message);
    message.skipRest();
    return { messageId, operation, controls };
  } catch (error) {
    if (error instanceof RequestFailure) throw new UnacceptableRequest(messageId, kind, error);
    throw error;
  }
}

export function decodeResponse(bytes: Buffer): LdapMessage<LdapResponse> {
  const { message, messageId } = enterMessage(bytes);
  const operation = decodeResponseOperation(message);
  const controls = decodeControls(message);
  message.skipRest();
  return { messageId, operation, controls };
}

function enterMessage(bytes: Buffer): { message: BerReader; messageId: number } {
  const outer = new BerReader(bytes);
  const message = outer.enter(SEQUENCE);
  outer.end();
  return { message, messageId: message.unsigned() };
}

function decodeResponseOperation(message: BerReader): LdapResponse {
  const tag = message.peekTag();
  switch (tag) {
    case bind.BIND_RESPONSE:
      return bind.decodeBindResponse(message);
    case search.SEARCH_ENTRY:
      return search.decodeSearchEntry(message);
    case search.SEARCH_REFERENCE:
      return search.decodeSearchReference(message);
    case extended.EXTENDED_RESPONSE:
      return extended.decodeExtendedResponse(message);
    case intermediate.INTERMEDIATE_RESPONSE:
      return intermediate.decodeIntermediateResponse(message);
  }
  const kind = RESULT_KINDS.get(tag);
  if (kind === undefined) return message.fail('a response');
  const contents = message.enter(tag);
  const result = decodeResult(contents);
  contents.skipRest();
  return { kind, result };
}

export function encodeRequest(message: LdapMessage<LdapRequest>): Buffer {
  const writer = new BerWriter();
  writeMessage(writer, message, writeRequestOperation);
  return writer.take();
}

export function encodeResponse(message: LdapMessage<LdapResponse>): Buffer {
  const writer = new BerWriter();
  writeResponse(writer, message);
  return writer.take();
}

/** For many responses in one buffer. */
export function writeResponse(writer: BerWriter, message: LdapMessage<LdapResponse>): void {
  writeMessage(writer, message, writeResponseOperation);
}

function writeMessage<Operation>(
  writer: BerWriter,
  message: LdapMessage<Operation>,
  writeOperation: (writer: BerWriter, operation: Operation) => void,
): void {
  writer.constructed(SEQUENCE, () => {
    writer.integer(message.messageId);
    writeOperation(writer, message.operation);
    encodeControls(writer, message.controls);
  });
}

function writeRequestOperation(writer: BerWriter, request: LdapRequest): void {
  switch (request.kind) {
    case 'abandon':
      abandon.encodeAbandonRequest(writer, request);
      break;
    case 'add':
      add.encodeAddRequest(writer, request);
      break;
    case 'bind':
      bind.encodeBindRequest(writer, request);
      break;
    case 'compare':
      compare.encodeCompareRequest(writer, request);
      break;
    case 'delete':
      deletion.encodeDeleteRequest(writer, request);
      break;
    case 'extended':
      extended.encodeExtendedRequest(writer, request);
      break;
    case 'modify':
      modify.encodeModifyRequest(writer, request);
      break;
    case 'modifyDn':
      modifyDn.encodeModifyDnRequest(writer, request);
      break;
    case 'search':
      search.encodeSearchRequest(writer, request);
      break;
    case 'unbind':
      abandon.encodeUnbindRequest(writer);
      break;
  }
}

function writeResponseOperation(writer: BerWriter, response: LdapResponse): void {
  switch (response.kind) {
    case 'bindResponse':
      bind.encodeBindResponse(writer, response);
      break;
    case 'extendedResponse':
      extended.encodeExtendedResponse(writer, response);
      break;
    case 'intermediateResponse':
      intermediate.encodeIntermediateResponse(writer, response);
      break;
    case 'searchEntry':
      search.encodeSearchEntry(writer, response);
      break;
    case 'searchReference':
      search.encodeSearchReference(writer, response);
      break;
    default:
      writer.constructed(RESULT_TAGS[response.kind], () => encodeResult(writer, response.result));
      break;
  }
}
