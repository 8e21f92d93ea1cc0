// What the store of format 5 holds: one copy in two mailboxes, one that was appended, one of which nothing but dead bytes is left.

export const ANN = 'ann@acme.example';
export const BOB = 'bob@acme.example';
export const CONFIG = 'threads = 1\n[auth]\nscram = "off"\n';

const text = (subject: string, lines: number): Buffer =>
  Buffer.from(`Subject: ${subject}\r\n\r\n${'a line of a message of format 5\r\n'.repeat(lines)}`);

/** To both. */
export const SHARED = text('to both', 40);
export const GONE = text('gone', 900);
export const APPENDED = text('appended', 20);
