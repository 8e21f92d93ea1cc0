// Password Modify: another password for somebody, perhaps one that the server makes. RFC 3062 §2

import { BerReader, BerWriter, context, SEQUENCE } from '../ber.ts';
import type { AttributeValue } from '../values.ts';

export const PASSWORD_MODIFY = '1.3.6.1.4.1.4203.1.11.1';

export interface PasswordModifyRequest {
  /** Absent: of the one who asks. */
  readonly identity?: string;
  readonly oldPassword?: AttributeValue;
  readonly newPassword?: AttributeValue;
}

const IDENTITY = context(0);
const OLD = context(1);
const NEW = context(2);
const GENERATED = context(0);

export const passwordModifyRequest = {
  /** Undefined stands for a request without a value. Throws a SyntaxFailure. */
  decode(octets: Uint8Array | undefined): PasswordModifyRequest {
    if (octets === undefined) return {};
    const reader = new BerReader(Buffer.from(octets));
    const sequence = reader.enter(SEQUENCE);
    reader.end();
    const identity = sequence.peekTag() === IDENTITY ? sequence.text(IDENTITY) : undefined;
    const oldPassword = sequence.peekTag() === OLD ? sequence.value(OLD) : undefined;
    const newPassword = sequence.peekTag() === NEW ? sequence.value(NEW) : undefined;
    sequence.end();
    return {
      ...(identity === undefined ? {} : { identity }),
      ...(oldPassword === undefined ? {} : { oldPassword }),
      ...(newPassword === undefined ? {} : { newPassword }),
    };
  },
  encode({ identity, oldPassword, newPassword }: PasswordModifyRequest): Uint8Array {
    const writer = new BerWriter();
    writer.constructed(SEQUENCE, () => {
      if (identity !== undefined) writer.octets(identity, IDENTITY);
      if (oldPassword !== undefined) writer.octets(oldPassword, OLD);
      if (newPassword !== undefined) writer.octets(newPassword, NEW);
    });
    return writer.take();
  },
};

/** The value of a response that gives a password that the server has made. */
export const generatedPassword = {
  encode(password: string): Uint8Array {
    const writer = new BerWriter();
    writer.constructed(SEQUENCE, () => writer.octets(password, GENERATED));
    return writer.take();
  },
  /** Throws a SyntaxFailure. */
  decode(octets: Uint8Array): AttributeValue {
    const reader = new BerReader(Buffer.from(octets));
    const sequence = reader.enter(SEQUENCE);
    reader.end();
    const password = sequence.value(GENERATED);
    sequence.end();
    return password;
  },
};
