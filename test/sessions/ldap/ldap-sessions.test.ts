// The *.ldap files of this folder: OpenLDAP's own tools against a started Waypost, and against slapd, which keeps us honest.
//
// Ways    as written; in one packet, half-closed behind the last request, octet by octet, and over TLS by StartTLS: the tools'
//         connections are recorded (replay.ts), and four further servers, which begin with copies of the same data, get them
//         again in these ways and must give the answers that the tools got

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { peersMissing } from '../../support/peers.ts';
import { startWaypost, type Waypost } from '../../support/server.ts';
import { comparable, type Recorder, type ReplayWay, record, replay } from './replay.ts';
import { type Command, compareLines, parseScript } from './script.ts';
import { type Slapd, startSlapd } from './slapd.ts';

interface Target {
  readonly url: string;
  readonly admin: string;
  readonly password: string;
}

interface Outcome {
  readonly output: string;
  readonly errors: string;
  readonly code: number | null;
}

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ldap'));
const TOOL_MS = 120_000;

function run(command: Command, { url }: Target): Promise<Outcome> {
  const { identity } = command;
  const who = identity === undefined ? [] : ['-D', identity.dn, '-w', identity.password];
  // ldapsearch alone folds lines.
  const unfolded = command.tool === 'ldapsearch' ? ['-o', 'ldif-wrap=no'] : [];
  const child = spawn(command.tool, ['-x', '-H', url, ...who, ...unfolded, ...command.arguments], {
    timeout: TOOL_MS,
    env: { ...process.env, LDAPNOINIT: '1', LC_ALL: 'C.UTF-8' },
  });
  return new Promise((resolve, reject) => {
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code) => resolve({ output, errors, code }));
    child.stdin.end(command.input);
  });
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

async function converse(text: string, target: Target): Promise<void> {
  const { commands } = parseScript(text, {
    admin: target.admin,
    password: target.password,
    respelled: target.admin.toUpperCase().replaceAll('=', ' = '),
  });
  const captures = new Map<string, string>();
  for (const command of commands) {
    const { output, errors, code } = await run(command, target);
    const said = `line ${command.line}: ${command.tool} ended with ${code}\n${output}${errors}`;
    assert.equal(code, command.code, said);
    assert.equal(compareLines(command.output, linesOf(output), captures), undefined, said);
    for (const error of command.errors)
      assert.ok(
        linesOf(errors).some((line) => line.startsWith(error) || line.endsWith(error)),
        `expected "${error}", ${said}`,
      );
  }
}

const REPLAYED: readonly ReplayWay[] = ['one-packet', 'half-closed', 'octets', 'exchanged'];

describe('against waypost, as written and as it is said again', {
  skip: peersMissing('ldapsearch', 'ldapadd'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-ldap-'));
  const replaying = new Map<ReplayWay, Waypost>();
  let server: Waypost;
  let recorder: Recorder;
  before(async () => {
    const data = (name: string): string => join(folder, name, 'data');
    await (await startWaypost({ data: data('tools') })).stop();
    for (const way of REPLAYED) cpSync(data('tools'), data(way), { recursive: true });
    server = await startWaypost({ data: data('tools') });
    await Promise.all(REPLAYED.map(async (way) => replaying.set(way, await startWaypost({ data: data(way) }))));
    recorder = await record(server.listeners.ldap.host, server.listeners.ldap.port);
  });
  after(async () => {
    recorder?.close();
    for (const each of [server, ...replaying.values()]) await each?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const file of files) {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    const { title, only, commands } = parseScript(text, {});
    if (only !== undefined && only !== 'waypost') continue;
    test(`${file}: ${title}`, async () => {
      const url = `ldap://127.0.0.1:${recorder.port}`;
      await converse(text, { url, admin: 'cn=Directory Manager', password: server.ldap.password });
      const ca = readFileSync(join(server.data, 'tls/ca.pem'), 'utf8');
      const connections = await recorder.take();
      assert.equal(connections.length, commands.length, 'a connection for each command');
      for (const [i, connection] of connections.entries()) {
        const expected = comparable(connection.responses);
        for (const [way, { listeners }] of replaying) {
          const answers = await replay(connection, { ...listeners.ldap, ca }, way);
          assert.deepEqual(comparable(answers), expected, `connection ${i + 1} of the file, ${way}`);
        }
      }
    });
  }
});

describe('against slapd, as written', { skip: peersMissing('ldapsearch', 'ldapadd', 'slapd') }, () => {
  let slapd: Slapd | undefined;
  before(async () => {
    slapd = await startSlapd();
  });
  after(() => slapd?.stop());
  for (const file of files) {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    const { title, only } = parseScript(text, {});
    if (only === undefined || only === 'slapd') test(`${file}: ${title}`, () => converse(text, slapd!));
  }
});
