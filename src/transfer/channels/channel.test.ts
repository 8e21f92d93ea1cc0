// What every channel keeps to, seen through the schedule that asks it: `store`, `smtp`, and one that makes mail.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import { RemoteHost } from '../../estate/remote-host.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import { addDomain, addUser, replace, userDn } from '../../provisioning/testing.ts';
import type { ChannelKind, ChannelRow } from '../../routing/compile-channel.ts';
import { settingsOf } from '../../routing/settings.ts';
import { retryAll } from '../manage.ts';
import { outcome } from '../outcome.ts';
import { TestTransfer } from '../testing.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';
import { OutgoingTls } from './outgoing-tls.ts';
import { SmtpChannel } from './smtp.ts';
import { storeChannel } from './store.ts';
import { AnsweringChannel } from './testing.ts';

const TEXT = 'Subject: hello\r\n\r\nhello\r\n';

/** A channel as it is, and all that it was asked and said. */
class Watched implements Channel {
  readonly #channel: Channel;
  /** The rows of a delivery, as they stand. */
  readonly #look: (delivery: Delivery) => string;
  readonly seen: { readonly delivery: Delivery; readonly delivered: Delivered; released: number }[] = [];

  constructor(channel: Channel, look: (delivery: Delivery) => string) {
    this.#channel = channel;
    this.#look = look;
  }

  get name(): ChannelKind {
    return this.#channel.name;
  }

  get isLocal(): boolean {
    return this.#channel.isLocal;
  }

  get recipientsMax(): number {
    return this.#channel.recipientsMax;
  }

  async deliver(delivery: Delivery, signal: AbortSignal): Promise<Delivered> {
    const before = this.#look(delivery);
    const delivered = await this.#channel.deliver(delivery, signal);
    assert.equal(this.#look(delivery), before, 'a channel has touched the queue');
    const seen = { delivery, delivered, released: 0 };
    this.seen.push(seen);
    return {
      ...delivered,
      release: (isMoreDue) => {
        assert.notEqual(this.#look(delivery), before, 'released before the outcome was recorded');
        seen.released++;
        delivered.release?.(isMoreDue);
      },
    };
  }
}

interface Case {
  readonly name: string;
  /** The channel, and recipients that go to it. */
  readonly open: (transfer: TestTransfer, context: TestContext) => Promise<{ channel: Channel; to: readonly string[] }>;
}

const ACCOUNTS = ['ann', 'bob', 'cat', 'dan'].map((name) => `${name}@acme.example`);
const FOREIGN = Array.from({ length: 25 }, (_, i) => `r${i}@remote.example`);

/** The channel `smtp` with a port of its own. */
function onPort(port: number): ChannelRow {
  return { kind: 'channel', key: 'smtp', dn: '', channelKind: 'smtp', keywords: [], isPaused: false, port };
}

const cases: readonly Case[] = [
  {
    name: 'store',
    async open({ directory }) {
      const inactive = ACCOUNTS.map((address) => addUser(address, { mailUserStatus: 'overquota' }));
      await directory.apply(...inactive);
      return { channel: storeChannel, to: ACCOUNTS };
    },
  },
  {
    name: 'smtp',
    async open(transfer, context) {
      const sink = await RemoteHost.start({});
      context.after(() => sink.close());
      const channel = new SmtpChannel({
        blobs: transfer.blobs,
        reader: transfer.directory.reader,
        signer: transfer.signer,
        resolver: {
          mx: () => Promise.resolve({ result: 'found', exchanges: [{ preference: 0, exchange: sink.host }] }),
          addresses: (host) => Promise.resolve({ result: 'found', addresses: [host] }),
        },
        settings: () => settingsOf([onPort(sink.port)]),
        hostnames: ['mail.test.example'],
        random: () => 0,
        tls: new OutgoingTls(new Map(), undefined),
        log: silentLog,
      });
      return { channel, to: FOREIGN };
    },
  },
  {
    name: 'one that makes mail',
    async open(transfer) {
      const take = (from: Address | undefined, text: string) => transfer.take(from, text);
      return { channel: new AnsweringChannel({ name: SmtpChannel.kind.name, take }), to: FOREIGN };
    },
  },
];

for (const { name, open } of cases)
  test(`${name}: one outcome a recipient, nothing touched, let go once its outcomes are recorded`, async (context) => {
    const transfer = await TestTransfer.open({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
    context.after(() => transfer.close());
    await transfer.directory.apply(addDomain('acme.example'), addUser('sender@acme.example'));
    const { channel, to } = await open(transfer, context);
    const look = ({ targets }: Delivery): string => {
      const recipients = targets.map(({ recipient }) => formatAddress(recipient));
      const rows = transfer.queue().filter(({ recipient }) => recipients.includes(recipient));
      return JSON.stringify(rows.map(({ id, state, attempts }) => [id, state, attempts]));
    };
    const watched = new Watched(channel, look);
    // One of them can have it at once, or all of it would be refused.
    const all = ['sender@acme.example', ...to];
    const message = await transfer.accept({ from: 'sender@acme.example', to: all, text: TEXT, eightBit: true });
    await transfer.directory.apply(
      ...(channel.isLocal ? to.map((address) => replace(userDn(address), { mailUserStatus: 'active' })) : []),
    );
    await transfer.start({ channels: [watched] });
    await retryAll(transfer.directory.writer);
    await transfer.drained();

    const recipients = watched.seen.flatMap(({ delivery }) =>
      delivery.targets.map((one) => formatAddress(one.recipient)),
    );
    assert.deepEqual([...recipients].sort(), [...to].sort(), 'each recipient is handed over once');
    for (const { delivery, delivered, released } of watched.seen) {
      const { targets, envelope } = delivery;
      assert.ok(targets.length > 0 && targets.length <= channel.recipientsMax);
      assert.equal(new Set(targets.map((target) => target.key)).size, targets.length, 'equal keys are one delivery');
      assert.deepEqual(
        envelope.recipients.map(({ address }) => address),
        targets.map(({ recipient }) => recipient),
      );
      assert.equal(envelope.body, '8BITMIME');
      for (const target of targets) {
        assert.equal(target.channel, channel.name);
        assert.equal(target.destination, delivery.destination);
      }
      assert.equal(delivery.destination === '', channel.isLocal);
      assert.equal(delivery.message.id, message);
      assert.equal(delivered.outcomes.length, targets.length);
      for (const { result, status, words, operation } of delivered.outcomes) {
        assert.equal(result, 'delivered');
        assert.match(status, /^2\.\d+\.\d+$/);
        assert.match(words, /^[ -~]+$/);
        assert.equal(operation !== undefined, channel.isLocal);
      }
      assert.equal(released, 1);
    }
    const done = channel.isLocal ? 'delivered' : 'relayed';
    for (const address of to) assert.ok(transfer.events(message).includes(`${done} ${address}`), address);
  });

test('mail that a channel makes is there with the outcome, and only then', async (context) => {
  const transfer = await TestTransfer.open({ policy: { retryMs: [1], expireMs: 86_400_000 } });
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const attempts = new Map<string, number>();
  const channel = new AnsweringChannel({
    name: SmtpChannel.kind.name,
    take: (from, text) => transfer.take(from, text),
    outcome(recipient) {
      const address = formatAddress(recipient);
      const attempt = (attempts.get(address) ?? 0) + 1;
      attempts.set(address, attempt);
      if (address.startsWith('later') && attempt < 3) return outcome('deferred', '4.3.0', 'not now');
      return address.startsWith('no') ? outcome('failed', '5.1.1', 'nobody') : outcome('delivered', '2.0.0', 'taken');
    },
  });
  await transfer.start({ channels: [channel] });
  transfer.refused.add('transfer.record');
  const to = ['yes@remote.example', 'later@remote.example', 'no@remote.example'];
  await transfer.accept({ from: 'ann@acme.example', to, text: TEXT });
  await transfer.until('the channel was asked', () => channel.deliveries.length > 0);
  assert.deepEqual(await transfer.inbox('ann@acme.example'), [], 'the outcome cannot be recorded yet');
  assert.equal(channel.released, 0);
  transfer.refused.clear();
  await transfer.drained();
  const inbox = await transfer.inbox('ann@acme.example');
  const answers = inbox.flatMap((text) => /^Subject: answer of (\S+) /m.exec(text)?.[1] ?? []);
  assert.deepEqual(answers.sort(), [...to].sort());
  assert.equal(inbox.length, 4, 'three answers and the report of one that failed');
  assert.equal(channel.released, channel.deliveries.length);
});

test('a row that is taken away while its channel works: what the channel has made is not sent', async (context) => {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close());
  await transfer.directory.apply(addDomain('acme.example'), addUser('ann@acme.example'));
  const channel = new AnsweringChannel({
    name: SmtpChannel.kind.name,
    take: async (from, text) => {
      const taken = await transfer.take(from, text);
      await transfer.removeAll();
      return taken;
    },
  });
  await transfer.start({ channels: [channel] });
  const message = await transfer.accept({ from: 'ann@acme.example', to: ['rex@remote.example'], text: TEXT });
  await transfer.until('the channel has let go', () => channel.released > 0);
  assert.deepEqual(await transfer.inbox('ann@acme.example'), []);
  assert.deepEqual(transfer.events(message).slice(-2), ['removed rex@remote.example', 'relayed rex@remote.example']);
});
