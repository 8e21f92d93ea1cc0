// Names and passwords as PLAIN and LOGIN carry them.
//
// Limits  a name of 255 octets, a password of 1024
// Errors  `syntax`

import { isUtf8 } from 'node:buffer';
import { Failure } from '../../base/failure.ts';
import { PASSWORD_BYTES_MAX } from '../password.ts';

export const NAME_BYTES_MAX = 255;

export function nameFrom(octets: Buffer): string {
  if (octets.length === 0 || octets.length > NAME_BYTES_MAX || octets.includes(0) || !isUtf8(octets)) throw malformed();
  return octets.toString('utf8');
}

export function passwordFrom(octets: Buffer): Buffer {
  if (octets.length === 0 || octets.length > PASSWORD_BYTES_MAX || octets.includes(0)) throw malformed();
  return octets;
}

export function malformed(): Failure {
  return new Failure('syntax', 'The authentication response is malformed');
}
