// May this caller act for that one: the right `proxy` at the entry of the other.
//
// Nobody acts for the administrator, who can be asked; but a server hands on what the administrator has changed there. Only a
// server acts for a server, whatever the rules say: as one it would see every secret.
// RFC 4370 §4

import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { findEntry } from '../entries.ts';
import { mayDoAll } from './check-change.ts';
import { applicable, judgeRules } from './decide.ts';
import { look } from './look.ts';
import { planFor } from './plan.ts';
import { targetOf } from './target.ts';

/** `isHandedOn`: in a list of changes. */
export function mayProxy(reader: Reader, bound: Caller, named: Caller, isHandedOn: boolean): boolean {
  if (mayDoAll(bound)) return named.kind !== 'administrator' || bound.kind === named.kind;
  if (bound.kind === 'entry' && named.kind === 'entry' && bound.uuid === named.uuid) return true;
  const plan = planFor(reader, bound);
  const { caller, domains } = plan;
  if (named.kind === 'administrator') return isHandedOn && caller.isServer;
  const entry = named.kind === 'entry' ? findEntry(reader, named.dn) : undefined;
  if (entry === undefined || (!caller.isServer && planFor(reader, named).caller.isServer)) return false;
  const { rules, needs } = plan.candidates(entry.normalizedDn, 'all');
  const target = look(reader, targetOf({ entry, needs, caller, domains }));
  return judgeRules(applicable(rules, caller, target), target, { right: 'proxy' }).allowed;
}
