// BODY and BODYSTRUCTURE of a message as IMAP sends them, from its structure.
//
// Out     latin1 text, ready for the wire, literals included
// A multipart without parts is shown with one empty text part: the grammar knows no other.
// RFC 3501 §7.4.2, §9 body

import { EMPTY_HEADER } from '../../../message/header-values.ts';
import type { Disposition, Parameters } from '../../../message/parameters.ts';
import { isMessage, isMultipart, type Part } from '../../../message/part.ts';
import { encodeEnvelopeItem } from './envelope.ts';
import { encodeNString, encodeString } from './strings.ts';

const EMPTY_TEXT = '"text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0';

/** FETCH BODY: the structure without extension data. */
export function encodeBody(part: Part): string {
  return encode(part, { extended: false });
}

/** FETCH BODYSTRUCTURE. */
export function encodeBodyStructure(part: Part): string {
  return encode(part, { extended: true });
}

/** Calls itself for the parts of a part: the depth is bounded when the structure is made. */
function encode(part: Part, form: { readonly extended: boolean }): string {
  return isMultipart(part) ? encodeMultipart(part, form) : encodeSinglePart(part, form);
}

function encodeMultipart(part: Part, form: { readonly extended: boolean }): string {
  let text = '(';
  for (const inner of part.parts) text += encode(inner, form);
  if (part.parts.length === 0) text += `(${EMPTY_TEXT}${form.extended ? ' NIL NIL NIL NIL' : ''})`;
  text += ` ${encodeString(part.subtype)}`;
  if (form.extended) text += ` ${encodeParameters(part.parameters)}${encodeExtension(part)}`;
  return `${text})`;
}

function encodeSinglePart(part: Part, form: { readonly extended: boolean }): string {
  const octets = part.bodyEnd - part.bodyStart;
  let text = `(${encodeString(part.type)} ${encodeString(part.subtype)} ${encodeParameters(part.parameters)}`;
  text += ` ${encodeNString(part.id)} ${encodeNString(part.description)} ${encodeString(part.encoding)} ${octets}`;
  if (isMessage(part))
    text += ` ${encodeEnvelopeItem(part.header ?? EMPTY_HEADER)} ${encode(part.parts[0]!, form)} ${part.lines}`;
  else if (part.type === 'text') text += ` ${part.lines}`;
  if (form.extended) text += ` ${encodeNString(part.md5)}${encodeExtension(part)}`;
  return `${text})`;
}

/** body-ext behind the parameters or MD5: disposition, language, location. */
function encodeExtension(part: Part): string {
  const languages = part.languages.length === 0 ? 'NIL' : `(${part.languages.map(encodeString).join(' ')})`;
  return ` ${encodeDisposition(part.disposition)} ${languages} ${encodeNString(part.location)}`;
}

function encodeDisposition(disposition: Disposition | undefined): string {
  if (disposition === undefined) return 'NIL';
  return `(${encodeString(disposition.type)} ${encodeParameters(disposition.parameters)})`;
}

function encodeParameters(parameters: Parameters): string {
  return parameters.length === 0 ? 'NIL' : `(${parameters.map(encodeString).join(' ')})`;
}
