// The messages of SCRAM as its server reads and writes them.
//
// In      octets of the client's first and last message
// Out     their fields; octets of the server's messages
// Limits  a message of 2048 octets, a name of 255 before it is escaped
// Errors  `syntax`: what is not exactly the grammar, and `m=`, an extension that nobody knows
// RFC 5802 §5.1, §7; RFC 5801 §4 (the header in front)

import { isUtf8 } from 'node:buffer';
import { ALNUM, ALPHA, isAll, VCHAR } from '../../base/characters.ts';
import { malformed, NAME_BYTES_MAX } from './credentials.ts';

export interface ClientFirst {
  /** `n`: the client cannot bind to a channel; `y`: it could, and believes that we cannot; `p`: it does. */
  readonly flag: 'n' | 'y' | 'p';
  /** Of `p`, as `tls-exporter`. */
  readonly bindingType: string | undefined;
  /** '' for none. */
  readonly authzid: string;
  readonly name: string;
  readonly nonce: string;
  /** With its two commas: what the last message repeats. */
  readonly header: string;
  /** The rest: part of what is signed. */
  readonly bare: string;
}

export interface ClientFinal {
  /** base64, as it came. */
  readonly binding: string;
  readonly nonce: string;
  readonly proof: Buffer;
  /** The message up to the proof: part of what is signed. */
  readonly withoutProof: string;
}

const MESSAGE_BYTES_MAX = 2048;
const PROOF_BYTES = 32;

export function readClientFirst(octets: Buffer): ClientFirst {
  const text = textOf(octets);
  const first = text.indexOf(',');
  const second = text.indexOf(',', first + 1);
  if (first < 0 || second < 0) throw malformed();
  const channel = text.slice(0, first);
  const flag = channel.slice(0, 1);
  if (!isFlag(flag) || (flag !== 'p' && channel !== flag)) throw malformed();
  const authzidPart = text.slice(first + 1, second);
  const bare = text.slice(second + 1);
  const [namePart, noncePart, ...extensions] = bare.split(',');
  if (!extensions.every(isAttribute)) throw malformed();
  return {
    flag,
    bindingType: flag === 'p' ? bindingTypeOf(channel) : undefined,
    // GNU SASL writes an empty one as `a=`.
    authzid: authzidPart === '' || authzidPart === 'a=' ? '' : nameOf(attributeOf('a', authzidPart)),
    name: nameOf(attributeOf('n', namePart)),
    nonce: nonceOf(attributeOf('r', noncePart)),
    header: text.slice(0, second + 1),
    bare,
  };
}

export function readClientFinal(octets: Buffer): ClientFinal {
  const text = textOf(octets);
  const end = text.lastIndexOf(',p=');
  if (end < 0) throw malformed();
  const withoutProof = text.slice(0, end);
  const [bindingPart, noncePart, ...extensions] = withoutProof.split(',');
  if (!extensions.every(isAttribute)) throw malformed();
  const proofText = text.slice(end + ',p='.length);
  const proof = Buffer.from(proofText, 'base64');
  if (proof.length !== PROOF_BYTES || proof.toString('base64') !== proofText) throw malformed();
  return { binding: attributeOf('c', bindingPart), nonce: nonceOf(attributeOf('r', noncePart)), proof, withoutProof };
}

export function writeServerFirst(nonce: string, salt: Buffer, iterations: number): string {
  return `r=${nonce},s=${salt.toString('base64')},i=${iterations}`;
}

export function writeServerFinal(signature: Buffer): Buffer {
  return Buffer.from(`v=${signature.toString('base64')}`);
}

function textOf(octets: Buffer): string {
  if (octets.length > MESSAGE_BYTES_MAX || octets.includes(0) || !isUtf8(octets)) throw malformed();
  return octets.toString('utf8');
}

function isFlag(text: string): text is ClientFirst['flag'] {
  return text === 'n' || text === 'y' || text === 'p';
}

/** `p=tls-exporter` */
function bindingTypeOf(channel: string): string {
  const type = attributeOf('p', channel);
  if (!isAll(type.replaceAll('.', '').replaceAll('-', ''), ALNUM)) throw malformed();
  return type;
}

/** Not empty. */
function attributeOf(attribute: string, part: string | undefined): string {
  if (part === undefined || part.length < 3 || !part.startsWith(`${attribute}=`)) throw malformed();
  return part.slice(2);
}

/** An extension that may be ignored: `x=value`. The one that may not, `m=`, stands only where a name is expected. */
function isAttribute(part: string): boolean {
  return part.length > 2 && part[1] === '=' && isAll(part[0]!, ALPHA) && part[0] !== 'm';
}

/** `=2C` is a comma, `=3D` an equals sign, and no other `=` may stand. */
function nameOf(escaped: string): string {
  const [before, ...pieces] = escaped.split('=');
  let name = before!;
  for (const piece of pieces) {
    const code = piece.slice(0, 2);
    if (code !== '2C' && code !== '3D') throw malformed();
    name += (code === '2C' ? ',' : '=') + piece.slice(2);
  }
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) throw malformed();
  return name;
}

/** Printable ASCII; split at commas, so that it has none. */
function nonceOf(text: string): string {
  if (!isAll(text, VCHAR)) throw malformed();
  return text;
}
