// kill -9 in the middle of a full synchronization: the old rows answer, before it and after the next start, what was half built
// is gone then, and the next full synchronization is as good as any.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { AdminClient } from '../../src/cli/client.ts';
import { SmtpProbe } from '../false-bounce/probes.ts';
import { addDomain, addUser, administrator } from '../support/directory.ts';
import { kills } from '../support/kills.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';

/** So many slices that there is a time between two of them. */
const NAMES = Array.from({ length: 1200 }, (_, n) => `u${n}@acme.example`);
const AT_ONCE = 50;
const KILLS = kills(2);
/** A synchronization that was faster than the look at it is tried again. */
const TRIES = 7 * KILLS;

async function populate(server: Waypost): Promise<void> {
  const client = await administrator(server, 600_000);
  await addDomain(client, 'acme.example');
  for (let at = 0; at < NAMES.length; at += AT_ONCE)
    await Promise.all(NAMES.slice(at, at + AT_ONCE).map((name) => addUser(client, name)));
  await client.unbind();
}

interface Rows {
  readonly generation: number;
  readonly building: number | null;
  /** Of addresses, of any generation but the one that answers. */
  readonly beside: number;
}

function rowsOf({ data }: Waypost): Rows {
  const database = new DatabaseSync(join(data, 'store.db'), { readOnly: true, timeout: 5000 });
  try {
    const sql = `SELECT generation, building,
        (SELECT count(*) FROM alias WHERE alias.generation <> routing_state.generation) AS beside
      FROM routing_state`;
    return { ...database.prepare(sql).get() } as unknown as Rows;
  } finally {
    database.close();
  }
}

async function asked(server: Waypost): Promise<void> {
  const smtp = await SmtpProbe.open(server.listeners.smtp);
  for (let n = 0; n < NAMES.length; n += 100) assert.match(await smtp.rcpt(NAMES[n]!), /^250 2\.1\.5/);
  assert.match(await smtp.rcpt('nobody@acme.example'), /^550 5\.1\.1/);
  smtp.close();
}

test('kill -9 between the slices of a full synchronization: what is half built has never answered, and goes', async (context) => {
  const server = await startWaypost();
  context.after(() => server.stop());
  await populate(server);
  const admin = new AdminClient(server.data);
  let killed = 0;
  for (let tries = 0; killed < KILLS && tries < TRIES; tries++) {
    const { generation } = rowsOf(server);
    // Each time a bit later.
    const wanted = 1 + (killed % 3) * 400;
    let ended = false;
    const meanwhile = await SmtpProbe.open(server.listeners.smtp);
    const full = admin.call('sync.full', {}).catch(() => undefined);
    void full.then(() => {
      ended = true;
    });
    await until('a generation that is half built', () => ended || isHalfBuilt(rowsOf(server), wanted), 600_000);
    assert.match(await meanwhile.rcpt(NAMES[0]!), /^250 2\.1\.5/);
    assert.match(await meanwhile.rcpt('nobody@acme.example'), /^550 5\.1\.1/);
    await server.kill9();
    await full;
    meanwhile.close();
    const left = rowsOf(server);
    if (left.building !== null) {
      killed++;
      assert.equal(left.generation, generation);
      assert.ok(left.beside > 0);
    }
    await server.restart();
    assert.deepEqual(rowsOf(server), { generation: left.generation, building: null, beside: 0 });
    await asked(server);
    const { differences, rows } = await admin.call('sync.verify', {});
    assert.deepEqual(differences, []);
    assert.ok(rows > NAMES.length);
    const next = await admin.call('sync.full', {});
    assert.deepEqual([next.generation, next.differences], [left.generation + 1, 0]);
  }
  assert.equal(killed, KILLS, 'the kills came while a generation was half built');
});

const isHalfBuilt = ({ building, beside }: Rows, wanted: number): boolean => building !== null && beside >= wanted;
