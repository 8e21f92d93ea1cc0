// The option `program`: the message is given to each program that mailProgramDeliveryInfo names.
//
// Whether there is such a program, and whether this domain may use it, is seen when it is to be run: until then mail waits.

import { asciiLower } from '../../base/characters.ts';
import { textValues } from '../../directory/entry.ts';
import { programTarget } from '../targets.ts';
import type { CompileOption, PlanOption } from './option.ts';
import { ownDomain, reportsTo } from './own.ts';

const PROGRAMS_MAX = 20;
const ATTRIBUTE = 'mailProgramDeliveryInfo';

export const compileProgramOption: CompileOption = (entry, problems) => {
  const names = new Set<string>();
  for (const value of textValues(entry, asciiLower(ATTRIBUTE))) {
    const name = asciiLower(value.trim());
    if (name === '') problems.push({ attribute: ATTRIBUTE, value, reason: 'names no program' });
    else if (names.size === PROGRAMS_MAX)
      problems.push({ attribute: ATTRIBUTE, value, reason: `is one more than ${PROGRAMS_MAX}` });
    else names.add(name);
  }
  if (names.size > 0) return { programs: [...names] };
  problems.push({ attribute: 'mailDeliveryOption', value: 'program', reason: `needs ${ATTRIBUTE}` });
  return undefined;
};

export const planProgram: PlanOption = ({ row, domain, address, target }) => {
  const shared = { uuid: row.uuid, domain: ownDomain(row, domain), reportTo: reportsTo(row, address) };
  for (const program of row.programs ?? []) target(programTarget(address, { ...shared, program }));
};
