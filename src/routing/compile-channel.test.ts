// Channels: what their keywords mean, and which are refused with their word.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf, type Revision } from '../base/ids.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { Attribute, Entry } from '../directory/entry.ts';
import { allChannels, builtInKind, channelNamed, pausedChannels } from './channels.ts';
import { type ChannelRow, compileChannel } from './compile-channel.ts';
import { settingsOf } from './settings.ts';

function channel(name: string, kind: string, keywords: readonly string[], paused?: string): ChannelRow {
  const dn = `cn=${name},ou=Channels,ou=Waypost,o=internet`;
  const values: Readonly<Record<string, readonly string[]>> = {
    objectClass: ['waypostChannel'],
    cn: [name],
    waypostChannelKind: [kind],
    ...(keywords.length === 0 ? {} : { waypostKeyword: keywords }),
    ...(paused === undefined ? {} : { waypostPaused: [paused] }),
  };
  const attributes = new Map<string, Attribute>();
  for (const [type, list] of Object.entries(values)) attributes.set(type.toLowerCase(), { name: type, values: list });
  const made = { createdAt: 0, modifiedAt: 0, revision: idOf<Revision>(5), uuid: 'u', parent: 1 };
  const entry: Entry = { id: 5, dn, normalizedDn: normalizeDn(dn), attributes, ...made };
  return compileChannel(entry)!;
}

const wordsOf = (...keywords: readonly string[]): object => {
  const { kind, key, dn, channelKind, keywords: given, isPaused, ...words } = channel('partner', 'smtp', keywords);
  return words;
};

test('each keyword is read', () => {
  assert.deepEqual(wordsOf(), {});
  assert.deepEqual(wordsOf('mx', 'maytls'), {});
  assert.deepEqual(wordsOf('NoMX', 'port 2525', 'musttls'), { isNoMx: true, port: 2525, tls: 'required' });
  assert.deepEqual(wordsOf('required'), { tls: 'required' });
  assert.deepEqual(wordsOf('notls'), { tls: 'off' });
  assert.deepEqual(wordsOf('daemon [192.0.2.9]:2525  Relay.example'), {
    daemon: '[192.0.2.9]:2525,[relay.example]',
  });
  assert.deepEqual(wordsOf('backoff 5m 1h', 'notices 2d', 'maxjobs 3', 'blocklimit 50KiB'), {
    backoffMs: [300_000, 3_600_000],
    noticesMs: [172_800_000],
    maxJobs: 3,
    sizeMax: 51_200,
  });
  assert.deepEqual(wordsOf('notices 4h 1d 5d', 'concurrency 40', 'rate 100/1m'), {
    noticesMs: [14_400_000, 86_400_000, 432_000_000],
    concurrency: 40,
    rate: { count: 100, ms: 60_000 },
  });
  assert.deepEqual(wordsOf('interfaceaddress 192.0.2.9 2001:db8::9'), {
    interfaceAddresses: ['192.0.2.9', '2001:db8::9'],
  });
  assert.deepEqual(wordsOf('blocklimit 1000'), { sizeMax: 1000 });
});

test('what is none is named with its word', () => {
  const cases: readonly [keywords: readonly string[], reason: RegExp][] = [
    [['subdirs 20'], /^unknown keyword subdirs$/],
    [[''], /^unknown keyword $/],
    [['mx', 'nomx'], /^nomx stands beside another word of mx$/],
    [['maytls', 'required'], /^required stands beside another word of tls$/],
    [['port 25', 'port 26'], /^port stands beside another word of port$/],
    [['mx 10'], /^mx takes no value$/],
    [['daemon'], /^daemon takes 1 to 10 hops$/],
    [['daemon a..b'], /^daemon cannot read the hop a\.\.b$/],
    [['port 65536'], /^port takes a number from 1 to 65535$/],
    [['maxjobs 0'], /^maxjobs takes a number from 1/],
    [['maxjobs'], /^maxjobs takes a number from 1/],
    [['backoff 5'], /^backoff takes a time/],
    [['backoff 0s'], /^backoff takes a time/],
    [['notices 1d x'], /^notices takes a time/],
    [['notices'], /^notices takes 1 to 20 times/],
    [['notices 2d 1d'], /^notices takes times that grow/],
    [['concurrency 0'], /^concurrency takes a number from 1/],
    ...['rate', 'rate 100', 'rate 0/1m', 'rate 1/0s', 'rate 1/2m/3', 'rate 10001/1m', 'rate 1/2d'].map(
      (word): [string[], RegExp] => [[word], /^rate takes a number from 1 to 10000 and a time/],
    ),
    [['interfaceaddress'], /^interfaceaddress takes an IPv4 address/],
    [['interfaceaddress mail.example'], /^interfaceaddress takes an IPv4 address/],
    [['interfaceaddress 192.0.2.1 192.0.2.2'], /^interfaceaddress takes an IPv4 address/],
    [['blocklimit 0'], /^blocklimit takes a size/],
    [['blocklimit 5 MB'], /^blocklimit takes a size/],
    [[`daemon ${'a'.repeat(3000)}`], /^is longer than 3000 characters$/],
  ];
  for (const [keywords, reason] of cases) {
    const { problems } = channel('partner', 'smtp', keywords);
    assert.equal(problems?.length, 1, keywords.join());
    assert.match(problems[0]!.reason, reason);
  }
});

test('a kind, and a name that is one', () => {
  assert.equal(channel('Trash', 'Discard', []).channelKind, 'discard');
  assert.equal(channel('Trash', 'Discard', []).key, 'trash');
  assert.deepEqual(channel('smtp', 'smtp', []).problems, undefined);
  assert.match(channel('store', 'discard', []).problems?.[0]?.reason ?? '', /^a channel named store is of that kind$/);
  assert.equal(channel('store', 'discard', []).channelKind, 'store');
  assert.match(channel('x', 'bitbucket', []).problems?.[0]?.reason ?? '', /^is none of smtp, lmtp, /);
  assert.equal(channel('x', 'bitbucket', []).channelKind, 'hold', 'nothing is lost by a slip');
});

test('those of entries, and those that need none', () => {
  const settings = settingsOf([channel('smtp', 'smtp', ['nomx'], 'TRUE'), channel('trash', 'discard', [], 'FALSE')]);
  assert.deepEqual(
    allChannels(settings).map(({ key, channelKind, dn }) => [key, channelKind, dn !== '']),
    [
      ['autoreply', 'autoreply', false],
      ['discard', 'discard', false],
      ['file', 'file', false],
      ['forward', 'forward', false],
      ['hold', 'hold', false],
      ['list', 'list', false],
      ['lmtp', 'lmtp', false],
      ['program', 'program', false],
      ['reprocess', 'reprocess', false],
      ['smtp', 'smtp', true],
      ['store', 'store', false],
      ['trash', 'discard', true],
    ],
  );
  assert.deepEqual(channelNamed(settings, 'smtp')?.keywords, ['nomx']);
  assert.equal(channelNamed(settings, 'nowhere'), undefined);
  assert.equal(builtInKind('hold'), 'hold');
  assert.equal(builtInKind('trash'), undefined);
  assert.deepEqual(pausedChannels(settings), ['smtp']);
});
