// What commands print: text for people in columns, or one JSON value.

export interface Printer {
  /** `text` is what people get, `value` what programs get. */
  print(value: unknown, text: () => string): void;
}

export function printer(json: boolean, write: (text: string) => void): Printer {
  return {
    print(value, text) {
      const printed = json ? JSON.stringify(value, null, 2) : text();
      if (printed !== '') write(`${printed}\n`);
    },
  };
}

/** Rows under a heading, two spaces between columns. Nothing but the words of `empty` when there are none. */
export function columns(heading: readonly string[], rows: readonly (readonly string[])[], empty: string): string {
  if (rows.length === 0) return empty;
  const all = [heading, ...rows.map((row) => row.map(printable))];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `name  value` lines, the names in one column. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join('\n');
}

/** The directory, other hosts and messages may hold what a terminal would obey. */
export function printable(text: string): string {
  let clean = '';
  for (const c of text) {
    const code = c.codePointAt(0)!;
    clean += code < 0x20 || (code >= 0x7f && code < 0xa0) ? `\\x${code.toString(16).padStart(2, '0')}` : c;
  }
  return clean;
}
