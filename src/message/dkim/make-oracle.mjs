// Makes oracle.txt: what mailauth says the canonical form of the messages 0 to 9999 of testing.ts is. A line for each hundred,
// SHA-256 of, for each of them, its fields in order (relaxed, CRLF behind each) and the SHA-256 of its body.
//
//   npm i --no-save --prefix /tmp/oracle mailauth
//   node src/message/dkim/make-oracle.mjs /tmp/oracle/node_modules/mailauth > src/message/dkim/oracle.txt

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { numberedMessage, ORACLE_LINE } from './testing.ts';

const require = createRequire(import.meta.url);
const folder = process.argv[2];
const { RelaxedHash } = require(join(folder, 'lib/dkim/body/relaxed.js'));
const { formatRelaxedLine } = require(join(folder, 'lib/tools.js'));

for (let line = 0; line < 100; line++) {
  const all = createHash('sha256');
  for (let number = line * ORACLE_LINE; number < (line + 1) * ORACLE_LINE; number++) {
    const text = numberedMessage(number).toString('latin1');
    const [, head, body] = /^([^]*?\n)\r?\n([^]*)$/.exec(text);
    for (const field of head.split(/(?<=\n)(?![ \t])/)) all.update(formatRelaxedLine(field, '\r\n'));
    const hash = new RelaxedHash('sha256');
    hash.update(Buffer.from(body, 'latin1'));
    all.update(Buffer.from(hash.digest('base64'), 'base64'));
  }
  process.stdout.write(`${all.digest('hex')}\n`);
}
