// Entries of signing keys, `cn=SELECTOR,ou=Keys`: what they may say, and the public half, which the server writes.
//
// In      an entry as a change has made it, in its transaction
// Out     nothing; or 19 or 21 with the attribute, and the value where it is no secret. Along with it: waypostKeyPublic
// RFC 6376 §3.1 (selector), RFC 8301 §3.2, RFC 8463

import type { KeyObject } from 'node:crypto';
import { characterClass, isAll } from '../../base/characters.ts';
import { asFailure } from '../../base/failure.ts';
import type { Transaction } from '../../database/operation.ts';
import { applyChange } from '../../directory/apply-change.ts';
import { type ChangedEntry, type Entry, hasClass, textValue } from '../../directory/entry.ts';
import { directoryFailure } from '../../directory/failure.ts';
import { normalizeDomain } from '../../message/address.ts';
import { publicOf, readPrivateKey } from '../../message/dkim/key.ts';
import { nameIn } from '../../routing/containers.ts';
import type { WriteOptions } from '../write-options.ts';

const CLASS = 'waypostdkimkey';
const SECRET = 'waypostkeysecret';
const PUBLIC = 'waypostkeypublic';
const STATES: ReadonlySet<string> = new Set(['new', 'signing', 'retired']);
const LABEL = characterClass([0x30, 0x39], [0x61, 0x7a], '-');
const SELECTOR_MAX = 63;
export const SELECTOR_FORM = 'letters, digits and hyphens, dots between them';

export function checkKey(_tx: Transaction, { after }: ChangedEntry): void {
  if (after === undefined || !hasClass(after, CLASS)) return;
  const selector = nameIn('keys', after);
  if (selector !== undefined && !isSelector(selector))
    throw directoryFailure('constraintViolation', `cn: ${selector} is no selector: ${SELECTOR_FORM}`);
  checkWords(after);
  const secret = textValue(after, SECRET);
  const state = textValue(after, 'waypostkeystate')?.toLowerCase() ?? 'signing';
  if (secret === undefined) {
    if (state !== 'retired')
      throw directoryFailure('constraintViolation', 'waypostKeySecret is missing: it cannot sign');
    return;
  }
  const open = publicOf(keyOf(secret));
  const type = textValue(after, 'waypostkeytype')!.toLowerCase();
  if (open.type !== type)
    throw directoryFailure('constraintViolation', `waypostKeyType: ${type}, the key is ${open.type}`);
  const said = textValue(after, PUBLIC);
  if (said !== undefined && said !== open.public)
    throw directoryFailure('constraintViolation', `waypostKeyPublic: ${said} is not of waypostKeySecret`);
}

/** RFC 6376 §3.1: `march.2027` is one, `my_key` is none. */
export function isSelector(text: string): boolean {
  return text.length <= SELECTOR_MAX && text.split('.').every(isLabel);
}

function isLabel(text: string): boolean {
  return text !== '' && isAll(text, LABEL) && !text.startsWith('-') && !text.endsWith('-');
}

function checkWords(entry: Entry): void {
  const type = textValue(entry, 'waypostkeytype')?.toLowerCase();
  if (type !== 'rsa' && type !== 'ed25519')
    throw directoryFailure('invalidAttributeSyntax', `waypostKeyType: ${type} is not rsa or ed25519`);
  const state = textValue(entry, 'waypostkeystate')?.toLowerCase();
  if (state !== undefined && !STATES.has(state))
    throw directoryFailure('invalidAttributeSyntax', `waypostKeyState: ${state} is not new, signing or retired`);
  const domain = textValue(entry, 'waypostkeydomain');
  if (domain !== undefined && normalizeDomain(domain) === undefined)
    throw directoryFailure('invalidAttributeSyntax', `waypostKeyDomain: ${domain} is not the name of a domain`);
}

function keyOf(secret: string): KeyObject {
  try {
    return readPrivateKey(secret);
  } catch (error) {
    throw directoryFailure('constraintViolation', `waypostKeySecret: ${asFailure(error).message}`);
  }
}

/** Where it is missing, and where the secret has been replaced alone. */
export async function addPublicKey(
  tx: Transaction,
  { before, after }: ChangedEntry,
  options: WriteOptions,
): Promise<readonly ChangedEntry[]> {
  if (after === undefined || !hasClass(after, CLASS)) return [];
  const secret = textValue(after, SECRET);
  const said = textValue(after, PUBLIC);
  const isStale = before !== undefined && textValue(before, SECRET) !== secret && textValue(before, PUBLIC) === said;
  if (secret === undefined || (said !== undefined && !isStale)) return [];
  const { public: open } = publicOf(keyOf(secret));
  if (open === said) return [];
  const modification = { operation: 'replace', attribute: 'waypostKeyPublic', values: [open] } as const;
  return [await applyChange(tx, { kind: 'modify', dn: after.dn, modifications: [modification] }, options)];
}
