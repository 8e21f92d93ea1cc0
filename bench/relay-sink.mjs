#!/usr/bin/env node
// Another host for what is relayed: takes messages, keeps none, and ends when it has got so many.
//
//   --port N --count N      prints `ready`, then at the end one JSON line: messages, those of them that are signed, connections,
//                           the most open at once
import net from 'node:net';
import { args } from './lib.mjs';

const o = args({ host: '127.0.0.2', port: 2600, count: 1000 });
let messages = 0;
let signed = 0;
let connections = 0;
let open = 0;
let most = 0;

const EHLO = '250-sink.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n';
const END = Buffer.from('\r\n.\r\n');
const SIGNATURE = Buffer.from('DKIM-Signature:');

const server = net.createServer({ noDelay: true }, (sock) => {
  connections++;
  most = Math.max(most, ++open);
  let rest = null;
  let inData = false;
  let isSigned = false;
  sock.on('error', () => {});
  sock.on('close', () => open--);
  sock.on('data', (chunk) => {
    let at = 0;
    let out = '';
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    rest = null;
    for (;;) {
      if (inData) {
        const end = bytes.indexOf(END, at);
        isSigned ||= bytes.subarray(at, end < 0 ? bytes.length : end).includes(SIGNATURE);
        if (end < 0) {
          // The end may be cut in two.
          rest = bytes.subarray(Math.max(at, bytes.length - 4));
          break;
        }
        at = end + END.length;
        inData = false;
        messages++;
        if (isSigned) signed++;
        isSigned = false;
        out += '250 2.0.0 taken\r\n';
        continue;
      }
      const end = bytes.indexOf('\r\n', at, 'latin1');
      if (end < 0) {
        if (at < bytes.length) rest = bytes.subarray(at);
        break;
      }
      const verb = bytes.latin1Slice(at, at + 4).toUpperCase();
      at = end + 2;
      if (verb === 'EHLO') out += EHLO;
      else if (verb === 'DATA') {
        inData = true;
        out += '354 go on\r\n';
        // The first line of the data may be the dot.
        at -= 2;
      } else if (verb === 'QUIT') {
        sock.end(`${out}221 2.0.0 bye\r\n`);
        out = '';
      } else out += '250 2.0.0 ok\r\n';
    }
    if (out !== '') sock.write(out, 'latin1');
    if (messages >= o.count) finish();
  });
  sock.write('220 sink.example ESMTP\r\n');
});

let isOver = false;
function finish() {
  if (isOver) return;
  isOver = true;
  // What is beside the count would be a repeat: it gets its time to come.
  setTimeout(() => {
    console.log(JSON.stringify({ messages, signed, connections, most }));
    process.exit(0);
  }, 100);
}

server.listen(o.port, o.host, () => console.log('ready'));
