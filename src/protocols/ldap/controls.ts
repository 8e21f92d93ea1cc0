// Which controls this server carries out, and what a request's say.
//
// In      the controls of a message
// Out     what they ask, by name; or the result that refuses the operation: 12 for a critical one that is not known or not for
//         this kind of operation, 2 for a value that does not parse and for one that comes twice
// One line a control; its value is a codec's of wire/ldap/controls/. What is neither known nor critical is left out.
// RFC 4511 §4.1.11

import { SyntaxFailure } from '../../base/cursor.ts';
import { assertion } from '../../wire/ldap/controls/assertion.ts';
import type { ControlCodec } from '../../wire/ldap/controls/codec.ts';
import { manageDsaIt } from '../../wire/ldap/controls/manage-dsa-it.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { proxiedAuthorization } from '../../wire/ldap/controls/proxied-authorization.ts';
import { postReadRequest, preReadRequest } from '../../wire/ldap/controls/read-entry.ts';
import { sortRequest } from '../../wire/ldap/controls/sort.ts';
import { subtreeDelete } from '../../wire/ldap/controls/subtree-delete.ts';
import { syncRequest } from '../../wire/ldap/controls/sync.ts';
import { zoneMarks } from '../../wire/ldap/controls/zone-marks.ts';
import type { Control } from '../../wire/ldap/controls.ts';
import type { RequestKind } from '../../wire/ldap/message.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';

/** One control: its codec, and the kinds of requests that it is for. */
interface Known<T> {
  readonly codec: ControlCodec<T>;
  readonly with: readonly RequestKind[];
  /** RFC 4370 §3: who leaves that out would act under an own name where the control is not known. */
  readonly isAlwaysCritical?: true;
}

const TREE = ['add', 'compare', 'delete', 'modify', 'modifyDn', 'search'] as const satisfies readonly RequestKind[];

const KNOWN = {
  assertion: { codec: assertion, with: TREE },
  manageDsaIt: { codec: manageDsaIt, with: TREE },
  paged: { codec: pagedResults, with: ['search'] },
  postRead: { codec: postReadRequest, with: ['add', 'modify', 'modifyDn'] },
  preRead: { codec: preReadRequest, with: ['delete', 'modify', 'modifyDn'] },
  proxied: { codec: proxiedAuthorization, with: [...TREE, 'extended'], isAlwaysCritical: true },
  sort: { codec: sortRequest, with: ['search'] },
  subtreeDelete: { codec: subtreeDelete, with: ['delete'] },
  sync: { codec: syncRequest, with: ['search'] },
  zoneMarks: { codec: zoneMarks, with: ['search'] },
} as const satisfies Record<string, Known<unknown>>;

type KnownName = keyof typeof KNOWN;
type ValueOf<N extends KnownName> = (typeof KNOWN)[N] extends { codec: ControlCodec<infer T> } ? T : never;

/** What a request's controls ask. */
export type AskedControls = {
  readonly [N in KnownName]?: { readonly value: ValueOf<N>; readonly isCritical: boolean };
};

const BY_TYPE = new Map(
  Object.entries(KNOWN).map(([name, known]) => [known.codec.type, { name, ...(known as Known<unknown>) }] as const),
);

export const SUPPORTED_CONTROLS: readonly string[] = [...BY_TYPE.keys()].sort();

export const NOTHING_ASKED: AskedControls = {};

/** What the controls ask; else the refusal of the operation. */
export function askedControls(
  operation: RequestKind,
  controls: readonly Control[],
): AskedControls | { readonly refused: LdapResult } {
  if (controls.length === 0) return NOTHING_ASKED;
  const asked: Record<string, { value: unknown; isCritical: boolean }> = {};
  for (const { type, critical, value } of controls) {
    const known = BY_TYPE.get(type);
    if (known === undefined || !known.with.includes(operation)) {
      if (!critical) continue;
      return refused('unavailableCriticalExtension', `Control ${type} is not supported with this operation`);
    }
    const { name, codec, isAlwaysCritical } = known;
    if (asked[name] !== undefined) return refused('protocolError', `Control ${type} comes twice`);
    if (isAlwaysCritical === true && !critical) return refused('protocolError', `Control ${type} has to be critical`);
    try {
      asked[name] = { value: codec.decode(value), isCritical: critical };
    } catch (error) {
      if (!(error instanceof SyntaxFailure)) throw error;
      return refused('protocolError', `Control ${type}: ${error.message}`);
    }
  }
  return asked as AskedControls;
}

function refused(name: 'protocolError' | 'unavailableCriticalExtension', text: string): { refused: LdapResult } {
  return { refused: result(name, text) };
}
