// The site's first pair of signing keys: made at the first start, and at the first of a store that is older than keys.
//
// Making an RSA key takes a tenth of a second: no later start does it.

import type { Clock } from '../base/clock.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { children, findEntry } from '../directory/entries.ts';
import { makePrivateKey, pemOf } from '../message/dkim/key.ts';
import type { KeyType } from '../message/dkim/sign.ts';
import { firstKeys, type NewKey } from '../provisioning/dkim/keys.ts';
import { containerDn } from '../routing/containers.ts';

export async function makeFirstKeys(reader: Reader, writer: Writer, clock: Clock): Promise<void> {
  const container = findEntry(reader, containerDn('keys'));
  if (container === undefined || children(reader, container.id, 1).length > 0) return;
  await writer.execute(firstKeys, { keys: await newPair(), now: clock.now() });
}

/** One of each kind. */
function newPair(): Promise<NewKey[]> {
  const types: readonly KeyType[] = ['rsa', 'ed25519'];
  return Promise.all(types.map(async (type) => ({ type, pem: pemOf(await makePrivateKey(type)) })));
}
