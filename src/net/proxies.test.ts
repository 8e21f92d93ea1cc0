import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionRecord } from './connection.ts';
import { Proxies } from './proxies.ts';

test('who must send a header: the peers that are trusted, at the doors that are named', () => {
  const trusted = ['192.0.2.0/25', '198.51.100.7', '2001:db8::/32', '2001:db9::1', '::ffff:203.0.113.0/120'];
  const proxies = new Proxies({ trusted, listeners: ['smtp', 'imaps'] });
  const must = (peerAddress: string, listener = 'imaps'): boolean =>
    proxies.mustSendHeader({ listener, peerAddress } as ConnectionRecord);
  for (const peer of ['192.0.2.0', '192.0.2.127', '198.51.100.7', '2001:db8:ffff::1', '2001:db9::1', '203.0.113.9'])
    assert.equal(must(peer), true, peer);
  // Nobody has '': a Unix socket, or a peer that has left.
  for (const peer of ['192.0.2.128', '198.51.100.8', '2001:db9::2', '::1', '127.0.0.1', ''])
    assert.equal(must(peer), false, peer);
  assert.equal(must('198.51.100.7', 'imap'), false);
  assert.equal(new Proxies({ trusted: [], listeners: ['imaps'] }).mustSendHeader({} as ConnectionRecord), false);
});
