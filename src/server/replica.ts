// Whether this server follows another one, looked at before anything else: whom, and whether its data are such a one's.
//
// In      the configuration; what the store says
// Out     where the provider is, who we are there, and its name, which `provider` in the data directory keeps for a start without it
// Errors  a ConfigurationFailure for data that have a directory of their own, or that follow a server that is not configured;
//         `unavailable` at a first start without the provider

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationFailure } from '../base/exit.ts';
import { asFailure } from '../base/failure.ts';
import { LDAP_PROVIDER_MESSAGE_BYTES } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Reader } from '../database/operation.ts';
import { escapeDnValue, normalizeDn } from '../directory/dn.ts';
import { rootNames } from '../directory/entries.ts';
import type { LdapServers } from '../directory/source/connection.ts';
import { isLoopback, parseServerUrl } from '../directory/source/server-url.ts';
import { DnsClient } from '../net/dns-client.ts';
import { providerCookie } from '../provisioning/replica/position.ts';
import { Provider } from '../provisioning/replica/provider.ts';
import { containerDn } from '../routing/containers.ts';
import type { Configuration } from './configuration.ts';

export interface Followed {
  readonly servers: LdapServers;
  readonly provider: Provider;
  readonly hostname: string;
}

interface Parts {
  readonly configuration: Configuration;
  /** Of this host. */
  readonly hostname: string;
  readonly reader: Reader;
  readonly log: Log;
}

/** Undefined: it has a directory of its own. */
export async function findFollowed({ configuration, hostname, reader, log }: Parts): Promise<Followed | undefined> {
  const { data, provider: configured, outgoingCa, resolver, suffixes } = configuration;
  const hasFollowed = providerCookie(reader) !== undefined;
  if (configured === undefined) {
    if (!hasFollowed) return undefined;
    throw configurationFailure(`${data} follows another server: [directory] provider says which`);
  }
  if (!hasFollowed && rootNames(reader).length > 0)
    throw configurationFailure(
      `${data} has a directory of its own: a server that follows another one begins with an empty folder`,
    );
  const servers: LdapServers = {
    urls: [configured.url],
    startTls: configured.url.startsWith('ldap:') && !isLoopbackUrl(configured.url),
    ca: outgoingCa === undefined ? undefined : textOf(outgoingCa),
    login: `cn=${escapeDnValue(hostname)},${containerDn('hosts')}`,
    password: textOf(configured.passwordFile).trim(),
    resolver: new DnsClient({ servers: resolver }),
    messageBytes: LDAP_PROVIDER_MESSAGE_BYTES,
  };
  const provider = new Provider(servers);
  try {
    const names = await provider.names();
    if (normalizeDn(names.suffix) !== normalizeDn(suffixes[0]!))
      throw configurationFailure(`[directory] suffix: the first of ${names.hostname} is ${names.suffix}`);
    writeFileSync(nameFile(data), `${names.hostname}\n`, { flush: true });
    return { servers, provider, hostname: names.hostname };
  } catch (error) {
    const known = hasFollowed ? knownName(data) : undefined;
    if (known === undefined || error instanceof ConfigurationFailure) throw error;
    log.warn('directory.follow', { provider: configured.url, error: asFailure(error).message });
    return { servers, provider, hostname: known };
  }
}

function isLoopbackUrl(url: string): boolean {
  return isLoopback(parseServerUrl(url).host);
}

function nameFile(data: string): string {
  return join(data, 'provider');
}

function knownName(data: string): string | undefined {
  try {
    return readFileSync(nameFile(data), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw configurationFailure(`${path} cannot be read: ${asFailure(error).message}`);
  }
}

function configurationFailure(text: string): ConfigurationFailure {
  return new ConfigurationFailure('invalid', text);
}
