// SELECT and EXAMINE as values. RFC 3501 §6.3.1 §6.3.2, RFC 4466 §2.1, RFC 7162 §3.1.8 §3.2.5

import type { ImapCursor } from '../grammar.ts';
import type { NumberRange, NumberSet } from '../values.ts';
import { STAR } from '../values.ts';

/** What a client knows of the mailbox from an earlier session. */
export interface KnownMailbox {
  readonly uidValidity: number;
  readonly modseq: number;
  /** Undefined: all of them. */
  readonly uids: readonly NumberRange[] | undefined;
  /** Some sequence numbers and their UIDs, as they were. */
  readonly pairs: { readonly numbers: readonly NumberRange[]; readonly uids: readonly NumberRange[] } | undefined;
}

export interface SelectCommand<N extends 'SELECT' | 'EXAMINE' = 'SELECT' | 'EXAMINE'> {
  readonly name: N;
  readonly mailbox: string;
  readonly condstore: boolean;
  readonly qresync: KnownMailbox | undefined;
}

export function parseSelect<N extends 'SELECT' | 'EXAMINE'>(name: N): (cursor: ImapCursor) => SelectCommand<N> {
  return (cursor) => {
    cursor.space();
    const mailbox = cursor.mailbox();
    let condstore = false;
    let qresync: KnownMailbox | undefined;
    if (cursor.trySpace()) {
      const parameters = cursor.list(() => {
        const start = cursor.at;
        const word = cursor.word();
        if (word === 'CONDSTORE') condstore = true;
        else if (word === 'QRESYNC' && qresync === undefined) {
          cursor.space();
          qresync = parseKnown(cursor);
        } else {
          cursor.at = start;
          cursor.fail('CONDSTORE or QRESYNC');
        }
      });
      if (parameters.length === 0) cursor.fail('CONDSTORE or QRESYNC');
    }
    cursor.end();
    return { name, mailbox, condstore, qresync };
  };
}

function parseKnown(cursor: ImapCursor): KnownMailbox {
  cursor.take('(');
  const uidValidity = cursor.nzNumber();
  cursor.space();
  const modseq = cursor.modSequence();
  if (modseq === 0) cursor.fail('a mod-sequence above 0');
  let uids: readonly NumberRange[] | undefined;
  let pairs: KnownMailbox['pairs'];
  if (cursor.trySpace() && cursor.peek() !== 0x28) {
    uids = knownRanges(cursor, cursor.uidSet());
    cursor.trySpace();
  }
  if (cursor.tryTake('(')) {
    const numbers = knownRanges(cursor, cursor.sequenceSet());
    cursor.space();
    pairs = { numbers, uids: knownRanges(cursor, cursor.uidSet()) };
    cursor.take(')');
  }
  cursor.take(')');
  return { uidValidity, modseq, uids, pairs };
}

/** `*` and `$` are no numbers that a client has kept. */
function knownRanges(cursor: ImapCursor, { unit, ranges }: NumberSet): readonly NumberRange[] {
  if (unit === 'saved' || ranges.some(({ first, last }) => first === STAR || last === STAR)) cursor.fail('numbers');
  return ranges;
}
