// An administrator's operation: a verb with typed input and output. The command line and HTTP call the same ones.

import type { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Awaitable } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';

/** Who may ask: who administers the site; the domains that it is about; or whose account it is about. */
export type Audience = 'site' | 'domain' | 'self';

export interface AdminOperation<Input, Output, Name extends string = string> {
  /** `domain.add` */
  readonly name: Name;
  readonly input: z.ZodType<Input>;
  readonly audience: Audience;
  /**
   * Addresses and domains that it is about; none: it keeps to what its caller administers by itself. Undefined: this input is
   * the site's.
   */
  names(input: Input): readonly string[] | undefined;
  /** `peer` is the address that the caller asks from, '' for the admin socket. Throws a Failure by kind. */
  readonly run: (input: Input, caller: Caller, peer: string) => Awaitable<Output>;
}

export function adminOperation<Input, Output, Name extends string>(
  name: Name,
  input: z.ZodType<Input>,
  run: AdminOperation<Input, Output>['run'],
): AdminOperation<Input, Output, Name> {
  return { name, input, run, audience: 'site', names: () => undefined };
}

/** The operation, open to the administrators of the domains that it is about. */
export function forDomains<Input, Output, Name extends string>(
  operation: AdminOperation<Input, Output, Name>,
  names: (input: Input) => readonly string[] | undefined,
): AdminOperation<Input, Output, Name> {
  return { ...operation, audience: 'domain', names };
}

/** The same, and open to the account itself. */
export function forSelf<Input, Output, Name extends string>(
  operation: AdminOperation<Input, Output, Name>,
  names: (input: Input) => readonly string[] | undefined,
): AdminOperation<Input, Output, Name> {
  return { ...operation, audience: 'self', names };
}

/** What says for whom an operation is. */
export type Addressed = Pick<AdminOperation<unknown, unknown>, 'audience' | 'names'>;

export interface Requester {
  readonly caller: Caller;
  readonly peer: string;
  /** Throws `denied`. Absent at the admin socket, whose file permissions have decided. */
  readonly admit?: (operation: Addressed, input: unknown, caller: Caller) => void;
}

/** The operation on input that has come over a wire. Throws `invalid` for input that is not of its form, with a key more too. */
export async function runAdminOperation<Input, Output>(
  operation: AdminOperation<Input, Output>,
  input: unknown,
  { caller, peer, admit }: Requester,
): Promise<Output> {
  const parsed = operation.input.safeParse(input);
  if (!parsed.success) {
    throw new Failure('invalid', wordsOf(parsed.error.issues[0]!));
  }
  admit?.(operation, parsed.data, caller);
  return operation.run(parsed.data, caller, peer);
}

/** Of several forms that it might have, the last one without words of its own says what it misses. */
function wordsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[] = []): string {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const inner = issue.errors.at(-1)?.[0];
    if (inner !== undefined) return wordsOf(inner, path);
  }
  return path.length === 0 ? issue.message : `${path.join('.')}: ${issue.message}`;
}
