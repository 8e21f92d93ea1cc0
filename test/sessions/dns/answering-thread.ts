// A thread that answers DNS over UDP from a store that another thread writes: what the server has, and nothing else.

import { parentPort, workerData } from 'node:worker_threads';
import { silentLog } from '../../../src/base/log.ts';
import { openReader } from '../../../src/database/connection.ts';
import { SharedState } from '../../../src/database/shared.ts';
import { createAnswer } from '../../../src/protocols/dns/answer.ts';
import { bindDnsUdp, serveDnsUdp } from '../../../src/protocols/dns/udp.ts';
import { zoneLookUp } from '../../../src/zones/look-up.ts';

export interface AnsweringThreadData {
  readonly path: string;
  readonly shared: SharedArrayBuffer;
}

const { path, shared } = workerData as AnsweringThreadData;
const state = new SharedState(shared);
const socket = await bindDnsUdp('127.0.0.1', 0);
serveDnsUdp({
  socket,
  log: silentLog,
  answer: createAnswer({
    lookUp: zoneLookUp(openReader(path).reader, { hostname: 'mail.isp.example', mode: 'embedded' }),
    revision: () => state.revision(),
    log: silentLog,
  }),
});
parentPort?.postMessage(socket.address().port);
