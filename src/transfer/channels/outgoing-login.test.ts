// Logins at smart hosts: over verified TLS alone, and mail that waits where it comes to nothing.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { RemoteHost } from '../../estate/remote-host.ts';
import type { RemoteHostScript } from '../../estate/remote-script.ts';
import { add, addDomain, addUser, replace } from '../../provisioning/testing.ts';
import { retryAll } from '../manage.ts';
import { TestTransfer } from '../testing.ts';
import { OutgoingTls } from './outgoing-tls.ts';

const authority = new TestAuthority();
const tls = authority.issue('smart.example');
const CHANNEL = 'cn=smtp,ou=Channels,ou=Waypost,o=internet';

/** `daemon`: a keyword of the channel names the host, and a line of the configuration. */
async function open(
  context: TestContext,
  script: RemoteHostScript,
  channel: Readonly<Record<string, string>>,
  daemon: (port: number) => string = (port) => `daemon smart.example:${port}`,
) {
  const sink = await RemoteHost.start(script);
  const transfer = await TestTransfer.open({
    nextHop: { 'remote.example': `smart.example:${sink.port}` },
    resolver: {
      mx: () => Promise.resolve({ result: 'unavailable', reason: 'none' }),
      addresses: () => Promise.resolve({ result: 'found', addresses: [sink.host] }),
    },
    tls: new OutgoingTls(new Map(), authority.file),
    policy: { retryMs: [3_600_000], expireMs: 86_400_000 },
  });
  context.after(async () => {
    await transfer.close();
    await sink.close();
  });
  await transfer.directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    add(CHANNEL, {
      objectClass: 'waypostChannel',
      cn: 'smtp',
      waypostChannelKind: 'smtp',
      waypostKeyword: [daemon(sink.port), channel['waypostKeyword']].filter((word) => word !== undefined),
      ...withoutWord(channel),
    }),
  );
  await transfer.start();
  const send = () =>
    transfer.accept({ from: 'ann@acme.example', to: ['rex@remote.example'], text: 'Subject: x\r\n\r\nx\r\n' });
  const putOff = async (): Promise<string> => {
    await transfer.until('an outcome', () => transfer.queue()[0]?.attempts === 1);
    return transfer.queue()[0]?.lastError ?? '';
  };
  return { sink, transfer, send, putOff };
}

function withoutWord({ waypostKeyword: _, ...values }: Readonly<Record<string, string>>) {
  return values;
}

const LOGIN = { waypostLogin: 'relay', waypostSecret: 'h\u00fcsh' };
const offers = (mechanisms: string) => ({ tls, extensions: ['PIPELINING', `AUTH ${mechanisms}`] });

for (const [mechanism, said] of [
  ['PLAIN LOGIN', ['\0relay\0h\u00fcsh']],
  ['LOGIN', ['', 'relay', 'h\u00fcsh']],
] as const)
  test(`a login by ${mechanism}, once a connection`, async (context) => {
    const heard: string[] = [];
    const auth = (line: string): string => {
      heard.push(line);
      return heard.length < said.length ? '334 go on' : '235 2.7.0 in';
    };
    const { sink, transfer, send } = await open(context, { ...offers(mechanism), auth }, LOGIN);
    await send();
    await transfer.drained();
    await send();
    await transfer.drained();
    assert.deepEqual(heard, said);
    assert.deepEqual([sink.messages.length, sink.connections], [2, 1]);
  });

test('a login that is refused puts the mail off, and another secret sends it', async (context) => {
  const auth = (line: string): string => (line.endsWith('right') ? '235 2.7.0 in' : '535 5.7.8 no');
  const { sink, transfer, send, putOff } = await open(context, { ...offers('PLAIN'), auth }, LOGIN);
  await send();
  assert.match(await putOff(), /the login as relay is refused: 535 5\.7\.8 no/);
  await transfer.directory.apply(replace(CHANNEL, { waypostSecret: 'right' }));
  await retryAll(transfer.directory.writer);
  await transfer.drained();
  assert.equal(sink.messages.length, 1);
});

test('the secret is not said in the clear, nor to a host whose certificate is not verified', async (context) => {
  const strange = new TestAuthority().issue('smart.example');
  for (const script of [{ extensions: ['AUTH PLAIN'] }, { ...offers('PLAIN'), tls: strange }]) {
    const { sink, send, putOff } = await open(context, script, LOGIN);
    await send();
    assert.match(await putOff(), /TLS/);
    assert.ok(!sink.commands.some((line) => line.startsWith('AUTH') || line.startsWith('MAIL')));
  }
});

test('no host but those that the channel itself names is told the secret', async (context) => {
  const heard: string[] = [];
  const auth = (line: string): string => {
    heard.push(line);
    return '235 2.7.0 in';
  };
  // The line of the configuration, as a rule or an entry might, names another host.
  const { sink, transfer, send } = await open(
    context,
    { ...offers('PLAIN'), auth },
    LOGIN,
    () => 'daemon other.example',
  );
  await send();
  await transfer.drained();
  assert.deepEqual([sink.messages.length, heard], [1, []]);
  const unnamed = await open(context, { ...offers('PLAIN'), auth }, LOGIN, () => 'maxjobs 5');
  await unnamed.send();
  assert.match(await unnamed.putOff(), /no daemon says at which hosts/);
  assert.deepEqual(heard, []);
});

test('a login without a secret, or at a host that offers none, waits', async (context) => {
  const { send, putOff } = await open(context, offers('PLAIN'), { waypostLogin: 'relay' });
  await send();
  assert.match(await putOff(), /not with which secret/);
  const none = await open(context, offers('GSSAPI'), LOGIN);
  await none.send();
  assert.match(await none.putOff(), /it offers no login that we know/);
});

test('the secret is in no row of the routing tables', async (context) => {
  const { transfer } = await open(context, offers('PLAIN'), LOGIN);
  const { reader } = transfer.directory;
  const rows = reader.all('SELECT row FROM routing_setting').map(({ row }) => String(row));
  assert.ok(rows.some((row) => row.includes('"loginName":"relay"')));
  assert.ok(!rows.some((row) => row.includes(LOGIN.waypostSecret)));
});

test('mail comes from the address that the channel names; an address of the other family is not asked', async (context) => {
  const { sink, transfer, send } = await open(context, {}, { waypostKeyword: 'interfaceaddress 127.0.0.9' });
  await send();
  await transfer.drained();
  assert.deepEqual(sink.peers, ['127.0.0.9']);
  const six = await open(context, {}, { waypostKeyword: 'interfaceaddress ::1' });
  await six.send();
  assert.match(await six.putOff(), /no address that interfaceaddress can reach/);
});
