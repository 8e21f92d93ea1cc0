// The policy of MTA-STS: which hosts take a domain's mail, for senders that then insist on their certificates.
//
// In      the mode and the names of the exchanges
// Out     the text that the https door serves, and its identifier, which the record beside it carries
// RFC 8461 §3.1 §3.2

import { createHash } from 'node:crypto';

const MAX_AGE_SECONDS = 604_800;
const ID_LENGTH = 16;

/** Of a domain that has one. */
export function mtaStsText(mode: 'testing' | 'enforce', exchanges: readonly string[]): string {
  const lines = ['version: STSv1', `mode: ${mode}`, ...exchanges.map((exchange) => `mx: ${exchange}`)];
  return [...lines, `max_age: ${MAX_AGE_SECONDS}`, ''].join('\r\n');
}

/** Another policy has another one. */
export function mtaStsId(mode: 'testing' | 'enforce', exchanges: readonly string[]): string {
  return createHash('sha256').update(mtaStsText(mode, exchanges)).digest('hex').slice(0, ID_LENGTH);
}
