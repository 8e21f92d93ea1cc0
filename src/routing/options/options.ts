// The delivery options that act, each with what it does. `members` and `members_offline` are walk/lists.ts, `hold` is walk/by-options.ts.

import type { OptionName } from '../rows.ts';
import { compileAutoreply, planAutoreply } from './autoreply.ts';
import { compileForward } from './compile-forward.ts';
import { compileFile, planFile } from './file.ts';
import { planForward } from './forward.ts';
import { planMailbox } from './mailbox.ts';
import type { CompileOption, PlanOption } from './option.ts';
import { compileProgramOption, planProgram } from './program.ts';
import { compileShared, planShared } from './shared.ts';

export interface DeliveryOption {
  readonly plan: PlanOption;
  /** Absent: it needs nothing but its name. */
  readonly compile?: CompileOption;
}

export const optionsThatAct: Readonly<Partial<Record<OptionName, DeliveryOption>>> = {
  autoreply: { plan: planAutoreply, compile: compileAutoreply },
  forward: { plan: planForward, compile: compileForward },
  file: { plan: planFile, compile: compileFile },
  mailbox: { plan: planMailbox },
  program: { plan: planProgram, compile: compileProgramOption },
  shared: { plan: planShared, compile: compileShared },
};
