// A store of format 3, made by the last program that writes it: what waits, is held and has failed in its queue stays so, and goes on.
//
// In      format-3/: the store (make.ts says how)
// Out     the same rows, with who holds them and what is to be reported; each message ends where it was to end

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { AdminClient } from '../../src/cli/client.ts';
import { FORMAT } from '../../src/database/format.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { RemoteHost } from '../../src/estate/remote-host.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';
import { administrator, domainDn, PASSWORD, replaceAttribute } from '../support/directory.ts';
import { startWaypost } from '../support/server.ts';
import { until } from '../support/until.ts';
import { contents, copyOfStore } from './fixture.ts';
import { ANN, config, FAILED, HELD, WAITING } from './format-3/queue.ts';

test('each row of the queue goes on from where it was', async () => {
  using store = copyOfStore({ format: 3 });
  const sink = await RemoteHost.start({});
  await using server = await startWaypost({ data: store.data, config: config(sink.nextHop) });
  await server.said(/\n/);
  const [first] = server.stderr().split('\n');
  assert.equal(first, `migrating the store from format 3 to ${FORMAT} (3 messages); copy: store.db.format-3`);
  const queue = () => new AdminClient(server.data).call('queue.list', {});
  const inbox = async (login: string): Promise<string[]> => {
    const imap = await ImapClient.login(server.listeners.imap, login, PASSWORD);
    const messages = await imap.fetchAll();
    await imap.logout();
    return messages.map(({ body }) => body.toString('latin1'));
  };

  // What has failed is reported to its sender, and ends.
  await until('the report', async () => (await inbox(ANN)).length > 0);
  const [report, ...more] = await inbox(ANN);
  assert.deepEqual(more, []);
  assert.match(report!, new RegExp(`Final-Recipient: rfc822; ?${FAILED}`));
  assert.match(report!, /Action: failed/);

  // What waits goes on: its time has been cut to a step, and it may be tried now.
  const waiting = (await queue()).find(({ recipient }) => recipient === WAITING);
  if (waiting !== undefined) await new AdminClient(server.data).call('queue.retry', { ids: [String(waiting.id)] });
  await until('the sink has it', async () => sink.messages.length > 0);

  // What routing holds is held by it, until its row changes.
  const [held, ...others] = (await queue()).filter(({ recipient }) => recipient !== WAITING);
  assert.deepEqual(others, []);
  assert.equal(held?.recipient, HELD);
  assert.deepEqual([held.state, held.heldBy, held.waitsFor], ['held', 'routing', 'route held.example']);
  const client = await administrator(server);
  await replaceAttribute(client, domainDn('held.example'), 'mailDomainStatus', ['active']);
  await until('it is released', async () => (await inbox(HELD)).length > 0);
  await client.unbind();
  await sink.close();
});

test('rows know who holds them, and what is to be reported of them; the copy is the old store', () => {
  using store = copyOfStore({ format: 3 });
  const old = contents(store.path);
  bringToFormat(store.data, { log: silentLog, synchronous: 'FULL' });
  assert.deepEqual(contents(`${store.path}.format-3`), old);
  const rows = (contents(store.path)['queue'] as string[])
    .slice(1)
    .map((text) => JSON.parse(text) as Record<string, unknown>);
  assert.deepEqual(
    rows.map(({ recipient, state, held_by, action }) => [recipient, state, held_by, action]).sort(),
    [
      [HELD, 'held', 'routing', null],
      [FAILED, 'failed', null, 'failed'],
      [WAITING, 'waiting', null, null],
    ].sort(),
  );
});
