// Message ids as threading compares them: quotes inside of them taken away, what is none left out.
//
// In      ids without brackets, the value of In-Reply-To; latin1
// Out     `local@domain`; undefined for what has no `@` between two texts
// RFC 5256 §3 (Message ID)

import { parseMessageId, parseReferences } from './message-id.ts';

/** Of the value of Message-ID. */
export function ownId(value: string | null): string | undefined {
  const id = value === null ? undefined : parseMessageId(value);
  return id === undefined ? undefined : normalizedId(id);
}

/** Those of References, else the first one of In-Reply-To. */
export function ancestorIds(references: readonly string[] | null, inReplyTo: string | null): string[] {
  const ids = (references ?? []).map(normalizedId).filter((id) => id !== undefined);
  if (ids.length > 0 || inReplyTo === null) return ids;
  for (const id of parseReferences(inReplyTo)) {
    const valid = normalizedId(id);
    if (valid !== undefined) return [valid];
  }
  return [];
}

function normalizedId(id: string): string | undefined {
  const at = id.lastIndexOf('@');
  if (at <= 0 || at === id.length - 1) return undefined;
  const local = id.slice(0, at);
  if (!local.startsWith('"')) return id;
  if (local.length < 3 || !local.endsWith('"')) return undefined;
  let plain = '';
  for (let i = 1; i < local.length - 1; i++) {
    if (local[i] === '\\' && i + 2 < local.length) i++;
    plain += local[i];
  }
  return `${plain}${id.slice(at)}`;
}
