// Where another LDAP server is: `ldap://HOST[:PORT]` or `ldaps://HOST[:PORT]`.
//
// In      the text of a setting
// Out     host, port, whether TLS comes first; Failure 'invalid' where it is none
// RFC 4516 §2; 389 and 636

import { isIP } from 'node:net';
import { Failure } from '../../base/failure.ts';
import { isWithin, networksOf } from '../../net/ip-network.ts';

export interface ServerUrl {
  readonly text: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

const PORTS: Readonly<Record<string, number>> = { 'ldap:': 389, 'ldaps:': 636 };

export function parseServerUrl(text: string): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const port = url === undefined ? undefined : PORTS[url.protocol];
  if (url === undefined || port === undefined || url.hostname === '' || url.username !== '' || url.pathname.length > 1)
    throw new Failure('invalid', `${text} is not an ldap:// or ldaps:// URL with a host and perhaps a port`);
  const bracketed = url.hostname.startsWith('[');
  return {
    text,
    host: bracketed ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === '' ? port : Number(url.port),
    isSecure: url.protocol === 'ldaps:',
  };
}

/** Made when it is asked for: every thread loads this, and most never ask. */
let loopback: readonly string[] | undefined;

/** Whether nobody but this host can listen. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  loopback ??= networksOf(['127.0.0.0/8', '::1/128']);
  return isIP(host) !== 0 && isWithin(host, loopback);
}
