import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { silentLog } from '../base/log.ts';
import { DnsSockets } from './dns-sockets.ts';
import { ServingThread, type Supervisor } from './supervisor.ts';
import type { DnsOrder, DnsReport } from './threads/dns.ts';

/** The DNS thread without its worker: what it is ordered, what it reports, its end and its successor. */
function openThread() {
  const orders: DnsOrder[] = [];
  const worker = { postMessage: (order: DnsOrder) => orders.push(order) } as unknown as Parameters<
    ServingThread['serves']
  >[0];
  const thread = new ServingThread(1, 'dns', () => Promise.resolve());
  let reported: Parameters<Supervisor['onReport']>[0] = () => {};
  let ended: Parameters<Supervisor['onExit']>[0] = () => {};
  const sockets = new DnsSockets(
    {
      onReport: (listener) => {
        reported = listener;
        return () => {};
      },
      onExit: (listener) => {
        ended = listener;
      },
    },
    thread,
    silentLog,
  );
  return {
    orders,
    sockets,
    serves: () => thread.serves(worker),
    report: (report: DnsReport) => reported(thread, report),
    end(): void {
      thread.died();
      ended(thread);
    },
  };
}

test('an order to bind outlives the thread that has not carried it out', async () => {
  const { orders, sockets, serves, report, end } = openThread();
  // No worker runs yet.
  const bound = sockets.bind('127.0.0.1', 0, false);
  const order = { kind: 'bind', address: '127.0.0.1', port: 0, ipv6Only: false } as const;
  assert.deepEqual(orders, []);
  serves();
  end();
  serves();
  assert.deepEqual(orders, [order, order]);
  report({ kind: 'bound', address: '127.0.0.1', port: 4711 });
  assert.equal(await bound, 4711);
  assert.deepEqual(sockets.missing(), []);
  end();
  assert.deepEqual(sockets.missing(), ['127.0.0.1:4711']);
  serves();
  assert.deepEqual(orders.at(-1), { ...order, port: 4711 });
});

test('an order that was refused is no order to a successor', async () => {
  const { orders, sockets, serves, report, end } = openThread();
  serves();
  const bound = sockets.bind('127.0.0.1', 53, false);
  report({ kind: 'not-bound', address: '127.0.0.1', code: 'EADDRINUSE' });
  await assert.rejects(bound, Failure);
  end();
  serves();
  assert.equal(orders.length, 1);
  assert.deepEqual(sockets.missing(), []);
});
