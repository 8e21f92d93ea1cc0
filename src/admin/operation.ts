// An administrator's operation: a verb with typed input and output. The command line and HTTP call the same ones.

import type { z } from 'zod';
import { Failure } from '../base/failure.ts';

export interface AdminOperation<Input, Output> {
  /** `domain.add` */
  readonly name: string;
  readonly input: z.ZodType<Input>;
  /** Throws a Failure by kind. */
  readonly run: (input: Input) => Promise<Output> | Output;
}

export function adminOperation<Input, Output>(
  name: string,
  input: z.ZodType<Input>,
  run: (input: Input) => Promise<Output> | Output,
): AdminOperation<Input, Output> {
  return { name, input, run };
}

/** The operation on input that has come over a wire. Throws `invalid` for input that is not of its form. */
export async function runAdminOperation<Input, Output>(
  operation: AdminOperation<Input, Output>,
  input: unknown,
): Promise<Output> {
  const parsed = operation.input.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Failure('invalid', `${issue.path.join('.')}: ${issue.message}`);
  }
  return operation.run(parsed.data);
}
