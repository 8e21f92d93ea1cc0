import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { recordText } from '../wire/dns/text.ts';
import { describeRecords } from './describe.ts';
import type { NameSource } from './name-source.ts';
import { lookUp, type ZoneAnswer, zoneSerial } from './records.ts';
import { shownAddresses } from './settings.ts';
import { namesOf, settingsOf } from './testing.ts';

const settings = settingsOf('MAIL.hosts.acme.example', ['192.0.2.1', '2001:DB8::1']);
const names = namesOf(['acme.example', 'a.b.acme.example', 'other.example'], 7);
const SOA = 'mail.hosts.acme.example. postmaster.mail.hosts.acme.example. 7 3600 600 1209600 60';

function lines(answer: ZoneAnswer): readonly string[] {
  if (answer.result === 'found') return [...answer.answers, ...answer.additionals].map(recordText);
  return answer.result === 'outside' || answer.result === 'referral'
    ? [answer.result]
    : [answer.result, recordText(answer.soa)];
}

test('an apex has SOA, NS and MX, and the addresses of this host come with them when a zone of ours holds it', () => {
  const addresses = ['mail.hosts.acme.example. 300 IN A 192.0.2.1', 'mail.hosts.acme.example. 300 IN AAAA 2001:db8::1'];
  assert.deepEqual(lines(lookUp('acme.example', 'SOA', { names, settings })), [`acme.example. 300 IN SOA ${SOA}`]);
  assert.deepEqual(lines(lookUp('acme.example', 'NS', { names, settings })), [
    'acme.example. 300 IN NS mail.hosts.acme.example.',
    ...addresses,
  ]);
  assert.deepEqual(lines(lookUp('acme.example', 'MX', { names, settings })), [
    'acme.example. 300 IN MX 10 mail.hosts.acme.example.',
    ...addresses,
  ]);
  assert.deepEqual(lines(lookUp('mail.hosts.acme.example', 'AAAA', { names, settings })), [addresses[1]]);
});

test('a domain below another lies in its zone: MX, no SOA or NS of its own', () => {
  assert.equal(lookUp('a.b.acme.example', 'MX', { names, settings }).result, 'found');
  assert.deepEqual(lines(lookUp('a.b.acme.example', 'NS', { names, settings })), [
    'no-data',
    `acme.example. 60 IN SOA ${SOA}`,
  ]);
});

test('names that only lead to others have no data, unknown names do not exist, and all else is outside', () => {
  assert.deepEqual(lines(lookUp('b.acme.example', 'MX', { names, settings })), [
    'no-data',
    `acme.example. 60 IN SOA ${SOA}`,
  ]);
  assert.equal(lookUp('hosts.acme.example', 'A', { names, settings }).result, 'no-data');
  assert.equal(lookUp('mail.hosts.acme.example', 'MX', { names, settings }).result, 'no-data');
  assert.equal(lookUp('acme.example', 'A', { names, settings }).result, 'no-data');
  assert.deepEqual(lines(lookUp('x.acme.example', 'MX', { names, settings })), [
    'no-name',
    `acme.example. 60 IN SOA ${SOA}`,
  ]);
  assert.equal(lookUp('x.a.b.acme.example', 'A', { names, settings }).result, 'no-name');
  for (const name of ['example', '.', 'com', 'notacme.example', 'x\\.acme.example']) {
    assert.equal(lookUp(name, 'NS', { names, settings }).result, 'outside', name);
  }
});

test('a host outside our zones has no address records here', () => {
  const elsewhere = settingsOf('mail.isp.example', ['192.0.2.1']);
  assert.deepEqual(lines(lookUp('acme.example', 'MX', { names, settings: elsewhere })), [
    'acme.example. 300 IN MX 10 mail.isp.example.',
  ]);
  assert.equal(lookUp('mail.isp.example', 'A', { names, settings: elsewhere }).result, 'outside');
});

test('ANY gives one record set, the MX where there is one', () => {
  const sets = (name: string) => {
    const answer = lookUp(name, 'ANY', { names, settings });
    return answer.result === 'found' ? answer.answers.map(({ type }) => type) : answer.result;
  };
  assert.deepEqual(sets('acme.example'), ['MX']);
  assert.deepEqual(sets('mail.hosts.acme.example'), ['A']);
  assert.equal(sets('b.acme.example'), 'no-data');
});

test('a foreign name with many labels costs few look-ups', () => {
  let asked = 0;
  const counting: NameSource = {
    ...names,
    find(name) {
      asked++;
      return names.find(name);
    },
  };
  assert.equal(lookUp(`${'x.'.repeat(120)}foreign.example`, 'MX', { names: counting, settings }).result, 'outside');
  assert.equal(asked, 2);
});

test('addresses that mean nothing to others are left out', () => {
  const shown = shownAddresses(['0.0.0.0', '::', 'fe80::1%eth0', '127.0.0.1', '127.0.0.1', '2001:DB8::1', 'localhost']);
  assert.deepEqual(shown, ['127.0.0.1', '2001:db8::1']);
});

test('a serial goes on from the highest to 1', () => {
  assert.deepEqual([0, 1, 0xffffffff, 0x100000000, 0x100000001].map(zoneSerial), [1, 1, 0xffffffff, 1, 2]);
});

test('the records of a domain are described as a zone file and as JSON', () => {
  const { text, ...description } = describeRecords('ACME.example.', { names, settings });
  assert.deepEqual(text.split('\n'), [
    `acme.example. 300 IN SOA ${SOA}`,
    'acme.example. 300 IN NS mail.hosts.acme.example.',
    'acme.example. 300 IN MX 10 mail.hosts.acme.example.',
    'acme.example. 300 IN TXT "v=spf1 mx ~all"',
    '_dmarc.acme.example. 300 IN TXT "v=DMARC1; p=none"',
    'mail.hosts.acme.example. 300 IN A 192.0.2.1',
    'mail.hosts.acme.example. 300 IN AAAA 2001:db8::1',
    '',
  ]);
  assert.deepEqual([description.domain, description.zone, description.serial], ['acme.example', 'acme.example', 7]);
  assert.deepEqual(description.records[2], {
    ...{ name: 'acme.example.', ttl: 300, type: 'MX', data: '10 mail.hosts.acme.example.' },
  });
  assert.deepEqual(
    describeRecords('a.b.acme.example', { names, settings }).records.map(({ type }) => type),
    ['MX', 'TXT', 'TXT', 'A', 'AAAA'],
  );
});

test('a host that is a mail domain itself has its addresses once', () => {
  const own = settingsOf('acme.example', ['192.0.2.1']);
  assert.deepEqual(
    describeRecords('acme.example', { names, settings: own }).records.map(({ type }) => type),
    ['SOA', 'NS', 'MX', 'TXT', 'A', 'TXT'],
  );
});

test('what is not a mail domain here is said to be none', () => {
  const kind = (domain: string) => {
    try {
      return describeRecords(domain, { names, settings }).domain;
    } catch (error) {
      return error instanceof Failure ? error.kind : String(error);
    }
  };
  assert.deepEqual(['example', 'b.acme.example', 'x.example', 'a..b'].map(kind), [
    ...['not-found', 'not-found', 'not-found', 'invalid'],
  ]);
});
