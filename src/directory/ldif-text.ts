// LDIF, the writing end: an entry or a change as text that ldif.ts, and every other program, reads. RFC 2849
//
// In      a name, attributes; a change
// Out     a record, with the blank line that ends it; lines of at most 76 octets
// Errors  an attribute whose name is none: it would be lines of its own
// What is not plain ASCII goes as base64, so that no program has to guess

import { isAttributeName } from './attribute-name.ts';
import type { Attribute, AttributeValue, DirectoryChange } from './entry.ts';
import { directoryFailure } from './failure.ts';

const LINE = 76;

/** Comments come first. */
export function entryRecord(dn: string, attributes: readonly Attribute[], comments: readonly string[] = []): string {
  return `${commented(comments)}${line('dn', dn)}${linesOf(attributes)}\n`;
}

export function changeRecord(change: DirectoryChange, comments: readonly string[] = []): string {
  return `${commented(comments)}${line('dn', change.dn)}changetype: ${CHANGE_TYPES[change.kind]}\n${bodyOf(change)}\n`;
}

const CHANGE_TYPES = { add: 'add', modify: 'modify', rename: 'modrdn', delete: 'delete' } as const;

function bodyOf(change: DirectoryChange): string {
  switch (change.kind) {
    case 'add':
      return linesOf(change.attributes);
    case 'modify':
      return change.modifications
        .map(
          ({ operation, attribute, values }) =>
            `${line(operation, attribute)}${linesOf([{ name: attribute, values }])}-\n`,
        )
        .join('');
    case 'rename': {
      const { newRdn, deleteOldRdn, newSuperior } = change;
      const above = newSuperior === undefined ? '' : line('newsuperior', newSuperior);
      return `${line('newrdn', newRdn)}deleteoldrdn: ${deleteOldRdn ? 1 : 0}\n${above}`;
    }
    case 'delete':
      return '';
    default:
      return change satisfies never;
  }
}

function linesOf(attributes: readonly Attribute[]): string {
  return attributes.map(({ name, values }) => values.map((value) => line(name, value)).join('')).join('');
}

function commented(comments: readonly string[]): string {
  return comments.map((comment) => `# ${comment.replaceAll('\n', ' ').replaceAll('\r', ' ')}\n`).join('');
}

function line(name: string, value: AttributeValue): string {
  if (!isAttributeName(name)) throw directoryFailure('invalidAttributeSyntax', 'The name of an attribute is none');
  if (value.length === 0) return `${name}:\n`;
  if (typeof value === 'string' && isSafe(value)) return folded(`${name}: ${value}`);
  const octets = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value);
  return folded(`${name}:: ${octets.toString('base64')}`);
}

function folded(text: string): string {
  const parts = [text.slice(0, LINE)];
  for (let at = LINE; at < text.length; at += LINE - 1) parts.push(text.slice(at, at + LINE - 1));
  return `${parts.join('\n ')}\n`;
}

/** Printable ASCII that neither begins as something else would nor ends with a space. */
function isSafe(text: string): boolean {
  const first = text.charCodeAt(0);
  if (first === 0x20 || first === 0x3a || first === 0x3c || text.charCodeAt(text.length - 1) === 0x20) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}
