// A program that mail can be given to: `cn=NAME,ou=Programs`. What is run, as whom, and within what bounds; mailProgramDeliveryInfo
// of an entry names it.
//
// In      an entry
// Out     its row; what cannot be used is a problem. Without a path or a user nothing is run: mail for it waits
// Limits  ARGUMENTS_MAX words

import { isAbsolute } from 'node:path';
import { asciiLower } from '../base/characters.ts';
import { valueOfJson } from '../base/json-extent.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { normalizeDomain } from '../message/address.ts';
import { nameIn } from './containers.ts';
import type { Problem } from './rows.ts';

const ARGUMENTS_MAX = 100;
const DAY_SECONDS = 86_400;
const MEMORY_MAX_MIB = 1024 * 1024;
const CONCURRENCY_MAX = 1000;
const MIB = 1024 * 1024;

export interface ProgramRow {
  readonly kind: 'program';
  /** Its name in lower case. */
  readonly key: string;
  readonly dn: string;
  /** Absolute; undefined: it cannot be run. */
  readonly path?: string;
  /** Words, with variables in them (transfer/program/arguments.ts). */
  readonly arguments: readonly string[];
  /** Whom it runs as: a name, or the number of one. Undefined: it cannot be run. */
  readonly user?: string;
  readonly timeMs: number;
  readonly memoryBytes: number;
  /** Runs at once. */
  readonly concurrency: number;
  /** Whose entries may use it; undefined: all. */
  readonly domains?: readonly string[];
  readonly problems?: readonly Problem[];
}

export function compileProgram(entry: Entry): ProgramRow | undefined {
  if (!hasClass(entry, 'waypostprogram')) return undefined;
  const key = nameIn('programs', entry);
  if (key === undefined) return undefined;
  const problems: Problem[] = [];
  const path = pathOf(entry, problems);
  const user = textValue(entry, 'waypostprogramuser')?.trim();
  if (user === undefined || user === '')
    problems.push({ attribute: 'waypostProgramUser', value: '', reason: 'names no user' });
  const words = wordsOf(entry, problems);
  const count = countIn(entry, problems);
  const timeMs = 1000 * count('waypostProgramTime', 60, DAY_SECONDS);
  const memoryBytes = MIB * count('waypostProgramMemory', 256, MEMORY_MAX_MIB);
  const concurrency = count('waypostProgramConcurrency', 4, CONCURRENCY_MAX);
  const domains = domainsOf(entry, problems);
  return {
    kind: 'program',
    key,
    dn: entry.dn,
    // With other words than were meant it is another command.
    ...(path === undefined || words === undefined ? {} : { path }),
    arguments: words ?? [],
    ...(user === undefined || user === '' ? {} : { user }),
    timeMs,
    memoryBytes,
    concurrency,
    ...(domains === undefined ? {} : { domains }),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

function pathOf(entry: Entry, problems: Problem[]): string | undefined {
  const attribute = 'waypostProgramPath';
  const value = textValue(entry, asciiLower(attribute)) ?? '';
  if (isAbsolute(value) && !value.includes('\0')) return value;
  problems.push({ attribute, value, reason: 'is not an absolute path' });
  return undefined;
}

/** Undefined: they cannot be read. */
function wordsOf(entry: Entry, problems: Problem[]): readonly string[] | undefined {
  const attribute = 'waypostProgramArguments';
  const value = textValue(entry, asciiLower(attribute));
  if (value === undefined) return [];
  const words = parsed(value);
  const isList = Array.isArray(words) && words.length <= ARGUMENTS_MAX;
  if (isList && words.every((word) => typeof word === 'string' && !word.includes('\0'))) return words as string[];
  problems.push({ attribute, value, reason: `is not a JSON array of at most ${ARGUMENTS_MAX} strings` });
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return valueOfJson(Buffer.from(text));
  } catch {
    return undefined;
  }
}

function countIn(entry: Entry, problems: Problem[]) {
  return (attribute: string, usual: number, max: number): number => {
    const value = textValue(entry, asciiLower(attribute));
    const count = Number(value);
    if (value !== undefined && Number.isInteger(count) && count >= 1 && count <= max) return count;
    if (value !== undefined) problems.push({ attribute, value, reason: `is no number from 1 to ${max}` });
    return usual;
  };
}

/** None that can be read: nobody may use it. */
function domainsOf(entry: Entry, problems: Problem[]): readonly string[] | undefined {
  const attribute = 'waypostProgramDomain';
  const values = textValues(entry, asciiLower(attribute));
  if (values.length === 0) return undefined;
  const domains: string[] = [];
  for (const value of values) {
    const domain = normalizeDomain(value.trim());
    if (domain === undefined) problems.push({ attribute, value, reason: 'is not a domain name' });
    else domains.push(domain);
  }
  return domains;
}
