// host add, list, remove: servers of this directory. A server's entry is `cn=NAME,ou=Hosts`; its password lets it follow and hand on.

import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { base32 } from '../base/base32.ts';
import { Failure } from '../base/failure.ts';
import type { Revision } from '../base/ids.ts';
import { escapeDnValue } from '../directory/dn.ts';
import { children, findEntry } from '../directory/entries.ts';
import { type DirectoryChange, type Entry, hasClass, textValues } from '../directory/entry.ts';
import { containerDn, nameIn } from '../routing/containers.ts';
import type { Changed } from './changed.ts';
import { dryRun, type EntryParts, LIST_MAX, submitForCommand, valuesOf } from './entries.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';

export interface HostParts extends EntryParts {
  readonly hostname: string;
  /** Where each door listens, `ldaps` -> `127.0.0.1:636`. */
  readonly listeners: Readonly<Record<string, string>>;
}

export interface ListedHost {
  readonly name: string;
  readonly dn: string;
  /** `this`; `server`: it has a password here; `host`: where mail goes, and no more. */
  readonly kind: 'this' | 'server' | 'host';
  readonly addresses: readonly string[];
  readonly services: readonly string[];
}

export interface AddedHost {
  readonly dryRun: boolean;
  readonly revision: Revision;
  readonly name: string;
  readonly dn: string;
  /** Said here and nowhere again; null in a dry run. */
  readonly password: string | null;
  /** For its configuration. */
  readonly provider: string;
  readonly lines: readonly string[];
}

/** 160 bits. */
const PASSWORD_BYTES = 20;
const LDAPS_PORT = '636';
/** The class of an entry that has a password and is no person. RFC 4524 §3.4 */
const CAN_BIND = 'simpleSecurityObject';
const PASSWORD_FILE = 'directory-password';

const name = z.string().min(1).max(255);

/** Adds its entry, or gives the entry of a host a password: that makes it a server. */
export const hostAdd = (parts: HostParts) =>
  adminOperation('host.add', z.strictObject({ name, dryRun }), async (input, caller, peer): Promise<AddedHost> => {
    // A server sees every secret.
    if (caller.kind !== 'administrator') throw new Failure('denied', 'this is for the Directory Manager');
    const host = nameOf(input.name);
    if (host === parts.hostname) throw new Failure('invalid', `${host} is this server`);
    const provider = providerOf(parts);
    const dn = dnOf(host);
    const entry = findEntry(parts.reader, dn);
    if (entry !== undefined && hasPassword(entry))
      throw new Failure('exists', `${host} is a server already: waypost host remove ${host}, then add it again`);
    const password = base32(randomBytes(PASSWORD_BYTES));
    const asked = { caller, peer, dryRun: input.dryRun };
    const { dryRun: isDry, revision } = await submitForCommand(parts, madeServer(dn, { host, password, entry }), asked);
    const lines = [`directory.provider = "${provider}"`, `directory.password-file = "${PASSWORD_FILE}"`];
    return { dryRun: isDry, revision, name: host, dn, password: isDry ? null : password, provider, lines };
  });

export const hostList = (parts: HostParts) =>
  adminOperation('host.list', z.strictObject({}), (): ListedHost[] => {
    const container = findEntry(parts.reader, containerDn('hosts'));
    if (container === undefined) return [];
    return children(parts.reader, container.id, LIST_MAX).flatMap((entry) => {
      const host = nameIn('hosts', entry);
      if (host === undefined || !hasClass(entry, 'wayposthost')) return [];
      return {
        name: host,
        dn: entry.dn,
        kind: host === parts.hostname ? 'this' : hasPassword(entry) ? 'server' : 'host',
        addresses: textValues(entry, 'wayposthostaddress'),
        services: textValues(entry, 'wayposthostservice'),
      } as const;
    });
  });

/** Its connections end with its entry. */
export const hostRemove = (parts: HostParts) =>
  adminOperation('host.remove', z.strictObject({ name, dryRun }), (input, caller, peer): Promise<Changed> => {
    const host = nameOf(input.name);
    if (host === parts.hostname) throw new Failure('invalid', `${host} is this server`);
    const dn = dnOf(host);
    if (findEntry(parts.reader, dn) === undefined) throw new Failure('not-found', `there is no host ${host}`);
    return submitForCommand(parts, { kind: 'delete', dn }, { caller, peer, dryRun: input.dryRun });
  });

function madeServer(
  dn: string,
  { host, password, entry }: { readonly host: string; readonly password: string; readonly entry: Entry | undefined },
): DirectoryChange {
  if (entry !== undefined) {
    const add = (attribute: string, value: string) => ({ operation: 'add', attribute, values: [value] }) as const;
    const classes = hasClass(entry, CAN_BIND.toLowerCase()) ? [] : [add('objectClass', CAN_BIND)];
    return { kind: 'modify', dn, modifications: [...classes, add('userPassword', password)] };
  }
  return {
    kind: 'add',
    dn,
    attributes: valuesOf({ objectClass: ['waypostHost', CAN_BIND], cn: [host], userPassword: [password] }),
  };
}

/** As the other one finds us: over TLS, by our name. */
function providerOf({ hostname, listeners }: HostParts): string {
  const listener = listeners['ldaps'];
  if (listener === undefined) throw new Failure('invalid', 'this server has no ldaps listener, which others need');
  const port = listener.slice(listener.lastIndexOf(':') + 1);
  return `ldaps://${hostname}${port === LDAPS_PORT ? '' : `:${port}`}`;
}

function hasPassword(entry: Entry): boolean {
  return entry.attributes.has('userpassword');
}

function nameOf(text: string): string {
  const host = domainOf(text);
  if (!host.includes('.')) throw new Failure('invalid', `${text} is no host name: it has no dot`);
  return host;
}

function dnOf(host: string): string {
  return `cn=${escapeDnValue(host)},${containerDn('hosts')}`;
}
