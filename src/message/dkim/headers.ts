// Which fields of a header a signature covers.
//
// In      a parsed header
// Out     the names for h= in their order, and the fields that they mean, relaxed; undefined where there are too many
// Limits  SIGNED_NAMES_BYTES of names
// Of a name that stands there twice the last field is named first, as verifiers count from the bottom. Names of OVERSIGNED stand there
// once more than the field does: who adds another From behind our back breaks the signature.
// RFC 6376 §5.4 §5.4.1 §5.4.2 §8.15

import type { Header, HeaderField } from '../header.ts';
import { relaxedField } from './canonical.ts';

const SIGNED = [
  'From',
  'To',
  'Cc',
  'Subject',
  'Date',
  'Message-ID',
  'Reply-To',
  'In-Reply-To',
  'References',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
] as const;
const OVERSIGNED: ReadonlySet<string> = new Set(['From', 'To', 'Cc', 'Subject', 'Date', 'Reply-To']);
const LIST = 'list-';

/** Two signatures with these names and keys of 4096 bits stay below what a large message has room for. */
const SIGNED_NAMES_BYTES = 1500;

export interface SignedFields {
  /** In their order, as h= has them. */
  readonly names: readonly string[];
  /** Each on a line of its own, latin1. */
  readonly text: string;
}

export function signedFields(header: Header): SignedFields | undefined {
  const byName = new Map<string, HeaderField[]>();
  for (const field of header.fields) {
    const others = byName.get(field.name);
    if (others === undefined) byName.set(field.name, [field]);
    else others.push(field);
  }
  const names: string[] = [];
  let text = '';
  let length = 0;
  const sign = (name: string, fields: readonly HeaderField[], more: number): void => {
    length += (fields.length + more) * (name.length + 1);
    if (length > SIGNED_NAMES_BYTES) return;
    for (let at = fields.length - 1; at >= 0; at--) {
      names.push(name);
      text += `${relaxedField(header, fields[at]!)}\r\n`;
    }
    if (more > 0) names.push(name);
  };
  for (const name of SIGNED) sign(name, byName.get(name.toLowerCase()) ?? [], OVERSIGNED.has(name) ? 1 : 0);
  for (const [name, fields] of byName) if (name.startsWith(LIST)) sign(listName(name), fields, 0);
  return length > SIGNED_NAMES_BYTES ? undefined : { names, text };
}

/** `list-unsubscribe-post` as people write it. */
function listName(name: string): string {
  return name
    .split('-')
    .map((word) => (word === 'id' ? 'ID' : word.slice(0, 1).toUpperCase() + word.slice(1)))
    .join('-');
}
