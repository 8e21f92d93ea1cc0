// What an entry says to DNS must mean something: the data of records, words, services of hosts.
//
// In      an entry before and after a change, in its transaction
// Out     nothing; or invalidAttributeSyntax (21) with the value, constraintViolation (19) for an alias beside something else,
//         namingViolation (64) for records at a node whose name none can have
// What an entry said before it was changed is not held against it.
// RFC 1034 §3.6.2

import type { Transaction } from '../database/operation.ts';
import { isAtOrBelow, parseDn, suffixDn } from '../directory/dn.ts';
import { type ChangedEntry, type Entry, hasClass, textValues } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import {
  aliasMetByDomainIn,
  aliasMetByHostIn,
  aliasMetByKeyIn,
  besideAliasIn,
  type MetAlias,
} from '../zones/alias-conflict.ts';
import { type CompiledDomain, compileZoneName } from '../zones/compile.ts';
import { compileZoneSetting, parseHostService } from '../zones/settings.ts';
import { hasSiteRecords } from '../zones/site-records.ts';
import { ANY_SITE } from './write-options.ts';

/** Named, but legal: they mean something elsewhere, or nothing anywhere. */
const LEGAL = new Set(['mailRoutingHosts', 'mDRecord', 'sOARecord']);

export async function checkSiteRecords(tx: Transaction, { before, after }: ChangedEntry): Promise<void> {
  if (after === undefined) return;
  await checkSetting(tx, before, after);
  const compiled = compileZoneName(after);
  if (compiled === undefined) return checkOwner(before, after);
  const was = before && compileZoneName(before);
  const known = new Set(was?.row.problems?.map(({ value }) => value));
  for (const { attribute, value, reason } of compiled.row.problems ?? [])
    if (!LEGAL.has(attribute) && !known.has(value))
      throw directoryFailure('invalidAttributeSyntax', `${attribute} ${value} ${reason}`);
  const beside = await besideAliasIn(tx, compiled, ANY_SITE);
  if (beside !== undefined) {
    const alias = textValues(after, 'cnamerecord')[0];
    throw directoryFailure('constraintViolation', `cNAMERecord ${alias} stands beside ${beside.join(', ')}`);
  }
  if (compiled.row.domain !== undefined && wantsMore(was, compiled))
    checkMet(await aliasMetByDomainIn(tx, compiled, ANY_SITE), `records of ${compiled.name}`);
}

/** Of an entry that gives no name to DNS. Elsewhere than in the DC tree its records mean nothing. */
function checkOwner(before: Entry | undefined, after: Entry): void {
  if (!hasSiteRecords(after) || !isInDcTree(after.normalizedDn)) return;
  if (before !== undefined && before.normalizedDn === after.normalizedDn && hasSiteRecords(before)) return;
  throw directoryFailure(
    'namingViolation',
    `${after.dn} is no name of records: each dc is one label, of letters, digits, - and _, or * alone`,
  );
}

function isInDcTree(name: string): boolean {
  const [dn, suffix] = [parseDn(name), suffixDn()];
  if (!isAtOrBelow(dn, suffix)) return false;
  const nodes = dn.rdns.slice(0, dn.rdns.length - suffix.rdns.length);
  return nodes.every(({ avas }) => avas.some(({ type }) => type?.key === 'dc'));
}

async function checkSetting(tx: Transaction, before: Entry | undefined, after: Entry): Promise<void> {
  const is = compileZoneSetting(after);
  if (hasClass(after, 'wayposthost'))
    for (const value of textValues(after, 'wayposthostservice'))
      if (parseHostService(value) === undefined)
        throw directoryFailure('invalidAttributeSyntax', `waypostHostService ${value} is no service and port`);
  const was = before && compileZoneSetting(before);
  if (is?.kind === 'host' && is.services.length > 0) {
    const isNew = was?.kind !== 'host' || was.key !== is.key || was.services.length === 0;
    if (isNew) checkMet(await aliasMetByHostIn(tx, is), 'a host of ours');
  }
  if (is?.kind === 'key') {
    const isNew = was?.kind !== 'key' || was.key !== is.key || was.domain !== is.domain;
    if (isNew) checkMet(await aliasMetByKeyIn(tx, is), `the key ${is.key}`);
  }
}

/** Another kind of records than before, perhaps. */
function wantsMore(was: CompiledDomain | undefined, is: CompiledDomain): boolean {
  const kinds = ({ name, row }: CompiledDomain) => [name, row.domain, row.omit, row.mtaSts, row.tlsReport];
  return was === undefined || JSON.stringify(kinds(was)) !== JSON.stringify(kinds(is));
}

function checkMet(met: MetAlias | undefined, what: string): void {
  if (met === undefined) return;
  throw directoryFailure('constraintViolation', `cNAMERecord ${met.target} of ${met.name} stands beside ${what}`);
}
