// Faults in the threads of a server under test. Ends are from inside, as a bug's would be: an exception that nobody catches.
//
// In      loaded into each thread with `--import`; over the main thread's IPC channel Faults
// A DNS query that holds the octets LETHAL ends its thread, too.

import { Socket } from 'node:dgram';
import {
  BroadcastChannel,
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  threadName,
} from 'node:worker_threads';

export type Fault =
  /** A thread's name: `dns`, `transfer`, `protocol-1`, ... */
  | { readonly fault: 'end'; readonly thread: string }
  /** It dies before it serves, from now on. */
  | { readonly fault: 'end-at-start'; readonly thread: string }
  /** The system reports an error of every UDP socket. */
  | { readonly fault: 'udp-error' }
  /** No UDP socket can be bound, or they can again. */
  | { readonly fault: 'udp-bind'; readonly isRefused: boolean };

/** A label of a name. */
export const LETHAL = 'lethal-query';

const END_AT_START = 'waypost-test-end-at-start';
const REFUSE_BIND = 'waypost-test-refuse-bind';
/** Seen by threads that are just starting, too. */
const shared = isMainThread
  ? new SharedArrayBuffer(4)
  : (getEnvironmentData(REFUSE_BIND) as unknown as SharedArrayBuffer);
const refuseBind = new Int32Array(shared);
const channel = new BroadcastChannel('waypost-test-faults');

if (isMainThread) {
  setEnvironmentData(REFUSE_BIND, shared as unknown as Parameters<typeof setEnvironmentData>[1]);
  process.on('message', (fault: Fault) => {
    if (fault.fault === 'end-at-start') setEnvironmentData(END_AT_START, fault.thread);
    if (fault.fault === 'udp-bind') Atomics.store(refuseBind, 0, fault.isRefused ? 1 : 0);
    channel.postMessage(fault);
  });
  // A server that has been stopped ends.
  process.channel?.unref();
} else {
  if (getEnvironmentData(END_AT_START) === threadName) throw new Error('ended at its start by a test');
  const sockets = new Set<Socket>();
  channel.onmessage = ({ data: fault }: { data: Fault }): void => {
    if (fault.fault === 'end' && fault.thread === threadName) throw new Error('ended by a test');
    if (fault.fault === 'udp-error') for (const socket of sockets) socket.emit('error', new Error('a fault'));
  };

  const { emit, bind } = Socket.prototype;
  Socket.prototype.emit = function (this: Socket, event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'listening') sockets.add(this);
    if (event === 'close') sockets.delete(this);
    if (event === 'message' && (args[0] as Buffer).includes(LETHAL)) throw new Error('ended by a query');
    return Reflect.apply(emit, this, [event, ...args]);
  } as typeof emit;
  Socket.prototype.bind = function (this: Socket, ...args: unknown[]): Socket {
    if (Atomics.load(refuseBind, 0) === 0) return Reflect.apply(bind, this, args);
    setImmediate(() => this.emit('error', Object.assign(new Error('bind EADDRINUSE'), { code: 'EADDRINUSE' })));
    return this;
  } as typeof bind;
}
channel.unref();
