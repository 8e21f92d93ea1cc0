// COMPRESS DEFLATE: behind the reply all is compressed, both ways, until the connection or its login ends.
//
// Limits  COMPRESSED_MAX connections a thread, each some 100 KB; one that was compressed once is not again
// Never   reads what stands behind it: nobody could say whether it was compressed
// RFC 4978 §3

import { Failure } from '../../../base/failure.ts';
import { type CompressCommand, parseCompress } from '../../../wire/imap/commands/compress.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { bad, no } from '../reply.ts';

const COMPRESSED_MAX = 2000;

export const compress: CommandDefinition<CompressCommand> = {
  states: LOGGED_IN,
  parse: parseCompress,
  run({ mechanism }, session) {
    const { compressed } = session.door;
    if (mechanism !== 'DEFLATE') return no('There is no such compression');
    if (session.hasCompressed) return { ...bad('Compression was begun already'), code: 'COMPRESSIONACTIVE' };
    if (session.waitingBytes > 0) return { ...bad('Nothing may be sent behind COMPRESS'), next: 'end' };
    if (compressed.connections >= COMPRESSED_MAX) throw new Failure('too-many', 'Too many compressed connections');
    session.hasCompressed = true;
    compressed.connections++;
    session.onClose(() => compressed.connections--);
    return { status: 'OK', text: 'DEFLATE active', code: undefined, next: 'deflate' };
  },
};
