// Pre-read and post-read: a change gives its entry as it was before, as it is after it. RFC 4527 §3
//
// In a request the value is a selection of attributes, in the response the entry.

import { LDAP_VALUES_MAX } from '../../../base/limits.ts';
import { decodeAttributes } from '../attributes.ts';
import { type BerReader, type BerWriter, SEQUENCE } from '../ber.ts';
import { encodeSearchEntry, SEARCH_ENTRY, type SearchEntry } from '../operations/search.ts';
import { RequestFailure } from '../request-failure.ts';
import { berControl } from './codec.ts';

const PRE_READ = '1.3.6.1.1.13.1';
const POST_READ = '1.3.6.1.1.13.2';

export const preReadRequest = berControl(PRE_READ, readSelection, writeSelection);
export const postReadRequest = berControl(POST_READ, readSelection, writeSelection);
export const preReadResponse = berControl(PRE_READ, readEntry, encodeSearchEntry);
export const postReadResponse = berControl(POST_READ, readEntry, encodeSearchEntry);

function readSelection(reader: BerReader): readonly string[] {
  const list = reader.enter(SEQUENCE);
  const attributes: string[] = [];
  while (!list.atEnd) {
    if (attributes.length === LDAP_VALUES_MAX)
      throw new RequestFailure(`at most ${LDAP_VALUES_MAX} attributes`, list.at);
    attributes.push(list.text());
  }
  return attributes;
}

function writeSelection(writer: BerWriter, attributes: readonly string[]): void {
  writer.constructed(SEQUENCE, () => {
    for (const attribute of attributes) writer.octets(attribute);
  });
}

/** OpenLDAP's server writes a plain sequence. */
function readEntry(reader: BerReader): SearchEntry {
  const entry = reader.enter(reader.peekTag() === SEQUENCE ? SEQUENCE : SEARCH_ENTRY);
  const dn = entry.text();
  const attributes = decodeAttributes(entry);
  entry.skipRest();
  return { kind: 'searchEntry', dn, attributes };
}
