// A filter as the text that parseFilter reads, for tests.
// RFC 4515

import type { Filter } from './filter.ts';
import type { AttributeValue } from './values.ts';

const OPERATORS = { equality: '=', greaterOrEqual: '>=', lessOrEqual: '<=', approx: '~=' } as const;

export function formatFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.kind === 'and' ? '&' : '|'}${filter.filters.map(formatFilter).join('')})`;
    case 'not':
      return `(!${formatFilter(filter.filter)})`;
    case 'equality':
    case 'greaterOrEqual':
    case 'lessOrEqual':
    case 'approx':
      return `(${filter.attribute}${OPERATORS[filter.kind]}${formatValue(filter.value)})`;
    case 'substrings':
      return `(${filter.attribute}=${[filter.initial ?? '', ...filter.any, filter.final ?? ''].map(formatValue).join('*')})`;
    case 'present':
      return `(${filter.attribute}=*)`;
    case 'extensible': {
      const rule = filter.rule === undefined ? '' : `:${filter.rule}`;
      return `(${filter.attribute ?? ''}${filter.dnAttributes ? ':dn' : ''}${rule}:=${formatValue(filter.value)})`;
    }
  }
}

function formatValue(value: AttributeValue): string {
  if (typeof value !== 'string') return Array.from(value, escapeOctet).join('');
  return value.replace(/[\0*()\\]/g, (character) => escapeOctet(character.charCodeAt(0)));
}

function escapeOctet(octet: number): string {
  return `\\${octet.toString(16).padStart(2, '0')}`;
}
