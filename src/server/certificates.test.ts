import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import type { TlsMaterial } from '../net/tls.ts';
import { openTestDirectory } from '../provisioning/testing.ts';
import { Certificates } from './certificates.ts';
import { configure } from './configuration.ts';
import type { ServingThread } from './supervisor.ts';

const TWELVE_HOURS = 12 * 3_600_000;

test('the keys of session tickets change after twelve hours, in all threads together', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const data = await mkdtemp(join(tmpdir(), 'waypost-certificates-'));
  const directory = await openTestDirectory();
  const overrides = { data, development: true, hostname: 'mail.example', listen: undefined, portOffset: undefined };
  const configuration = configure(undefined, '', { ...overrides, log: undefined });
  const parts = {
    configuration,
    hostnames: ['mail.example'],
    clock: systemClock,
    log: silentLog,
    counters: { add() {} },
  };
  const certificates = await Certificates.open({ ...parts, reader: directory.reader });
  context.after(async () => {
    certificates.end();
    directory.close();
    await rm(data, { recursive: true });
  });
  const given: TlsMaterial[][] = [[], []];
  const threads = given.map((orders) => ({
    stand: (order: { readonly material: TlsMaterial }) => orders.push(order.material),
  }));
  certificates.serve(threads as unknown as readonly ServingThread[]);
  const keys = () => given.map((orders) => Buffer.from(orders.at(-1)!.ticketKeys as Uint8Array).toString('hex'));
  const [first] = keys();
  assert.deepEqual(keys(), [first, first]);
  context.mock.timers.tick(TWELVE_HOURS - 1);
  assert.deepEqual(keys(), [first, first]);
  context.mock.timers.tick(1);
  const [second] = keys();
  assert.notEqual(second, first);
  assert.deepEqual(keys(), [second, second]);
});
