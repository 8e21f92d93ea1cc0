// Names as administrators write them, to addresses, domains and DNs. Nothing here reads the directory.

import { Failure } from '../base/failure.ts';
import { dcDnOfDomain, escapeDnValue } from '../directory/dn.ts';
import { type Address, addressKey, normalizeDomain, parseAddress } from '../message/address.ts';

/** Throws `invalid`. */
export function domainOf(text: string): string {
  const domain = normalizeDomain(text);
  if (domain === undefined) throw new Failure('invalid', `${text} is not a domain name`);
  return domain;
}

/** Throws `invalid`, also for an address at an IP literal. */
export function mailAddressOf(text: string): Address & { readonly key: string } {
  try {
    const address = parseAddress(text);
    if (address.domain.startsWith('[')) throw new Failure('invalid', 'an address literal is no mail domain');
    return { ...address, key: addressKey(address) };
  } catch (error) {
    const why = error instanceof Failure ? `: ${error.message}` : '';
    throw new Failure('invalid', `${text} is not a mail address${why}`, { cause: error });
  }
}

/** Where `user add` puts a person: below the domain's own container. */
export function userDn(address: Address): string {
  return `uid=${escapeDnValue(address.localPart)},ou=People,${dcDnOfDomain(address.domain)}`;
}

export function groupDn(address: Address): string {
  return `cn=${escapeDnValue(address.localPart)},ou=Groups,${dcDnOfDomain(address.domain)}`;
}
