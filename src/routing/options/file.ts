// The option `file`: the message is written to the file that mailDeliveryFileURL names, below the folder of its domain.
//
// In      `file:///NAME` or NAME: up to PARTS_MAX parts of letters, digits, `_`, `-`, and dots behind the first character; `/` at the end
//         of a Maildir
// Out     a target of the file; a name that leads anywhere else is ignored, and named

import { asciiLower } from '../../base/characters.ts';
import { textValue } from '../../directory/entry.ts';
import { fileTarget } from '../targets.ts';
import type { CompileOption, PlanOption } from './option.ts';
import { ownDomain, reportsTo } from './own.ts';

const ATTRIBUTE = 'mailDeliveryFileURL';
const PARTS_MAX = 4;
const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** Of a file's name, in octets, with room for the lock's. */
const PART_LENGTH = 200;
const URL = 'file:///';
/** It would be another file's lock. */
const LOCK = '.lock';

export const compileFile: CompileOption = (entry, problems) => {
  const value = textValue(entry, asciiLower(ATTRIBUTE));
  if (value === undefined) {
    problems.push({ attribute: 'mailDeliveryOption', value: 'file', reason: `needs ${ATTRIBUTE}` });
    return undefined;
  }
  const name = nameOf(value.trim());
  if (name !== undefined) return { file: name };
  problems.push({
    attribute: ATTRIBUTE,
    value,
    reason: `is no name of up to ${PARTS_MAX} parts below the domain's folder`,
  });
  return undefined;
};

function nameOf(value: string): string | undefined {
  const name = asciiLower(value.slice(0, URL.length)) === URL ? value.slice(URL.length) : value;
  const isMaildir = name.endsWith('/');
  const parts = (isMaildir ? name.slice(0, -1) : name).split('/');
  if (parts.length > PARTS_MAX || !parts.every((part) => PART.test(part) && part.length <= PART_LENGTH))
    return undefined;
  return parts.some((part) => part.endsWith(LOCK)) ? undefined : name;
}

export const planFile: PlanOption = ({ row, domain, address, target }) => {
  if (row.file === undefined) return;
  const own = { domain: ownDomain(row, domain), reportTo: reportsTo(row, address) };
  target(fileTarget(address, { ...own, file: row.file }));
};
