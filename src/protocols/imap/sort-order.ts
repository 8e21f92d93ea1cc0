// By what messages are sorted: the values of a row for the criteria of SORT, and which row comes first.
//
// RFC 5256 §3, RFC 5957 §3 §4

import { decodeHeader, type HeaderValues } from '../../message/header-values.ts';
import { displaySortValue, mailboxSortValue, sentDate, subjectSortValue } from '../../message/sort-value.ts';
import type { MessageSummary } from '../../store/messages.ts';
import type { SortCriterion, SortKey } from '../../wire/imap/commands/sort.ts';

type SortValue = string | number;

export interface SortedMessage {
  /** A sequence number or a UID: of two equal ones the lower comes first. */
  readonly number: number;
  readonly values: readonly SortValue[];
}

export function sortedMessage(number: number, row: MessageSummary, criteria: readonly SortCriterion[]): SortedMessage {
  const readsHeader = criteria.some(({ key }) => key !== 'ARRIVAL' && key !== 'SIZE');
  const header = readsHeader ? decodeHeader(row.header) : undefined;
  return { number, values: criteria.map(({ key }) => sortValue(key, row, header)) };
}

export function inOrderOf(criteria: readonly SortCriterion[]): (a: SortedMessage, b: SortedMessage) => number {
  return (a, b) => {
    for (let i = 0; i < criteria.length; i++) {
      const first = a.values[i]!;
      const second = b.values[i]!;
      if (first !== second) return first < second !== criteria[i]!.isReverse ? -1 : 1;
    }
    return a.number - b.number;
  };
}

function sortValue(key: SortKey, row: MessageSummary, header: HeaderValues | undefined): SortValue {
  switch (key) {
    case 'ARRIVAL':
      return row.internalDate;
    case 'SIZE':
      return row.size;
    case 'DATE':
      return sentDate(header![0], row.internalDate);
    case 'SUBJECT':
      return subjectSortValue(header![1]);
    case 'FROM':
      return mailboxSortValue(header![2]);
    case 'TO':
      return mailboxSortValue(header![5]);
    case 'CC':
      return mailboxSortValue(header![6]);
    case 'DISPLAYFROM':
      return displaySortValue(header![2]);
    case 'DISPLAYTO':
      return displaySortValue(header![5]);
    default:
      return key satisfies never;
  }
}
