// In whose name a message is signed, or why in nobody's.
//
// In      its header; who has made it
// Out     d=, or a reason for the log
// From's domain, if all its mailboxes have one, it is ours, and it is the maker's: an address of the account lies in it. So no
// customer signs as another, and no list signs what a stranger has sent to it.
// RFC 6376 §3.11 (d=), RFC 5322 §3.6.2 (From)

import { HEADER_ADDRESSES_MAX } from '../../base/limits.ts';
import { normalizeDomain } from '../../message/address.ts';
import { parseAddressList } from '../../message/addresses.ts';
import { fieldValue, type Header } from '../../message/header.ts';

export type Maker =
  /** By SMTP or the API. `addresses` are keys. */
  | { readonly kind: 'account'; readonly addresses: readonly string[] }
  /** A report, an answer: this program has written From. */
  | { readonly kind: 'own' }
  /** What a list has altered; `submitter` has the addresses of the account that sent it to the list, undefined for a stranger. */
  | { readonly kind: 'list'; readonly submitter: readonly string[] | undefined }
  /** By `waypost sendmail`; `isRoot` for the server's own user too. */
  | { readonly kind: 'local'; readonly isRoot: boolean };

export interface OwnNames {
  readonly hostname: string;
  /** A mail domain or a host of ours. */
  isOurs(domain: string): boolean;
}

export type SigningDomain = { readonly domain: string } | { readonly unsigned: string };

export function signingDomain(header: Header, maker: Maker, names: OwnNames): SigningDomain {
  const from = fromDomain(header);
  if ('unsigned' in from) return from;
  const { domain } = from;
  if (!names.isOurs(domain)) return { unsigned: `${domain} is not ours` };
  switch (maker.kind) {
    case 'own':
      return from;
    case 'local':
      return maker.isRoot || domain === names.hostname
        ? from
        : { unsigned: `a local user has no address in ${domain}` };
    case 'account':
      return isIn(domain, maker.addresses) ? from : { unsigned: `the account has no address in ${domain}` };
    case 'list':
      if (maker.submitter === undefined) return { unsigned: 'a list has altered what no account here has sent' };
      return isIn(domain, maker.submitter) ? from : { unsigned: `the account has no address in ${domain}` };
  }
}

function isIn(domain: string, addresses: readonly string[]): boolean {
  return addresses.some((address) => address.slice(address.lastIndexOf('@') + 1) === domain);
}

function fromDomain(header: Header): SigningDomain {
  const [field, ...others] = header.fields.filter(({ name }) => name === 'from');
  if (field === undefined) return { unsigned: 'there is no From' };
  if (others.length > 0) return { unsigned: 'there is more than one From' };
  const addresses = parseAddressList(fieldValue(header, field));
  // What is behind has not been looked at.
  if (addresses.length >= HEADER_ADDRESSES_MAX) return { unsigned: 'From has too many addresses' };
  const domains = new Set<string | undefined>();
  // The start and the end of a group are no mailboxes.
  for (const [, , mailbox, host] of addresses)
    if (host !== null && mailbox !== null) domains.add(normalizeDomain(Buffer.from(host, 'latin1').toString('utf8')));
  const [domain] = domains;
  if (domain === undefined) return { unsigned: 'From has no domain' };
  return domains.size > 1 ? { unsigned: 'From has several domains' } : { domain };
}
