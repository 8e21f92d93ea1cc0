// DNS conversations as text: the *.dns files of this folder, against the answers of a real store.
//
//   host NAME ADDRESS...    this host, before the first query
//   domain NAME             a domain entry of this name is added;  remove NAME: it goes
//   > NAME TYPE [tcp] [rd] [do] [size=N] [version=N] [class=N] [opcode=N]     a query; EDNS(0) with size, version or do
//   | HEX                   octets as they are
//   < RCODE [FLAGS]         what comes back: aa tc rd ra, and edns=SIZE[,do]; then each record with its section
//   < silence               nothing comes back
//   # comment

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../../src/base/log.ts';
import { openTestDatabase } from '../../../src/database/testing.ts';
import { type Answer, createAnswer, type Transport } from '../../../src/protocols/dns/answer.ts';
import { RCODE, type RecordType } from '../../../src/wire/dns/codes.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../../../src/wire/dns/message.ts';
import { queryMessage } from '../../../src/wire/dns/testing.ts';
import { recordText } from '../../../src/wire/dns/text.ts';
import { zoneLookUp } from '../../../src/zones/look-up.ts';
import { zonesUnit } from '../../../src/zones/tables.ts';
import { changeDomain } from '../../../src/zones/testing.ts';

const rcodeNames = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));

/** Two different octets, so that an answer which mixes them up shows. */
const ID = 0x1234;

async function runSession(lines: readonly string[]): Promise<void> {
  const database = openTestDatabase([zonesUnit]);
  try {
    let answer: Answer | undefined;
    let received: string[] = [];
    for (const line of lines) {
      const [word = '', ...rest] = line.trim().split(/\s+/);
      if (word === '' || word.startsWith('#')) continue;
      if (word !== '<') assert.deepEqual(received, [], `before: ${line}`);
      if (word === 'host') {
        const lookUp = zoneLookUp(database.reader, { hostname: rest[0]!, mode: 'embedded', addresses: rest.slice(1) });
        answer = createAnswer({ lookUp, revision: () => database.shared.revision(), log: silentLog });
      } else if (word === 'domain') await database.writer.execute(changeDomain, { after: rest[0]! });
      else if (word === 'remove') await database.writer.execute(changeDomain, { before: rest[0]! });
      else if (word === '>') received = ask(answer!, rest);
      else if (word === '|') received = tell(answer!, Buffer.from(rest.join(''), 'hex'), 'udp');
      else if (word === '<') assert.equal(received.shift(), rest.join(' '), `at: ${line}`);
      else assert.fail(`no such line: ${line}`);
    }
    assert.deepEqual(received, [], 'at the end');
  } finally {
    database.close();
  }
}

function ask(answer: Answer, [name, type, ...options]: string[]): string[] {
  const option = (key: string) => options.find((one) => one.startsWith(`${key}=`))?.slice(key.length + 1);
  const has = (key: string) => options.includes(key);
  const size = option('size');
  const version = option('version');
  const query = queryMessage(ID, name!, type as RecordType, {
    opcode: Number(option('opcode') ?? 0),
    recursionDesired: has('rd'),
  });
  const edns = { udpSizeBytes: Number(size ?? 1232), version: Number(version ?? 0), dnssecOk: has('do'), options: [] };
  const octets = encodeMessage({
    ...query,
    questions: [{ ...query.questions[0]!, class: Number(option('class') ?? 1) }],
    edns: (size ?? version ?? (has('do') || undefined)) ? edns : undefined,
  });
  return tell(answer, octets, has('tcp') ? 'tcp' : 'udp', name);
}

function tell(answer: Answer, octets: Uint8Array, transport: Transport, name?: string): string[] {
  const from = { transport, sizeBytes: transport === 'tcp' ? 65_535 : 1232, peerAddress: '192.0.2.7' };
  const reply = answer(octets, from);
  if (reply === undefined) return ['silence'];
  assert.ok(reply instanceof Uint8Array);
  // The second comes from memory; it must be the same.
  assert.deepEqual(answer(octets, from), reply);
  const message = decodeMessage(reply);
  assert.equal(message.id, (octets[0]! << 8) | octets[1]!);
  assert.equal(message.isResponse, true);
  if (message.questions[0] !== undefined && name !== undefined) assert.equal(message.questions[0].name, name);
  return transcript(message);
}

function transcript(message: DnsMessage): string[] {
  const flags = [
    message.authoritative && 'aa',
    message.truncated && 'tc',
    message.recursionDesired && 'rd',
    message.recursionAvailable && 'ra',
    message.edns && `edns=${message.edns.udpSizeBytes}${message.edns.dnssecOk ? ',do' : ''}`,
  ].filter((flag) => typeof flag === 'string');
  const section = (name: string, records: DnsMessage['answers']) =>
    records.map((record) => `${name} ${recordText(record)}`);
  return [
    [rcodeNames.get(message.rcode), ...flags].join(' '),
    ...section('answer', message.answers),
    ...section('authority', message.authorities),
    ...section('additional', message.additionals),
  ];
}

for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith('.dns'))) {
  const lines = readFileSync(join(import.meta.dirname, file), 'utf8').split('\n');
  test(`${file}: ${lines[0]!.replace(/^#\s*/, '')}`, () => runSession(lines));
}
