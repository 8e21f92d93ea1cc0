// Conversations with OpenLDAP's own tools as text: the *.ldap files of this folder.
//
//   # comment                  the first one is the test's name: a sentence about behaviour
//   only waypost               depends on what is ours: not run against slapd
//   as DN PASSWORD             who asks from here on; `as` alone: a stranger. {admin} and {password} are the administrator's,
//                              {respelled} the same name in other letters
//   $ ldapsearch -LLL ...      a tool with its arguments, quoted as in a shell; server and identity are added
//   | dn: o=internet           what it reads from standard input
//   < dn: o=internet           a line of standard output, in this order, each one; {*} is anything, {name} is captured
//   < ...                      any lines up to the next that is expected
//   ! No such object           a line of standard error begins or ends with this
//   = 32                       the exit code; the last line of each command
//
// Long lines are not folded, empty lines are left out on both sides.

import { matchLine } from '../runner/pattern.ts';

export interface Command {
  readonly line: number;
  readonly identity: Identity | undefined;
  readonly tool: string;
  readonly arguments: readonly string[];
  readonly input: string;
  readonly output: readonly string[];
  readonly errors: readonly string[];
  readonly code: number;
}

export interface Identity {
  readonly dn: string;
  readonly password: string;
}

export interface Script {
  readonly title: string;
  /** Undefined when it runs against any server. */
  readonly only: string | undefined;
  readonly commands: readonly Command[];
}

/** `places` are put in for `{name}` before anything else is read. */
export function parseScript(text: string, places: Readonly<Record<string, string>>): Script {
  const lines = text.replace(/\{([a-z]+)\}/g, (whole, name: string) => places[name] ?? whole).split('\n');
  const commands: Command[] = [];
  let only: string | undefined;
  let identity: Identity | undefined;
  let open: { line: number; words: string[]; input: string; output: string[]; errors: string[] } | undefined;
  for (const [i, line] of lines.entries()) {
    const [sign = '', ...rest] = line.split(' ');
    const value = line.slice(sign.length + 1);
    if (line === '' || sign === '#') continue;
    if (sign === 'only') only = value;
    else if (sign === 'as') {
      const [dn, password] = words(value);
      identity = dn === undefined ? undefined : { dn, password: password ?? '' };
    } else if (sign === '$' && open === undefined)
      open = { line: i + 1, words: words(value), input: '', output: [], errors: [] };
    else if (sign === '|' && open !== undefined) open.input += `${value}\n`;
    else if (sign === '<' && open !== undefined) open.output.push(value);
    else if (sign === '!' && open !== undefined) open.errors.push(value);
    else if (sign === '=' && open !== undefined) {
      const [tool, ...tail] = open.words;
      commands.push({ ...open, identity, tool: tool!, arguments: tail, code: Number(rest[0]) });
      open = undefined;
    } else throw new Error(`line ${i + 1} is not understood: ${line}`);
  }
  if (open !== undefined) throw new Error(`line ${open.line}: a command without its exit code`);
  return { title: /^# (.*)/.exec(text)?.[1] ?? '', only, commands };
}

/** Words of a shell's command line, as far as these files need them: blanks, single and double quotes. */
function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]!);
}

/** What is wrong with the lines; undefined when each is as expected. */
export function compareLines(
  expected: readonly string[],
  actual: readonly string[],
  captures: Map<string, string>,
): string | undefined {
  let at = 0;
  for (const [i, pattern] of expected.entries()) {
    if (pattern === '...') {
      const next = expected[i + 1];
      if (next === undefined) return undefined;
      while (at < actual.length && !matchLine(next, actual[at]!, new Map(captures))) at++;
      continue;
    }
    if (at >= actual.length) return `expected "${pattern}", and nothing more was received`;
    if (!matchLine(pattern, actual[at]!, captures)) return `expected "${pattern}", not "${actual[at]}"`;
    at++;
  }
  return at < actual.length ? `did not expect "${actual[at]}"` : undefined;
}
