// Controls: what a message asks beside its operation.
//
// RFC 4511 §4.1.11

import { LDAP_CONTROLS_MAX } from '../../base/limits.ts';
import { type BerReader, type BerWriter, BOOLEAN, contextConstructed, OCTET_STRING, SEQUENCE } from './ber.ts';
import { RequestFailure } from './request-failure.ts';

export interface Control {
  /** An OID in dots. */
  readonly type: string;
  readonly critical: boolean;
  readonly value: Uint8Array | undefined;
}

const CONTROLS = contextConstructed(0);

/** The controls of a message, none when the field is not there. */
export function decodeControls(reader: BerReader): Control[] {
  const list = reader.tryEnter(CONTROLS);
  const controls: Control[] = [];
  while (list !== undefined && !list.atEnd) {
    if (controls.length === LDAP_CONTROLS_MAX)
      throw new RequestFailure(`at most ${LDAP_CONTROLS_MAX} controls`, list.at);
    const element = list.enter(SEQUENCE);
    const type = element.text();
    const critical = element.peekTag() === BOOLEAN && element.boolean();
    const value = element.peekTag() === OCTET_STRING ? new Uint8Array(element.octets()) : undefined;
    element.skipRest();
    controls.push({ type, critical, value });
  }
  return controls;
}

export function encodeControls(writer: BerWriter, controls: readonly Control[]): void {
  if (controls.length === 0) return;
  writer.constructed(CONTROLS, () => {
    for (const control of controls)
      writer.constructed(SEQUENCE, () => {
        writer.octets(control.type);
        if (control.critical) writer.boolean(true);
        if (control.value !== undefined) writer.octets(control.value);
      });
  });
}
