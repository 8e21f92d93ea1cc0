// What stands behind `<`, `>` and `|` in a session file: captures, wildcards, repetitions, escapes.
//
// In   text of the file as latin1, one character an octet; the captures so far
// Out  a match of a line, with new captures; bytes to send

export type Captures = Map<string, string>;

const PLACE = /\{(\*|\?|[a-z][A-Za-z0-9._-]*)\}/g;

/** Matches a whole line. `{name}` is captured when it is new, else compared. Undefined captures nothing when it fails. */
export function matchLine(pattern: string, line: string, captures: Captures): boolean {
  const names: string[] = [];
  let source = '';
  let at = 0;
  for (const place of pattern.matchAll(PLACE)) {
    source += escapeExpression(pattern.slice(at, place.index));
    at = place.index + place[0].length;
    const name = place[1]!;
    if (name === '*') source += '.*';
    else if (name === '?') source += '.';
    else if (captures.has(name)) source += escapeExpression(captures.get(name)!);
    else if (names.includes(name)) source += `\\${names.indexOf(name) + 1}`;
    else {
      names.push(name);
      source += '(.+?)';
    }
  }
  const found = new RegExp(`^${source}${escapeExpression(pattern.slice(at))}$`, 's').exec(line);
  if (found === null) return false;
  for (const [i, name] of names.entries()) captures.set(name, found[i + 1]!);
  return true;
}

function escapeExpression(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Text to send: captures put in, `{text*N}` repeated. A name that was never captured is an error of the file. */
export function fill(text: string, captures: Captures): string {
  return text
    .replace(/\{([^{}]+)\*(\d+)\}/g, (_, part: string, times: string) => part.repeat(Number(times)))
    .replace(/\{([a-z][A-Za-z0-9._-]*)\}/g, (_, name: string) => {
      const value = captures.get(name);
      if (value === undefined) throw new Error(`{${name}} has not been captured`);
      return value;
    });
}

/** Whether all that the text names has been captured. */
export function isKnown(text: string, captures: Captures): boolean {
  return [...text.matchAll(/\{([a-z][A-Za-z0-9._-]*)\}/g)].every(([, name]) => captures.has(name!));
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** `\r \n \t \0 \\ \xHH`, in raw lines only. */
export function unescapeRaw(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (whole, hex: string | undefined, letter: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const value = ESCAPES[letter!];
    if (value === undefined) throw new Error(`unknown escape ${whole}`);
    return value;
  });
}
