// Domains and users for a test, written the way an administrator writes them: over LDAP.
//
// In      a running Waypost, names
// Out     entries; the password of every user made here is PASSWORD
// One hash is made and used for all, the cheapest: forty milliseconds a user and a login would be most of a test's time.

import { Attribute, Change, Client } from 'ldapts';
import type { ServerAccess } from '../../src/estate/server-child.ts';
import { CHANGE_LIST } from '../../src/wire/ldap/extended/change-list.ts';
import { argon2Hash, CHEAPEST } from './password.ts';

export const ADMINISTRATOR = 'cn=Directory Manager';
export const SUFFIX = 'o=internet';
export const PASSWORD = 'secret';

let hashed: string | undefined;

/** `{ARGON2}` and the PHC string of PASSWORD. */
function passwordHash(): string {
  hashed ??= argon2Hash(PASSWORD, CHEAPEST);
  return hashed;
}

export interface Person {
  readonly login: string;
  readonly password: string;
}

/** A bound connection; close it with `unbind`. An answer has `timeout` milliseconds to come: generous, as a machine with other work needs. */
export async function administrator(server: ServerAccess, timeout = 120_000): Promise<Client> {
  const { url, bindDn, password } = server.ldap;
  const client = new Client({ url, timeout, connectTimeout: timeout });
  await client.bind(bindDn, password);
  return client;
}

/** `acme.example` -> `dc=acme,dc=example,o=internet` */
export function domainDn(domain: string): string {
  return `${domain
    .split('.')
    .map((label) => `dc=${label}`)
    .join(',')},${SUFFIX}`;
}

export function userDn(address: string): string {
  const at = address.lastIndexOf('@');
  return `uid=${address.slice(0, at)},ou=People,${domainDn(address.slice(at + 1))}`;
}

const LIST_DOMAINS = 500;
const LIST_MS = 300_000;

/**
 * Very many, as change lists: an add in a commit of its own waits for the disk, with many in one the processor is all that
 * bounds them.
 */
export async function addManyDomains(server: ServerAccess, domains: readonly string[]): Promise<void> {
  const client = await administrator(server, LIST_MS);
  for (let at = 0; at < domains.length; at += LIST_DOMAINS)
    await client.exop(
      CHANGE_LIST,
      domains
        .slice(at, at + LIST_DOMAINS)
        .map(domainRecord)
        .join('\n'),
    );
  await client.unbind();
}

function domainRecord(domain: string): string {
  const classes = ['domain', 'inetDomain', 'mailDomain'].map((name) => `objectClass: ${name}\n`).join('');
  return `dn: ${domainDn(domain)}\nchangetype: add\n${classes}dc: ${domain.split('.')[0]}\n`;
}

export async function addDomain(
  client: Client,
  domain: string,
  attributes: Record<string, string> = {},
): Promise<void> {
  await client.add(domainDn(domain), {
    objectClass: ['domain', 'inetDomain', 'mailDomain'],
    dc: domain.split('.')[0]!,
    ...attributes,
  });
}

export function userAttributes(address: string): Record<string, string | string[]> {
  const name = address.slice(0, address.lastIndexOf('@'));
  return {
    objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
    uid: name,
    cn: name,
    sn: name,
    mail: address,
    userPassword: passwordHash(),
  };
}

export async function addUser(
  client: Client,
  address: string,
  attributes: Record<string, string | string[]> = {},
): Promise<Person> {
  await client.add(userDn(address), { ...userAttributes(address), ...attributes });
  return { login: address, password: PASSWORD };
}

export async function removeUser(client: Client, address: string): Promise<void> {
  await client.del(userDn(address));
}

export async function replaceAttribute(client: Client, dn: string, type: string, values: string[]): Promise<void> {
  await client.modify(dn, new Change({ operation: 'replace', modification: new Attribute({ type, values }) }));
}

/** A domain and its users in one go. */
export async function populate(server: ServerAccess, domain: string, names: readonly string[]): Promise<Person[]> {
  const client = await administrator(server);
  try {
    await addDomain(client, domain);
    const people: Person[] = [];
    for (const name of names) people.push(await addUser(client, `${name}@${domain}`));
    return people;
  } finally {
    await client.unbind();
  }
}
