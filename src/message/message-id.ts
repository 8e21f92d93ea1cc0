// Message ids in the values of Message-ID and References, without their angle brackets.
//
// In      the unfolded value of a field, latin1; any text at all, it never throws
// Limits  MESSAGE_ID_BYTES an id, HEADER_REFERENCES_MAX ids a field
// RFC 5322 §3.6.4, RFC 5256 §2.2 (quotes inside an id are for who compares to take away)

import { HEADER_REFERENCES_MAX } from '../base/limits.ts';

const MESSAGE_ID_BYTES = 998;

/** The first id of a Message-ID field, the whole text where it has no brackets; undefined when there is none. */
export function parseMessageId(value: string): string | undefined {
  const open = value.indexOf('<');
  const close = value.indexOf('>', open + 1);
  const id = (open >= 0 && close > open ? value.slice(open + 1, close) : value).trim();
  return id.length > 0 && id.length <= MESSAGE_ID_BYTES ? id : undefined;
}

/**
 * The ids in brackets in their order, those that stand there twice too. Of more than HEADER_REFERENCES_MAX the first
 * and the last ones stay: the root of a thread and the nearest ancestors.
 */
export function parseReferences(value: string): string[] {
  const ids: string[] = [];
  for (let open = value.indexOf('<'); open >= 0; open = value.indexOf('<', open)) {
    const close = value.indexOf('>', open);
    if (close < 0) break;
    // A bracket that is never closed belongs to no id: the last one before the closing bracket opens it.
    const id = withoutSpaces(value.slice(value.lastIndexOf('<', close) + 1, close));
    if (id.length > 0 && id.length <= MESSAGE_ID_BYTES) {
      if (ids.length >= HEADER_REFERENCES_MAX) ids.splice(1, 1);
      ids.push(id);
    }
    open = close + 1;
  }
  return ids;
}

/** Mailers that fold a long line fold inside of an id too. */
function withoutSpaces(id: string): string {
  return id.includes(' ') || id.includes('\t') ? id.replaceAll(' ', '').replaceAll('\t', '') : id;
}
