// Paged results: how many entries come at once, and where the next ones begin. RFC 2696 §2

import { SEQUENCE } from '../ber.ts';
import { berControl } from './codec.ts';

export interface PagedResults {
  /** Of a request: entries of this page. Of a response: how many there are in all, 0 where that is not known. */
  readonly size: number;
  /** The server's, empty at the beginning and at the end. */
  readonly cookie: Uint8Array;
}

export const pagedResults = berControl<PagedResults>(
  '1.2.840.113556.1.4.319',
  (reader) => {
    const sequence = reader.enter(SEQUENCE);
    const value = { size: sequence.unsigned(), cookie: new Uint8Array(sequence.octets()) };
    sequence.end();
    return value;
  },
  (writer, { size, cookie }) =>
    writer.constructed(SEQUENCE, () => {
      writer.integer(size);
      writer.octets(cookie);
    }),
);
