// Proxied authorization: the operation is another's, whose authorization identity the value is. RFC 4370 §3

import { isUtf8 } from 'node:buffer';
import { SyntaxFailure } from '../../../base/cursor.ts';
import type { ControlCodec } from './codec.ts';

/** `dn:...`, `u:...`, or '' for anonymous. */
export const proxiedAuthorization: ControlCodec<string> = {
  type: '2.16.840.1.113730.3.4.18',
  decode(octets) {
    if (octets === undefined || !isUtf8(octets)) throw new SyntaxFailure('text in UTF-8', 0);
    return Buffer.from(octets).toString('utf8');
  },
  encode: (identity) => Buffer.from(identity, 'utf8'),
};
