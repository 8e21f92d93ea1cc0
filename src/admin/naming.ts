// Names as administrators write them, to addresses, domains and DNs. Nothing here reads the directory.

import { Failure } from '../base/failure.ts';
import { escapeDnValue } from '../directory/dn.ts';
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

/** `container` is the DN of where it stands. */
export function userDn({ localPart }: Address, container: string): string {
  return `uid=${escapeDnValue(localPart)},${container}`;
}

export function groupDn({ localPart }: Address, container: string): string {
  return `cn=${escapeDnValue(localPart)},${container}`;
}
