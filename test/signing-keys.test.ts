// A key signs where its record has been seen, and nowhere else, whatever kills the server while keys rotate.
//
// KILLS=30 for the long form

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { TENANT } from '../src/base/tenant.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { pathOf } from '../src/zones/path.ts';
import { addDomain, addUser, administrator, PASSWORD } from './support/directory.ts';
import { dkimKeys, type KeyRecords, keyRecords, signatureCount } from './support/dkim-keys.ts';
import { dkimpy, dkimVerifiersMissing } from './support/dkim-verifiers.ts';
import { kills } from './support/kills.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const skip = dkimVerifiersMissing;
const KILLS = kills(2);
const OURS = 'acme.example';
/** Its zone is kept elsewhere: nothing is seen there but what this test says. */
const THEIRS = 'theirs.example';

let server: Waypost;
let sink: RemoteHost;
before(async () => {
  sink = await RemoteHost.start();
  // Nobody answers at this resolver.
  server = await startWaypost({
    config: `resolver = ["127.0.0.9"]\n[next-hop]\n"remote.example" = "${sink.nextHop}"\n`,
  });
  const client = await administrator(server);
  await addDomain(client, OURS);
  await addDomain(client, THEIRS, { waypostZoneAuthority: 'theirs' });
  for (const domain of [OURS, THEIRS]) await addUser(client, `ann@${domain}`);
  await client.unbind();
});
after(async () => {
  await server?.stop();
  await sink?.close();
});

const rotate = () => run('./waypost', ['dkim', 'rotate', '--data', server.data]);
const inState = async (state: string) => (await dkimKeys(server)).filter((key) => key.state === state);

let number = 0;
async function send(domain: string): Promise<string> {
  const word = `subject-${++number}`;
  const login = `ann@${domain}`;
  const client = await SmtpClient.open(server.listeners.submission, { login, password: PASSWORD });
  const head = `From: ${login}\r\nTo: x@remote.example\r\nSubject: ${word}\r\n\r\n`;
  await client.send(login, ['x@remote.example'], Buffer.from(`${head}text\r\n`));
  await client.quit();
  const came = () => sink.messages.find(({ data }) => data.includes(`Subject: ${word}\r\n`));
  await until(`a message ${word}`, () => came() !== undefined);
  return came()!.data;
}

/** What the name servers of THEIRS show. */
const shown: Record<string, string> = {};

/** They show it, and that has been seen; the server is killed before and begins anew. */
async function show(...selectors: readonly string[]): Promise<void> {
  const keys = await dkimKeys(server);
  await server.kill9();
  const database = new DatabaseSync(join(server.data, 'store.db'));
  const insert = database.prepare('INSERT INTO key_observed (tenant, path, selector, at) VALUES (?, ?, ?, ?)');
  for (const selector of selectors) {
    shown[`${selector}._domainkey.${THEIRS}`] = keys.find((key) => key.selector === selector)!.record;
    insert.run(TENANT, pathOf(THEIRS), selector, Date.now());
  }
  database.close();
  await server.restart();
}

/** In this order, by these keys; and whoever asks the domain's name servers verifies it. */
function assertSignedBy(message: string, selectors: readonly string[], records: KeyRecords): void {
  assert.deepEqual(
    dkimpy(message, records),
    selectors.map((selector) => `${selector} pass`),
  );
}

test('in a zone of others a key signs once its record was seen, until then its predecessor or none', {
  skip,
}, async () => {
  const first = (await inState('signing')).map(({ selector }) => selector).sort((a, b) => (a < b ? 1 : -1));
  assert.equal(signatureCount(await send(THEIRS)), 0);
  await server.said(/"reason":"no key of theirs\.example can be seen in DNS"/);
  assertSignedBy(await send(OURS), first, await keyRecords(server, [OURS]));

  await show(...first);
  assertSignedBy(await send(THEIRS), first, shown);

  await rotate();
  await server.kill9();
  await server.restart();
  const fresh = (await inState('new')).map(({ selector }) => selector).sort((a, b) => (a < b ? 1 : -1));
  assert.equal(fresh.length, 2);
  assertSignedBy(await send(THEIRS), first, shown);
  assertSignedBy(await send(OURS), fresh, await keyRecords(server, [OURS]));

  await show(fresh[0]!);
  assertSignedBy(await send(THEIRS), [fresh[0]!, first[1]!], shown);
  await show(fresh[1]!);
  assertSignedBy(await send(THEIRS), fresh, shown);
});

test('kills while keys rotate: whatever has left is signed, and the records verify it', { skip }, async () => {
  const before = sink.messages.length;
  for (let kill = 1; kill <= KILLS; kill++) {
    const rotation = rotate().catch(() => {});
    const sending = (async () => {
      for (let each = 0; each < 2; each++) await send(OURS);
    })().catch(() => {});
    await new Promise((turn) => setTimeout(turn, (600 * kill) / KILLS));
    await server.kill9();
    await server.restart();
    await Promise.all([rotation, sending]);
    // A kill before the first of them leaves nothing to look at.
    await send(OURS);
  }
  const records = await keyRecords(server, [OURS]);
  const signing = await inState('signing');
  assert.deepEqual(signing.map(({ type }) => type).sort(), ['ed25519', 'rsa']);
  for (const { data } of sink.messages.slice(before)) {
    const said = dkimpy(data, records);
    assert.ok(said.length === 2 && said.every((each) => each.endsWith(' pass')), `${said.join()}\n${data}`);
  }
});
