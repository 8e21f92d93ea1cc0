// This host's own entry: it has the present name, its addresses, and what listens.
//
// In      the present name and former ones; addresses and services as the doors have them
// Out     `cn=NAME,ou=Hosts`, renamed from a former name where the present one has none; changed only where it says otherwise

import { operation, type Transaction } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { escapeDnValue } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import { textValues } from '../directory/entry.ts';
import { containerDn } from '../routing/containers.ts';
import { applyAll } from './change.ts';
import { ANY_SITE } from './write-options.ts';

export interface HostName {
  readonly hostname: string;
  readonly formerNames: readonly string[];
  readonly now: number;
}

/** At a start under another name, before the entry of that name would be made. */
export const renameHost = operation('provisioning.rename-host', async (tx, args: HostName): Promise<void> => {
  if ((await findEntryIn(tx, hostDn(args.hostname))) !== undefined) return;
  for (const name of args.formerNames) {
    const dn = hostDn(name);
    if ((await findEntryIn(tx, dn)) === undefined) continue;
    const newRdn = `cn=${escapeDnValue(args.hostname)}`;
    const rename = { kind: 'rename', dn, newRdn, deleteOldRdn: true, newSuperior: undefined } as const;
    await applyAll(tx, [rename], SERVER, { now: args.now, isRoot: true, site: ANY_SITE });
    return;
  }
});

export interface HostState {
  readonly hostname: string;
  /** IP addresses. */
  readonly addresses: readonly string[];
  /** `submissions 465` */
  readonly services: readonly string[];
  readonly now: number;
}

export const keepHost = operation('provisioning.keep-host', async (tx, state: HostState): Promise<void> => {
  const dn = hostDn(state.hostname);
  const wanted = [
    ['waypostHostAddress', state.addresses],
    ['waypostHostService', state.services],
  ] as const;
  const modifications = [];
  for (const [attribute, values] of wanted) {
    if (isSaid(await valuesIn(tx, dn, attribute), values)) continue;
    modifications.push({ operation: 'replace' as const, attribute, values });
  }
  if (modifications.length === 0) return;
  await applyAll(tx, [{ kind: 'modify', dn, modifications }], SERVER, { now: state.now, isRoot: true, site: ANY_SITE });
});

function hostDn(name: string): string {
  return `cn=${escapeDnValue(name)},${containerDn('hosts')}`;
}

async function valuesIn(tx: Transaction, dn: string, attribute: string): Promise<readonly string[]> {
  const entry = await findEntryIn(tx, dn);
  return entry === undefined ? [] : textValues(entry, attribute.toLowerCase());
}

function isSaid(is: readonly string[], wanted: readonly string[]): boolean {
  return is.length === wanted.length && wanted.every((value) => is.includes(value));
}
