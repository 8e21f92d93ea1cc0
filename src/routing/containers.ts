// The containers of what routing reads beside domains and people: right below `ou=Waypost`, made at the start.

import { asciiLower } from '../base/characters.ts';
import { normalizeDn, parentOf, parseDn } from '../directory/dn.ts';
import type { Entry } from '../directory/entry.ts';
import { firstSuffix, ofSuffix } from '../directory/suffix.ts';

export const containers = {
  rules: 'Rules',
  channels: 'Channels',
  hosts: 'Hosts',
  sources: 'Sources',
  programs: 'Programs',
  keys: 'Keys',
  policies: 'Policies',
  pending: 'Pending',
  tombstones: 'Tombstones',
} as const;

export type Container = keyof typeof containers;

export function containerDn(container: Container): string {
  return `ou=${containers[container]},ou=Waypost,${firstSuffix()}`;
}

const normalized = ofSuffix(
  () =>
    new Map(Object.keys(containers).map((container) => [container, normalizeDn(containerDn(container as Container))])),
);

/** The entry is right below this container. */
export function isIn(container: Container, { normalizedDn }: Entry): boolean {
  return parentOf(parseDn(normalizedDn))?.normalized === normalized().get(container);
}

/** The name of an entry `cn=NAME` right below this container, in lower case; undefined for any other entry. */
export function nameIn(container: Container, { normalizedDn }: Entry): string | undefined {
  const below = `,${normalized().get(container)}`;
  if (!normalizedDn.startsWith('cn=') || !normalizedDn.endsWith(below)) return undefined;
  const name = normalizedDn.slice('cn='.length, -below.length);
  // In a normalized DN a comma, plus or backslash in a value is escaped: such a name names no host, rule or channel.
  return name === '' || /[,+\\]/.test(name) ? undefined : asciiLower(name);
}
