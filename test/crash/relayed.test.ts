// Mail to another host over kept connections, under kill -9, by a host that breaks off in each phase: all of it arrives, and a
// kill repeats no more messages than there were connections.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import { populate } from '../support/directory.ts';
import { startWaypost } from '../support/server.ts';
import { CLOSE, type SinkAnswer, SmtpSink } from '../support/smtp-sink.ts';
import { until } from '../support/until.ts';

const KILLS = Number(process.env['KILLS'] ?? 2);
const MESSAGES = 60;

test('relayed under kill -9: all arrives, one repeat a connection at most', async (context) => {
  /** One in so many answers breaks the conversation off. */
  let oneIn = Number.POSITIVE_INFINITY;
  const answer = (usual: string) => (): SinkAnswer => {
    if (Math.random() * oneIn >= 1) return usual;
    return Math.random() < 0.5 ? CLOSE : '421 4.3.2 not now';
  };
  const sink = await SmtpSink.start({
    greeting: answer('220 sink ESMTP'),
    mail: answer('250 2.1.0 ok'),
    rcpt: answer('250 2.1.5 ok'),
    data: answer('354 go on'),
    dot: answer('250 2.0.0 taken'),
  });
  context.after(() => sink.close());
  const config = `[next-hop]\n"remote.example" = "${sink.nextHop}"\n[queue]\nretry = ["1s"]\nexpire = "1h"\n`;
  await using server = await startWaypost({ config });
  await populate(server, 'acme.example', ['ann']);
  const login = { login: 'ann@acme.example', password: 'secret' };
  const accepted: string[] = [];
  let sent = 0;
  /** As many as it comes to; what was not acknowledged when the server ended may arrive or not. */
  const submit = async (): Promise<void> => {
    const client = await SmtpClient.open(server.listeners.submission, login);
    for (let count = 0; count < MESSAGES; count++) {
      const recipient = `r${sent++}@remote.example`;
      await client.send(login.login, [recipient], Buffer.from(`Subject: ${recipient}\r\n\r\nx\r\n`));
      accepted.push(recipient);
    }
    await client.quit();
  };
  let allowed = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    oneIn = 50;
    const enough = sink.messages.length + MESSAGES / 4;
    const submitted = Promise.all([submit(), submit(), submit(), submit()]).catch(() => {});
    await until('some of them are there', () => sink.messages.length >= enough);
    await server.kill9();
    await submitted;
    allowed += sink.most;
    sink.most = 0;
    await server.restart();
  }
  oneIn = Number.POSITIVE_INFINITY;
  const arrived = () => new Set(sink.messages.flatMap(({ recipients }) => recipients));
  await until('all of them are there', () => accepted.every((recipient) => arrived().has(recipient)));
  const repeats = sink.messages.length - arrived().size;
  assert.ok(repeats <= allowed, `${repeats} repeats, ${allowed} connections at the kills`);
});
