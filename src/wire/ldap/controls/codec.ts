// What a control's value is, both ways: one codec a control, one file each beside this one.
//
// In      the octets of the value, undefined where there is none; values to write
// Out     values; octets
// Fails   with a SyntaxFailure for octets that are not such a value, for one too many and for one too few
// RFC 4511 §4.1.11

import { SyntaxFailure } from '../../../base/cursor.ts';
import { BerReader, BerWriter } from '../ber.ts';
import type { Control } from '../controls.ts';

export interface ControlCodec<T> {
  /** An OID in dots. */
  readonly type: string;
  decode(value: Uint8Array | undefined): T;
  encode(value: T): Uint8Array | undefined;
}

/** A control whose value is one element of BER. */
export function berControl<T>(
  type: string,
  read: (reader: BerReader) => T,
  write: (writer: BerWriter, value: T) => void,
): ControlCodec<T> {
  return {
    type,
    decode(octets) {
      if (octets === undefined) throw new SyntaxFailure('a value', 0);
      const reader = new BerReader(Buffer.from(octets));
      const value = read(reader);
      reader.end();
      return value;
    },
    encode(value) {
      const writer = new BerWriter();
      write(writer, value);
      return writer.take();
    },
  };
}

/** A control that says all by being there. */
export function bareControl(type: string): ControlCodec<true> {
  return {
    type,
    decode(octets) {
      if (octets !== undefined) throw new SyntaxFailure('no value', 0);
      return true;
    },
    encode: () => undefined,
  };
}

/** The control that carries this value. */
export function controlOf<T>({ type, encode }: ControlCodec<T>, value: T, critical = false): Control {
  return { type, critical, value: encode(value) };
}
