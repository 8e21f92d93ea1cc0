// BODY and BODYSTRUCTURE of a message as IMAP sends them, from its structure.
//
// Out     latin1 text, ready for the wire, literals included
// A multipart without parts is shown with one empty text part: the grammar knows no other.
// RFC 3501 §7.4.2, §9 body

import { imapNString, imapString } from './imap-string.ts';
import type { Disposition, Parameters } from './parameters.ts';
import { isMessage, isMultipart, type Part } from './part.ts';

const EMPTY_TEXT = '"text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0';

/** FETCH BODY: the structure without extension data. */
export function renderBody(part: Part): string {
  return render(part, { extended: false });
}

/** FETCH BODYSTRUCTURE. */
export function renderBodyStructure(part: Part): string {
  return render(part, { extended: true });
}

/** Calls itself for the parts of a part: the depth is bounded when the structure is made. */
function render(part: Part, form: { readonly extended: boolean }): string {
  return isMultipart(part) ? renderMultipart(part, form) : renderSinglePart(part, form);
}

function renderMultipart(part: Part, form: { readonly extended: boolean }): string {
  let text = '(';
  for (const inner of part.parts) text += render(inner, form);
  if (part.parts.length === 0) text += `(${EMPTY_TEXT}${form.extended ? ' NIL NIL NIL NIL' : ''})`;
  text += ` ${imapString(part.subtype)}`;
  if (form.extended) text += ` ${renderParameters(part.parameters)}${renderExtension(part)}`;
  return `${text})`;
}

function renderSinglePart(part: Part, form: { readonly extended: boolean }): string {
  const octets = part.bodyEnd - part.bodyStart;
  let text = `(${imapString(part.type)} ${imapString(part.subtype)} ${renderParameters(part.parameters)}`;
  text += ` ${imapNString(part.id)} ${imapNString(part.description)} ${imapString(part.encoding)} ${octets}`;
  if (isMessage(part)) text += ` ${part.envelope} ${render(part.parts[0]!, form)} ${part.lines}`;
  else if (part.type === 'text') text += ` ${part.lines}`;
  if (form.extended) text += ` ${imapNString(part.md5)}${renderExtension(part)}`;
  return `${text})`;
}

/** body-ext behind the parameters or MD5: disposition, language, location. */
function renderExtension(part: Part): string {
  const languages = part.languages.length === 0 ? 'NIL' : `(${part.languages.map(imapString).join(' ')})`;
  return ` ${renderDisposition(part.disposition)} ${languages} ${imapNString(part.location)}`;
}

function renderDisposition(disposition: Disposition | undefined): string {
  if (disposition === undefined) return 'NIL';
  return `(${imapString(disposition.type)} ${renderParameters(disposition.parameters)})`;
}

function renderParameters(parameters: Parameters): string {
  return parameters.length === 0 ? 'NIL' : `(${parameters.map(imapString).join(' ')})`;
}
