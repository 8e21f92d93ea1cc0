import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZoneRow } from './compile.ts';
import { signingKeysOf } from './keys.ts';
import type { ZoneKeyRow } from './settings.ts';

interface World {
  readonly site: readonly ZoneKeyRow[];
  readonly own?: readonly ZoneKeyRow[];
  readonly row?: ZoneRow;
  readonly observed?: readonly string[];
}

function key(selector: string, state: ZoneKeyRow['state'], more: Partial<ZoneKeyRow> = {}): ZoneKeyRow {
  return { kind: 'key', key: selector, dn: `cn=${selector}`, type: 'rsa', public: 'A', state, changedAt: 1, ...more };
}

function signing({ site, own = [], row = { domain: 'mail' }, observed = [] }: World): string {
  const keys = signingKeysOf('a.example', {
    names: {
      find: (name) => ({
        name,
        row: name === 'a.example' ? row : undefined,
        hasBelow: true,
        changedAt: 1,
        changedBelowAt: 1,
      }),
      list: () => [],
      keys: () => own,
    },
    settings: { hosts: [], nameServers: [], keys: site, mode: 'embedded', hostname: 'mail.example', changedAt: 0 },
    observed: (selector) => observed.includes(selector),
  });
  return keys.map(({ key: selector }) => selector).join(' ');
}

const THEIRS: ZoneRow = { domain: 'mail', isTheirs: true };
const old = key('old', 'signing');
const fresh = key('new', 'new', { changedAt: 2 });
const own = key('own', 'new', { domain: 'a.example' });

test('in a zone of ours a new key signs at once; one that is retired never', () => {
  assert.equal(signing({ site: [old] }), 'old');
  assert.equal(signing({ site: [old, fresh] }), 'new');
  assert.equal(signing({ site: [key('old', 'retired'), key('new', 'signing')] }), 'new');
  assert.equal(signing({ site: [key('old', 'retired')] }), '');
});

test('elsewhere no key signs before its record was seen: until then its predecessor, or none', () => {
  assert.equal(signing({ site: [old], row: THEIRS }), '');
  assert.equal(signing({ site: [old], row: THEIRS, observed: ['old'] }), 'old');
  assert.equal(signing({ site: [old, fresh], row: THEIRS, observed: ['old'] }), 'old');
  assert.equal(signing({ site: [old, fresh], row: THEIRS, observed: ['old', 'new'] }), 'new');
  assert.equal(signing({ site: [old], own: [own], row: THEIRS, observed: ['old'] }), 'old');
  assert.equal(signing({ site: [old], own: [own], row: THEIRS, observed: ['old', 'own'] }), 'own');
});

test('one of each kind; a domain’s own before the site’s, and alone once one is new no more', () => {
  const edwards = key('e', 'signing', { type: 'ed25519' });
  assert.equal(signing({ site: [edwards, old] }), 'old e');
  assert.equal(signing({ site: [edwards, old], own: [own] }), 'own e');
  assert.equal(signing({ site: [edwards, old], own: [{ ...own, state: 'signing' }] }), 'own');
});

test('a domain whose key records are left out is signed by none', () => {
  assert.equal(signing({ site: [old], row: { domain: 'mail', omit: ['dkim'] } }), '');
});
