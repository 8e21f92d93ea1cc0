import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configure, type Overrides } from './configuration.ts';

const none: Overrides = {
  data: '/srv/waypost',
  development: false,
  hostname: undefined,
  listen: undefined,
  portOffset: undefined,
  log: undefined,
};

test('without a file every key has a default', () => {
  const configuration = configure(undefined, 'waypost.toml', none);
  assert.equal(configuration.portOffset, 0);
  assert.equal(configuration.provision.fromMx, 'entries');
  assert.equal(configuration.dns.mode, 'embedded');
  assert.deepEqual(configuration.queue.retryMs, [60_000, 300_000, 900_000, 1_800_000, 3_600_000]);
  assert.ok(configuration.hostname.includes('.'));
});

test('development changes the offset and the address, the environment both', () => {
  const development = { ...none, development: true };
  assert.equal(configure(undefined, '', development).portOffset, 1000);
  assert.deepEqual(configure(undefined, '', development).listen, ['127.0.0.1']);
  const chosen = configure('port-offset = 7', 'f', { ...development, portOffset: 'auto', listen: '127.0.0.1, ::1' });
  assert.equal(chosen.portOffset, 'auto');
  assert.deepEqual(chosen.listen, ['127.0.0.1', '::1']);
});

test('a whole file is read', () => {
  const text = `hostname = "Mail.Acme.example"
resolver = ["127.0.0.2:5353"]
address = ["192.0.2.1", "2001:db8::1"]
without = ["https"]
[provision]
from-mx = "auto"
[next-hop]
"remote.example" = "[127.0.0.2]:2525"
[queue]
retry = ["1s", "2m"]
expire = "1h"
[tls]
certificates = ["live", "/etc/letsencrypt/live"]
client-ca = "clients.pem"
[limits]
message-size = "1MiB"
`;
  const configuration = configure(text, '/etc/waypost/waypost.toml', none);
  assert.equal(configuration.hostname, 'mail.acme.example');
  assert.deepEqual(configuration.resolver, ['127.0.0.2:5353']);
  assert.equal(configuration.nextHop.get('remote.example'), '[127.0.0.2]:2525');
  assert.deepEqual(configuration.queue, { retryMs: [1000, 120_000], expireMs: 3_600_000, delaysMs: [14_400_000] });
  assert.equal(configuration.limits.messageSizeBytes, 1_048_576);
  assert.deepEqual(configuration.without, ['https']);
  // Paths are relative to the file.
  assert.deepEqual(configuration.tls, {
    certificates: ['/etc/waypost/live', '/etc/letsencrypt/live'],
    clientCa: '/etc/waypost/clients.pem',
  });
});

test('a key that older files may have is ignored and named; with another value it was never taken', () => {
  const old = configure('hostname = "a.example"\nsuffix = "o=internet"\n', 'waypost.toml', none);
  assert.equal(old.hostname, 'a.example');
  assert.deepEqual(old.warnings, ['waypost.toml:2: suffix: there is no such key any more, it is ignored']);
  assert.deepEqual(configure('hostname = "a.example"\n', 'waypost.toml', none).warnings, []);
  assert.throws(() => configure('suffix = "o=other"\n', 'waypost.toml', none), {
    kind: 'invalid',
    message: 'waypost.toml:1: suffix: unknown key',
  });
});

test('a broken file is named with line and key', () => {
  const wrong: readonly (readonly [text: string, message: RegExp])[] = [
    ['hostname = "a.b"\nport-ofset = 3\n', /^waypost\.toml:2: port-ofset: unknown key$/],
    ['[queue]\nretry = ["soon"]\n', /^waypost\.toml:2: queue\.retry\.0: expected a time such as/],
    ['[directory]\nsuffix = ["uid=isp"]\n', /^waypost\.toml:2: directory\.suffix: expected uid=isp is none of o=/],
    ['[directory]\nsuffix = ["o=internet", "o=a,o=internet"]\n', /lies in another/],
    ['[provision]\n\nfrom-mx = "yes"\n', /^waypost\.toml:3: provision\.from-mx: /],
    ['listen = ["localhost"]\n', /^waypost\.toml:1: listen\.0: expected an IP address$/],
    ['without = ["http", "smtps"]\n', /^waypost\.toml:1: without\.1: /],
    ['hostname = \n', /^waypost\.toml:1: hostname: /],
    ['a = 1\na = 2\n', /^waypost\.toml:2: /],
    ['[outgoing-tls]\n"r.example" = "must"\n', /^waypost\.toml:2: outgoing-tls\.r\.example: /],
    ['[next-hop]\n"r.example" = "nowhere:99999"\n', /^waypost\.toml:2: next-hop\.r\.example: expected a next hop/],
  ];
  for (const [text, message] of wrong)
    assert.throws(() => configure(text, 'waypost.toml', none), { kind: 'invalid', message });
});
