// Entries of name servers, `waypostNameServer` below ou=Hosts: what they may say.
//
// In      an entry as a change has made it, in its transaction
// Out     nothing; or 19 or 21 with the attribute, and the value where it is no secret
// RFC 8945 §6 (algorithms)

import type { Transaction } from '../database/operation.ts';
import { type ChangedEntry, type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { isValidDomain } from '../message/address.ts';
import { isTsigAlgorithm, parseEndpoint } from '../zones/settings.ts';

const SECRET_BYTES_MIN = 16;

export function checkNameServer(_tx: Transaction, { after }: ChangedEntry): void {
  if (after === undefined || !hasClass(after, 'waypostnameserver')) return;
  const role = textValue(after, 'waypostnameserverrole')?.toLowerCase();
  if (role !== 'primary' && role !== 'secondary')
    throw directoryFailure('invalidAttributeSyntax', `waypostNameServerRole: ${role} is not primary or secondary`);
  for (const attribute of ['waypostNameServerAddress', 'waypostWatchAddress'])
    for (const value of textValues(after, attribute.toLowerCase()))
      if (parseEndpoint(value) === undefined)
        throw directoryFailure('invalidAttributeSyntax', `${attribute}: ${value} is not IP or IP:PORT`);
  for (const value of textValues(after, 'waypostzone')) checkName('waypostZone', value);
  if (role === 'primary' && textValue(after, 'waypostzone') === undefined)
    throw directoryFailure('constraintViolation', 'waypostZone is missing: a primary has zones');
  checkTsig(after);
}

function checkTsig(entry: Entry): void {
  const name = textValue(entry, 'wayposttsigname');
  const algorithm = textValue(entry, 'wayposttsigalgorithm');
  const secret = textValue(entry, 'wayposttsigsecret');
  if (algorithm !== undefined && !isTsigAlgorithm(algorithm.toLowerCase()))
    throw directoryFailure(
      'invalidAttributeSyntax',
      `waypostTsigAlgorithm: ${algorithm} is not hmac-sha256, hmac-sha384 or hmac-sha512`,
    );
  if (name !== undefined) checkName('waypostTsigName', name);
  if ((name === undefined) !== (secret === undefined))
    throw directoryFailure(
      'constraintViolation',
      'waypostTsigName and waypostTsigSecret: one is not without the other',
    );
  if (secret === undefined) return;
  const octets = Buffer.from(secret, 'base64');
  if (octets.toString('base64').replaceAll('=', '') !== secret.replaceAll('=', ''))
    throw directoryFailure('invalidAttributeSyntax', 'waypostTsigSecret is not base64');
  if (octets.length < SECRET_BYTES_MIN)
    throw directoryFailure('constraintViolation', `waypostTsigSecret has less than ${SECRET_BYTES_MIN} octets`);
}

function checkName(attribute: string, value: string): void {
  const bare = value.endsWith('.') ? value.slice(0, -1) : value;
  if (!isValidDomain(bare.toLowerCase()))
    throw directoryFailure('invalidAttributeSyntax', `${attribute}: ${value} is no domain name`);
}
