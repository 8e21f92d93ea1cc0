// A request whose octets are sound and whose contents are not: answered in its own response, the connection goes on.
//
// A plain SyntaxFailure means that lengths or tags lie, and ends the connection: RFC 4511 §4.1.1.

import { SyntaxFailure } from '../../base/cursor.ts';

export class RequestFailure extends SyntaxFailure {
  constructor(expected: string, offset: number) {
    super(expected, offset);
    this.name = 'RequestFailure';
  }
}
