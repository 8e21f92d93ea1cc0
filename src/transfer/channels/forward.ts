// The forward channel: mail that a user has sent on to an address elsewhere, before it goes there.
//
// In      a target that names who forwards; the header of the message
// Out     the operation that sends it on (forward.ts); or that it has been here before: 5.4.6
// Limits  HEAD_BYTES of the header are read; a loop without our field ends by the number of Received fields
// RFC 5321 §6.3, RFC 9228

import { formatAddress } from '../../message/address.ts';
import { fieldValue, parseHeader } from '../../message/header.ts';
import type { Blobs } from '../../store/blobs.ts';
import { addressIn, FORWARD, isDeliveredTo } from '../forward.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

const HEAD_BYTES = 64 * 1024;
const SENT_ON: Outcome = { ...outcome('delivered', '2.0.0', 'sent on'), operation: { name: FORWARD, args: {} } };

export class ForwardChannel implements Channel {
  static readonly kind = { name: 'forward', isLocal: true } as const;
  readonly name = ForwardChannel.kind.name;
  readonly isLocal = ForwardChannel.kind.isLocal;
  readonly recipientsMax = 1;
  readonly #blobs: Blobs;

  constructor({ blobs }: { readonly blobs: Blobs }) {
    this.#blobs = blobs;
  }

  async deliver({ message, targets }: Delivery): Promise<Delivered> {
    const { blob, traceBytes } = message;
    const header = parseHeader(await this.#blobs.read(blob, traceBytes, HEAD_BYTES));
    const fields = header.fields.filter(({ name }) => name === 'delivered-to');
    const values = fields.map((field) => Buffer.from(fieldValue(header, field), 'latin1').toString());
    const outcomes = targets.map(({ options }) => {
      const by = addressIn(options['by']);
      if (!values.some((value) => isDeliveredTo(value, by))) return SENT_ON;
      return outcome('failed', '5.4.6', `The message has come back to ${formatAddress(by)}, who forwards it`);
    });
    return { outcomes };
  }
}
