// QUOTA, QUOTAROOT. RFC 9208 §4.2

import { encodeAstring } from './strings.ts';

export interface QuotaResource {
  readonly name: 'STORAGE' | 'MESSAGE' | 'MAILBOX';
  readonly usage: number;
  readonly limit: number;
}

/** `root` as octets. */
export function encodeQuotaResponse(root: string, resources: readonly QuotaResource[]): string {
  const items = resources.map(({ name, usage, limit }) => `${name} ${usage} ${limit}`);
  return `* QUOTA ${encodeAstring(root)} (${items.join(' ')})\r\n`;
}

/** `mailbox` as the client has names spelled. */
export function encodeQuotaRoot(mailbox: string, root: string): string {
  return `* QUOTAROOT ${encodeAstring(mailbox)} ${encodeAstring(root)}\r\n`;
}
