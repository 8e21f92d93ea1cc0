// Server-side sorting: by which attributes, and how that went. RFC 2891 §1

import { SyntaxFailure } from '../../../base/cursor.ts';
import { context, ENUMERATED, SEQUENCE } from '../ber.ts';
import { berControl } from './codec.ts';

export interface SortKey {
  readonly attribute: string;
  /** A matching rule by its OID or name; undefined: the attribute's own. */
  readonly rule: string | undefined;
  readonly reverse: boolean;
}

export interface SortResult {
  readonly resultCode: number;
  /** The first attribute that it failed by. */
  readonly attribute: string | undefined;
}

/** More than any server carries out: what is beyond is no request, whatever its length. */
const KEYS_MAX = 100;
const RULE = context(0);
const REVERSE = context(1);
const ATTRIBUTE = context(0);

export const sortRequest = berControl<readonly SortKey[]>(
  '1.2.840.113556.1.4.473',
  (reader) => {
    const list = reader.enter(SEQUENCE);
    const keys: SortKey[] = [];
    while (!list.atEnd) {
      if (keys.length === KEYS_MAX) throw new SyntaxFailure(`at most ${KEYS_MAX} keys`, list.at);
      const key = list.enter(SEQUENCE);
      const attribute = key.text();
      const rule = key.peekTag() === RULE ? key.text(RULE) : undefined;
      const reverse = key.peekTag() === REVERSE && key.boolean(REVERSE);
      key.end();
      keys.push({ attribute, rule, reverse });
    }
    if (keys.length === 0) throw new SyntaxFailure('a key', 0);
    return keys;
  },
  (writer, keys) =>
    writer.constructed(SEQUENCE, () => {
      for (const { attribute, rule, reverse } of keys)
        writer.constructed(SEQUENCE, () => {
          writer.octets(attribute);
          if (rule !== undefined) writer.octets(rule, RULE);
          if (reverse) writer.boolean(true, REVERSE);
        });
    }),
);

export const sortResponse = berControl<SortResult>(
  '1.2.840.113556.1.4.474',
  (reader) => {
    const sequence = reader.enter(SEQUENCE);
    const resultCode = sequence.unsigned(ENUMERATED);
    const attribute = sequence.peekTag() === ATTRIBUTE ? sequence.text(ATTRIBUTE) : undefined;
    sequence.end();
    return { resultCode, attribute };
  },
  (writer, { resultCode, attribute }) =>
    writer.constructed(SEQUENCE, () => {
      writer.integer(resultCode, ENUMERATED);
      if (attribute !== undefined) writer.octets(attribute, ATTRIBUTE);
    }),
);
