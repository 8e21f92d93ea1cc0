// Names as administrators write them, to addresses, domains and DNs. Nothing here reads the directory.

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { escapeDnValue } from '../directory/dn.ts';
import {
  type Address,
  addressKey,
  formatAddress,
  lowerLocalPart,
  normalizeDomain,
  parseAddress,
} from '../message/address.ts';

/** Throws `invalid`. */
export function domainOf(text: string): string {
  const domain = normalizeDomain(text);
  if (domain === undefined) throw new Failure('invalid', `${text} is not a domain name`);
  return domain;
}

export interface MailAddress extends Address {
  /** For the tables. */
  readonly key: string;
  /** In lower case, the local part quoted where it has to be: for attributes and for people. */
  readonly text: string;
}

/** Throws `invalid`, also for an address at an IP literal. */
export function mailAddressOf(text: string): MailAddress {
  try {
    const address = parseAddress(text);
    if (address.domain.startsWith('[')) throw new Failure('invalid', 'an address literal is no mail domain');
    const { localPart, domain } = address;
    return {
      ...address,
      key: addressKey(address),
      text: formatAddress({ localPart: lowerLocalPart(localPart), domain }),
    };
  } catch (error) {
    const why = error instanceof Failure ? `: ${error.message}` : '';
    throw new Failure('invalid', `${text} is not a mail address${why}`, { cause: error });
  }
}

/** `postmaster` needs no domain; an address at an IP literal is a legal question. Throws `invalid`. */
export function askedAddress(text: string): Address {
  if (asciiLower(text) === 'postmaster') return { localPart: text, domain: '' };
  return text.endsWith(']') ? parseAddress(text) : mailAddressOf(text);
}

/** `container` is the DN of its superior. */
export function userDn({ localPart }: Address, container: string): string {
  return `uid=${escapeDnValue(localPart)},${container}`;
}

export function groupDn({ localPart }: Address, container: string): string {
  return `cn=${escapeDnValue(localPart)},${container}`;
}
