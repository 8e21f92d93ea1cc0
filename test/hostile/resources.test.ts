// Peers that take much and give little: floods, silence, clients that never read. Memory stays bounded, others are served.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { encode, streamEncode } from 'dns-packet';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { ConnectionClosed, type LineConnection } from '../../src/demo/clients/line-connection.ts';
import { SmtpClient } from '../../src/demo/clients/smtp-client.ts';
import type { Door } from '../support/server.ts';
import { flood, UnderAttack } from '../support/under-attack.ts';

/** What a probe may add to the server's memory: generous, and far below what it sends or asks for. */
const GROWTH_MIB = 150;
const MIB = 1024 * 1024;

let attack: UnderAttack;

/** Runs the probe beside ordinary sessions and looks at the memory it takes while it runs. */
async function bounded(print: (line: string) => void, probe: () => Promise<void>): Promise<void> {
  const before = attack.memory();
  let highest = before;
  const look = setInterval(() => {
    highest = Math.max(highest, attack.memory());
  }, 50);
  await attack.meanwhile(probe).finally(() => clearInterval(look));
  highest = Math.max(highest, attack.memory());
  print(`${before.toFixed(0)} MiB before, ${highest.toFixed(0)} MiB at most`);
  assert.ok(highest - before < GROWTH_MIB, `memory grew from ${before.toFixed(0)} to ${highest.toFixed(0)} MiB`);
}

/** What is said to a new connection: undefined when nothing is and it stays. */
function first(connection: LineConnection): Promise<string | undefined> {
  return connection.line(4000).catch(async (error) => {
    if (error instanceof ConnectionClosed) return connection.untilClosed();
    return connection.closed ? connection.untilClosed() : undefined;
  });
}

async function greeted(door: Door): Promise<LineConnection> {
  const connection = await attack.connect(door);
  await connection.line();
  return connection;
}

describe('much of it', () => {
  // Also where the last test, which stops the server, is not asked for.
  after(() => attack?.server.stop());
  before(async () => {
    attack = await UnderAttack.start();
  });

  for (const [door, begin] of [
    ['smtp', 'NOOP '],
    ['imap', 'a NOOP '],
    ['pop3', 'USER '],
  ] as const)
    test(`${door}: a line of 100 MB`, async (context) =>
      bounded(context.diagnostic.bind(context), async () => {
        const connection = await greeted(door);
        connection.write(begin);
        const sent = await flood(connection, Buffer.alloc(MIB, 'x'), 100 * MIB);
        // Read to its end and answered, or closed on the way.
        if (sent === 100 * MIB && !connection.closed) {
          connection.write('\r\n');
          assert.match(await connection.line(), /^(500|\S+ BAD|-ERR|\* BYE)/);
        }
        connection.destroy();
      }));

  test('imap: an APPEND of 4 GB and one of 2^53+1 are refused before a byte of them is asked for', async () => {
    const client = await ImapClient.login(attack.server.listeners.imap, attack.mallory.login, attack.mallory.password);
    for (const size of ['4294967296', '9007199254740991'])
      await assert.rejects(client.command(`APPEND INBOX {${size}}`), /^Error: t\d+ NO \[(TOOBIG|LIMIT)\]/, size);
    await assert.rejects(client.command('APPEND INBOX {9007199254740993}'), /(NO|BAD|BYE)/);
    client.destroy();
  });

  test('smtp: 10,000 commands at once are answered, each', async () => {
    await attack.meanwhile(async () => {
      const connection = await greeted('smtp');
      connection.write('NOOP\r\n'.repeat(10_000));
      for (let i = 0; i < 10_000; i++) assert.equal(await connection.line(), '250 2.0.0 Ok');
      connection.destroy();
    });
  });

  test('a peer that half-closes gets all answers', async () => {
    const { host, port } = attack.server.listeners.smtp;
    const socket = connect({ host, port });
    socket.end(
      `EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<${attack.mallory.login}>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n`,
    );
    let received = '';
    for await (const chunk of socket) received += chunk;
    assert.match(received, /\r\n250 2\.0\.0 queued as \w+\r\n221 /);
  });

  describe('clients that never read', () => {
    test('smtp: a million commands', async (context) =>
      bounded(context.diagnostic.bind(context), async () => {
        const connection = await greeted('smtp');
        connection.pause();
        const sent = await flood(connection, Buffer.from('HELP\r\n'.repeat(10_000)), 100 * MIB);
        assert.ok(sent < 100 * MIB, 'it was read from for ever');
        connection.destroy();
      }));

    test('imap: FETCH of 40 times 10 MB, on four connections', async (context) => {
      const { login, password } = attack.mallory;
      const client = await ImapClient.login(attack.server.listeners.imap, login, password);
      await client.command('CREATE Large');
      await client.append('Large', Buffer.from(`Subject: x\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(145_000)}`));
      await client.command('SELECT Large');
      for (let i = 0; i < 6; i++) await client.command('COPY 1 Large');
      await client.logout();
      await bounded(context.diagnostic.bind(context), async () => {
        const readers = await Promise.all(
          [1, 2, 3, 4].map(() => ImapClient.login(attack.server.listeners.imap, login, password)),
        );
        for (const { connection } of readers) {
          connection.write('s SELECT Large\r\n');
          while (!(await connection.line()).startsWith('s OK'));
          connection.pause();
          connection.write(Array.from({ length: 6 }, (_, i) => `f${i} FETCH 1:* BODY.PEEK[]\r\n`).join(''));
        }
        await new Promise((later) => setTimeout(later, 1500));
        for (const reader of readers) reader.destroy();
      });
    });

    test('ldap: a thousand searches', async (context) =>
      bounded(context.diagnostic.bind(context), async () => {
        const connection = await attack.connect('ldap');
        connection.pause();
        // The subschema is the largest that a stranger may read: base cn=subschema, attributes *, +.
        const search = Buffer.from(
          '303902010763340' +
            '40c636e3d737562736368656d610a01000a0100020100020100010100870b6f626a656374436c61737330' +
            '0604012a04012b',
          'hex',
        );
        search[1] = search.length - 2;
        search[6] = search.length - 7;
        const asked = await attack.exchange('ldap', search, /attributeTypes/);
        assert.match(asked.received, /attributeTypes/, 'the search is one');
        await flood(connection, Buffer.concat(Array(100).fill(search)), 5 * MIB);
        connection.destroy();
      }));

    test('dns over tcp: a hundred thousand queries', async (context) =>
      bounded(context.diagnostic.bind(context), async () => {
        const connection = await attack.connect('dns');
        connection.pause();
        const query = streamEncode({ id: 1, questions: [{ type: 'MX', name: 'acme.example' }] });
        await flood(connection, Buffer.concat(Array(1000).fill(query)), 100_000 * query.length);
        connection.destroy();
      }));
  });

  test('dns: noise and lies in datagrams, and the next question is answered', async () => {
    const { createSocket } = await import('node:dgram');
    const { host, port } = attack.server.listeners.dns;
    await attack.meanwhile(async () => {
      const socket = createSocket('udp4');
      const query = encode({ id: 7, questions: [{ type: 'MX', name: 'acme.example' }] });
      for (let i = 0; i < 5000; i++) {
        const lie = Buffer.from(query);
        lie[(i * 7) % lie.length] = (i * 31) % 256;
        socket.send(i % 3 === 0 ? lie.subarray(0, i % lie.length) : lie, port, host);
        if (i % 100 === 0) await new Promise((turn) => setImmediate(turn));
      }
      socket.close();
    });
  });

  test('a thousand silent connections at each door', async (context) => {
    const sockets: Socket[] = [];
    await bounded(context.diagnostic.bind(context), async () => {
      for (const door of ['smtp', 'submission', 'imap', 'pop3', 'ldap', 'dns', 'http'] as const) {
        const { host, port } = attack.server.listeners[door];
        for (let i = 0; i < 1000 / 7; i++) {
          const socket = connect({ host, port });
          socket.on('error', () => {});
          sockets.push(socket);
          await once(socket, 'connect');
        }
      }
    });
    for (const socket of sockets) socket.destroy();
  });

  test('connections that come and go', async () => {
    await attack.meanwhile(async () => {
      const doors = ['smtp', 'imap', 'pop3', 'ldap', 'dns', 'http'] as const;
      for (let i = 0; i < 1500; i++) {
        const { host, port } = attack.server.listeners[doors[i % doors.length]!];
        const socket = connect({ host, port });
        socket.on('error', () => {});
        await once(socket, 'connect');
        if (i % 2) socket.resetAndDestroy();
        else socket.end('x');
        socket.resume();
      }
    });
  });

  test('wrong passwords: the same words for everybody, and no long wait', async () => {
    const refusals = new Set<string>();
    await attack.meanwhile(async () => {
      for (const name of ['ann', 'nobody', 'postmaster', 'ann@elsewhere.example', '__proto__', ''])
        for (const password of ['wrong', 'x'.repeat(1000)]) {
          const client = await ImapClient.open(attack.server.listeners.imap);
          const login = name.includes('@') ? name : `${name}@acme.example`;
          const began = performance.now();
          const refused = await client.command(`LOGIN "${login}" "${password}"`).then(
            () => 'let in',
            (error: Error) => error.message.replace(/^t\d+ /, ''),
          );
          refusals.add(refused);
          assert.ok(performance.now() - began < 60_000, 'a stranger must not wait for ever');
          client.destroy();
        }
    });
    assert.equal(refusals.size, 1, [...refusals].join(' | '));
    assert.match([...refusals][0]!, /^NO \[AUTHENTICATIONFAILED\] /);
  });

  test('afterwards everything acknowledged is there, and nothing went wrong', (context) =>
    attack.judge((line) => context.diagnostic(line)));
});

describe('limits of a site', () => {
  // Also where the last test, which stops the server, is not asked for.
  after(() => attack?.server.stop());
  before(async () => {
    attack = await UnderAttack.start({
      config: `threads = 2
[limits]
connections = 30
login-timeout = "6s"
command-timeout = "7s"
idle-timeout = "8s"
`,
    });
  });

  const silence = {
    smtp: /^421 4\.4\.2 /,
    imap: /^\* BYE /,
    pop3: /^(-ERR.*)?$/,
    ldap: /^$|1466\.20036/,
  } as const;
  for (const door of ['smtp', 'imap', 'pop3', 'ldap'] as const)
    test(`${door}: who says nothing is shown out, and who says an octet now and then`, async () => {
      const [silent, slow] = await Promise.all([attack.connect(door), attack.connect(door)]);
      const dripping = setInterval(() => slow.write(door === 'ldap' ? '\x30' : 'x'), 300);
      try {
        await attack.meanwhile(async () => {
          for (const connection of [silent, slow]) {
            const lines = (await connection.untilClosed()).split('\r\n').filter((line) => line !== '');
            const last = lines.at(-1) ?? '';
            // A greeting may be all that there was.
            assert.match(lines.length < 2 && door === 'pop3' ? '' : last, silence[door]);
          }
        });
      } finally {
        clearInterval(dripping);
        slow.destroy();
        silent.destroy();
      }
    });

  test('smtp: a message that comes octet by octet ends, and one that stops', async () => {
    const begin = async (): Promise<LineConnection> => {
      const client = await SmtpClient.open(attack.server.listeners.smtp);
      const { connection } = client;
      connection.write(`MAIL FROM:<a@b.example>\r\nRCPT TO:<${attack.mallory.login}>\r\nDATA\r\n`);
      while (!(await connection.line()).startsWith('354'));
      return connection;
    };
    const [stopped, slow] = await Promise.all([begin(), begin()]);
    stopped.write('Subject: x\r\n\r\n');
    const dripping = setInterval(() => slow.write('x'), 100);
    for (const connection of [stopped, slow]) assert.match(await connection.untilClosed(), /^421 4\.4\.2 /);
    clearInterval(dripping);
    slow.destroy();
  });

  test('a flood above the limit is refused in the protocol’s words; afterwards there is room again', async () => {
    const refusals = { smtp: /^421 4\.7\.0 /, imap: /^\* BYE /, pop3: /^-ERR /, ldap: /1466\.20036/, dns: /^$/ };
    for (const door of ['smtp', 'imap', 'pop3', 'ldap', 'dns'] as const) {
      const connections: LineConnection[] = [];
      // More than both threads together let in.
      for (let i = 0; i < 100; i++) connections.push(await attack.connect(door));
      const said = await Promise.all(connections.map((connection) => first(connection)));
      const refused = said.filter((words) => words !== undefined && refusals[door].test(words));
      assert.ok(refused.length >= 30, `${door}: ${refused.length} refused: ${[...new Set(said)].join(' | ')}`);
      assert.ok(said.length - refused.length >= 50, `${door}: ${said.length - refused.length} let in`);
      for (const connection of connections) connection.destroy();
      // The server has to see that they are gone.
      for (let tries = 0; ; tries++) {
        const served = await attack.ordinary().catch((error: Error) => error);
        if (served === undefined) break;
        if (tries === 50) throw served;
        await new Promise((later) => setTimeout(later, 100));
      }
    }
  });

  test('afterwards everything acknowledged is there, and nothing went wrong', (context) =>
    attack.judge((line) => context.diagnostic(line)));
});
