// An administrator's operation: a verb with typed input and output. The command line and HTTP call the same ones.

import type { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { Awaitable } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';

export interface AdminOperation<Input, Output, Name extends string = string> {
  /** `domain.add` */
  readonly name: Name;
  readonly input: z.ZodType<Input>;
  /** `peer` is the address that the caller asks from, '' for the admin socket. Throws a Failure by kind. */
  readonly run: (input: Input, caller: Caller, peer: string) => Awaitable<Output>;
}

export function adminOperation<Input, Output, Name extends string>(
  name: Name,
  input: z.ZodType<Input>,
  run: AdminOperation<Input, Output>['run'],
): AdminOperation<Input, Output, Name> {
  return { name, input, run };
}

/** The operation on input that has come over a wire. Throws `invalid` for input that is not of its form. */
export async function runAdminOperation<Input, Output>(
  operation: AdminOperation<Input, Output>,
  input: unknown,
  caller: Caller,
  peer: string,
): Promise<Output> {
  const parsed = operation.input.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Failure('invalid', `${issue.path.join('.')}: ${issue.message}`);
  }
  return operation.run(parsed.data, caller, peer);
}
