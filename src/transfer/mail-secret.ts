// What addresses are signed with that mean more than they say (routing/tokens.ts): one row, made with the table.

import type { Reader } from '../database/operation.ts';

export function readMailSecret(reader: Reader): Uint8Array {
  const secret = reader.get('SELECT secret FROM mail_secret WHERE id = 1')?.['secret'];
  if (!(secret instanceof Uint8Array)) throw new Error('the store has no secret for signed addresses');
  return secret;
}
