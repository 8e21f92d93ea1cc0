// One transaction with hosts of every kind: those that follow the book, older ones, broken ones and hostile ones.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { RemoteHost } from '../../estate/remote-host.ts';
import { CLOSE, type RemoteAnswer, type RemoteHostScript, SILENCE } from '../../estate/remote-script.ts';
import { type Address, parseAddress } from '../../message/address.ts';
import type { Envelope } from '../../message/envelope.ts';
import type { Outcome } from '../outcome.ts';
import { HostFailure, SmtpConnection } from './smtp-connection.ts';
import type { SmtpTimeouts } from './smtp-opening.ts';
import { type OutgoingMail, transact } from './smtp-transaction.ts';

const TIMEOUTS: SmtpTimeouts = {
  connect: 5000,
  greeting: 5000,
  command: 5000,
  handshake: 5000,
  data: 5000,
  block: 5000,
  final: 5000,
  quit: 100,
  whole: 60_000,
};
const QUICK: SmtpTimeouts = { ...TIMEOUTS, greeting: 50, command: 50, data: 50, block: 50, final: 50 };

const ENVELOPE: Envelope = {
  sender: parseAddress('ann@acme.example'),
  recipients: [{ address: parseAddress('rex@remote.example') }],
  body: '7BIT',
};

/** The envelope to these. */
function to(addresses: readonly Address[]): Envelope {
  return { ...ENVELOPE, recipients: addresses.map((address) => ({ address })) };
}

function mailOf(text: string, more: Partial<OutgoingMail> = {}, piece = 64 * 1024): OutgoingMail {
  const bytes = Buffer.from(text, 'latin1');
  return {
    protocol: 'smtp',
    hostname: 'mail.test.example',
    tls: undefined,
    prefix: Buffer.alloc(0),
    envelope: ENVELOPE,
    sizeBytes: bytes.length,
    read: async (offset) => bytes.subarray(offset, offset + piece),
    ...more,
  };
}

const TEXT = 'Subject: hello\r\n\r\n.a dot\r\n..two\r\nend\r\n';

async function send(
  port: number,
  mail: OutgoingMail = mailOf(TEXT),
  timeouts: SmtpTimeouts = TIMEOUTS,
): Promise<Outcome[]> {
  const connection = await SmtpConnection.open(
    { address: '127.0.0.2', port: port },
    5000,
    new AbortController().signal,
  );
  try {
    return await transact(connection, mail, 'mx.remote.example', timeouts);
  } finally {
    connection.quit(timeouts.quit);
    connection.close();
  }
}

async function open(context: TestContext, script: RemoteHostScript = {}): Promise<RemoteHost> {
  const sink = await RemoteHost.start(script);
  context.after(() => sink.close());
  return sink;
}

/** A server that is nothing but this function. */
async function raw(context: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.2');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function failsWith(status: string, words: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof HostFailure, String(error));
    assert.equal(error.status, status);
    assert.match(error.message, words);
    return true;
  };
}

test('envelope and data arrive as they are, dots at the start of lines included', async (context) => {
  const sink = await open(context);
  for (const piece of [1, 2, 3, 7, 1000]) {
    const [outcome] = await send(sink.port, mailOf(TEXT, {}, piece));
    assert.deepEqual(outcome, {
      result: 'delivered',
      status: '2.0.0',
      remote: 'mx.remote.example',
      words: '250 2.0.0 taken',
    });
    assert.equal(sink.messages.at(-1)?.data, TEXT, `pieces of ${piece}`);
  }
  assert.equal(sink.commands[0], 'EHLO mail.test.example');
  assert.equal(sink.messages[0]?.parameters, 'SIZE=38');
});

test('a message without a last line end gets one, an empty one is sent too', async (context) => {
  const sink = await open(context);
  await send(sink.port, mailOf('Subject: x\r\n\r\nno end'));
  await send(sink.port, mailOf(''));
  assert.deepEqual(
    sink.messages.map(({ data }) => data),
    ['Subject: x\r\n\r\nno end\r\n', ''],
  );
});

test('an older host: HELO, one command at a time, nothing that it has not offered', async (context) => {
  const sink = await open(context, { ehlo: '502 5.5.1 what' });
  const [outcome] = await send(sink.port);
  assert.equal(outcome?.result, 'delivered');
  assert.deepEqual(sink.commands.slice(0, 5), [
    'EHLO mail.test.example',
    'HELO mail.test.example',
    'MAIL FROM:<ann@acme.example>',
    'RCPT TO:<rex@remote.example>',
    'DATA',
  ]);
});

test('without PIPELINING each command waits for its reply', async (context) => {
  const sink = await open(context, { extensions: ['8BITMIME'], mail: '550 5.7.1 no' });
  const [outcome] = await send(sink.port);
  assert.equal(outcome?.result, 'failed');
  assert.ok(!sink.commands.some((line) => line.startsWith('RCPT')));
});

test('8-bit text goes as 8BITMIME, and in quoted-printable to a host that takes none', async (context) => {
  const sink = await open(context);
  const envelope = { ...ENVELOPE, body: '8BITMIME' as const };
  const mail = mailOf('Subject: x\r\n\r\nna\xefve\r\n', { envelope });
  assert.equal((await send(sink.port, mail))[0]?.result, 'delivered');
  assert.match(sink.messages[0]?.parameters ?? '', /BODY=8BITMIME/);
  for (const script of [{ extensions: ['SIZE 200'] }, { ehlo: '500 what' }] satisfies RemoteHostScript[]) {
    sink.script = script;
    assert.equal((await send(sink.port, mail))[0]?.result, 'delivered');
    const taken = sink.messages.at(-1)!;
    assert.doesNotMatch(taken.parameters, /BODY/);
    assert.equal(
      taken.data,
      'Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nna=EFve\r\n',
    );
  }
  sink.script = { extensions: ['SIZE 60'] };
  assert.equal((await send(sink.port, mail))[0]?.status, '5.3.4');
});

test('what is wanted to be told goes on to a host with DSN, whose reports they are then, and to no other', async (context) => {
  const notify = ['SUCCESS', 'FAILURE'] as const;
  const recipients = [{ ...ENVELOPE.recipients[0]!, notify, orcpt: { type: 'rfc822', address: 'b@acme.example' } }];
  const mail = mailOf(TEXT, { envelope: { ...ENVELOPE, recipients, envid: 'q 1', ret: 'HDRS', isUtf8: true } });
  const sink = await open(context, { extensions: ['PIPELINING', 'DSN', 'SMTPUTF8'] });
  const [told] = await send(sink.port, mail);
  const [mailFrom, rcptTo] = sink.commands.filter((line) => /^(MAIL|RCPT)/.test(line));
  assert.match(mailFrom!, / SMTPUTF8 RET=HDRS ENVID=q\+201$/);
  assert.match(rcptTo!, / NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@acme\.example$/);
  assert.equal(told!.isUntold, true);
  const old = await open(context, { extensions: ['PIPELINING'] });
  const [relayed] = await send(old.port, mail);
  assert.ok(!old.commands.some((line) => /NOTIFY|RET|UTF8/.test(line)), old.commands.join());
  assert.deepEqual([relayed!.isUntold, relayed!.action], [undefined, undefined]);
});

test('without SMTPUTF8 the header goes in ASCII where it can be said so, and the message comes back where it cannot', async (context) => {
  const sink = await open(context, { extensions: ['8BITMIME'] });
  const envelope: Envelope = { ...ENVELOPE, body: '8BITMIME', isUtf8: true };
  const body = 'MIME-Version: 1.0\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n';
  const sent = await send(sink.port, mailOf(`Subject: Gr\xc3\xbc\xc3\x9fe\r\n${body}`, { envelope }));
  assert.equal(sent[0]?.result, 'delivered');
  assert.doesNotMatch(sink.messages[0]!.parameters, /SMTPUTF8/);
  assert.equal(sink.messages[0]?.data, `Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n${body}`);
  const [refused] = await send(sink.port, mailOf(`From: <j\xc3\xb6rg@acme.example>\r\n${body}`, { envelope }));
  assert.deepEqual([refused?.result, refused?.status], ['failed', '5.6.7']);
  sink.script = { extensions: [] };
  assert.equal((await send(sink.port, mailOf(`Subject: Gr\xc3\xbc\r\n${body}`, { envelope })))[0]?.result, 'delivered');
  assert.match(sink.messages[1]!.data, /\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n$/);
});

test('8-bit text that is signed comes back from a host that takes none', async (context) => {
  const sink = await open(context, { extensions: ['SIZE'] });
  const text = 'Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n\xff\r\n--s\r\n\r\nx\r\n--s--\r\n';
  const [outcome] = await send(sink.port, mailOf(text, { envelope: { ...ENVELOPE, body: '8BITMIME' } }));
  assert.equal(outcome?.result, 'failed');
  assert.equal(outcome?.status, '5.6.3');
  assert.equal(sink.messages.length, 0);
});

test('a message that is larger than the host says it takes is not sent', async (context) => {
  const sink = await open(context, { extensions: ['SIZE 37'] });
  const [outcome] = await send(sink.port);
  assert.equal(outcome?.status, '5.3.4');
  assert.ok(!sink.commands.some((line) => line.startsWith('MAIL')));
  for (const size of ['SIZE', 'SIZE 0', 'SIZE banana', 'SIZE 38']) {
    sink.script = { extensions: [size] };
    assert.equal((await send(sink.port))[0]?.result, 'delivered', size);
  }
});

test('replies decide, recipient by recipient', async (context) => {
  const replies: Record<string, string> = {
    a: '250 ok',
    b: '251 2.1.5 will forward',
    c: '450 4.2.1 busy',
    d: '550-5.1.1 first\r\n550 5.1.1 second',
    e: '552 too many recipients',
    f: '552 5.2.2 full',
    g: '550 4.1.1 a class that does not fit',
  };
  const sink = await open(context, { rcpt: (address) => replies[address.slice(0, 1)]! });
  const envelope = to(Object.keys(replies).map((name) => parseAddress(`${name}@remote.example`)));
  const outcomes = await send(sink.port, mailOf(TEXT, { envelope }));
  assert.deepEqual(
    outcomes.map(({ result, status }) => `${result} ${status}`),
    [
      'delivered 2.0.0',
      'delivered 2.0.0',
      'deferred 4.2.1',
      'failed 5.1.1',
      'deferred 4.5.3',
      'failed 5.2.2',
      'failed 5.0.0',
    ],
  );
  assert.equal(outcomes[3]?.words, '550 5.1.1 first 5.1.1 second');
  assert.deepEqual(sink.messages[0]?.recipients, ['a@remote.example', 'b@remote.example']);
});

test('what DATA and the final dot get decides for those that were taken', async (context) => {
  const envelope = to(['yes@remote.example', 'no@remote.example'].map(parseAddress));
  const rcpt = (address: string): string => (address.startsWith('yes') ? '250 ok' : '550 5.1.1 no');
  const cases: [RemoteHostScript, string][] = [
    [{ data: '451 4.3.0 later' }, 'deferred 4.3.0'],
    [{ data: '554 5.7.1 never' }, 'failed 5.7.1'],
    [{ dot: '452 4.3.1 full' }, 'deferred 4.3.1'],
    [{ dot: '554 5.6.0 spam' }, 'failed 5.6.0'],
    [{ dot: '250 ok' }, 'delivered 2.0.0'],
  ];
  for (const [script, expected] of cases) {
    const sink = await open(context, { ...script, rcpt });
    const outcomes = await send(sink.port, mailOf(TEXT, { envelope }));
    assert.deepEqual(
      outcomes.map(({ result, status }) => `${result} ${status}`),
      [expected, 'failed 5.1.1'],
    );
  }
});

test('a bare CR, a bare LF or a NUL never goes out, and no message of it either', async (context) => {
  const sink = await open(context);
  for (const bad of ['a\nb\r\n', 'a\rb\r\n', 'a\r\n.\nb\r\n', 'x\r', '\n', 'a\r\r\n', 'a\0b\r\n', '\r\n.\rQUIT']) {
    for (const piece of [1, 2, 1000]) {
      const [outcome] = await send(sink.port, mailOf(`Subject: x\r\n\r\n${bad}`, {}, piece));
      assert.equal(outcome?.result, 'failed', JSON.stringify(bad));
      assert.equal(outcome?.status, '5.6.0');
    }
  }
  assert.equal(sink.messages.length, 0);
});

test('an address that would begin a second command is never sent', async (context) => {
  const sink = await open(context, { extensions: ['SMTPUTF8'] });
  for (const localPart of ['a>\r\nDATA', 'a\nb', 'a\0b', 'n\x85'])
    await assert.rejects(send(sink.port, mailOf(TEXT, { envelope: to([{ localPart, domain: 'x' }]) })), {
      kind: 'syntax',
    });
  assert.ok(!sink.commands.some((line) => line.startsWith('MAIL')));
});

test('all up to DATA goes in one write; where nobody is taken the data are only their end', async (context) => {
  const chunks: string[] = [];
  const port = await raw(context, (socket) => {
    const answers = ['250-x\r\n250 PIPELINING\r\n', '250 ok\r\n550 5.1.1 no\r\n354 go on\r\n', '554 5.5.1 nobody\r\n'];
    socket.write('220 hi\r\n');
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk.toString('latin1'));
      const answer = answers.shift();
      if (answer !== undefined) socket.write(answer);
    });
  });
  const [outcome] = await send(port);
  assert.equal(outcome?.status, '5.1.1');
  assert.equal(chunks[1], 'MAIL FROM:<ann@acme.example>\r\nRCPT TO:<rex@remote.example>\r\nDATA\r\n');
  assert.equal(chunks[2], '.\r\n');
});

test('several transactions go over one connection; one without an end is reset before the next', async (context) => {
  for (const extensions of [['PIPELINING'], []]) {
    let isOpen = false;
    const sink = await open(context, { extensions, rcpt: () => (isOpen ? '250 ok' : '550 5.1.1 no') });
    const connection = await SmtpConnection.open(
      { address: '127.0.0.2', port: sink.port },
      5000,
      new AbortController().signal,
    );
    const results: (string | undefined)[] = [];
    for (isOpen of [true, false, true, true])
      results.push((await transact(connection, mailOf(TEXT), 'mx.remote.example', TIMEOUTS))[0]?.result);
    connection.close();
    assert.deepEqual(results, ['delivered', 'failed', 'delivered', 'delivered']);
    assert.equal(sink.connections, 1);
    assert.equal(sink.messages.length, 3);
    assert.equal(sink.commands.filter((line) => line.startsWith('EHLO')).length, 1);
    assert.equal(sink.commands.filter((line) => line === 'RSET').length, 1);
  }
});

test('fields that stand before the message are counted and sent as it is', async (context) => {
  const sink = await open(context);
  await send(sink.port, mailOf(TEXT, { prefix: Buffer.from('Delivered-To: ann@acme.example\r\n') }));
  assert.equal(sink.messages[0]?.data, `Delivered-To: ann@acme.example\r\n${TEXT}`);
  assert.equal(sink.messages[0]?.parameters, `SIZE=${32 + TEXT.length}`);
});

test('LMTP: its own greeting, and a reply for each recipient that was taken', async (context) => {
  const envelope = to(['a', 'no', 'b', 'c'].map((name) => parseAddress(`${name}@remote.example`)));
  const rcpt = (address: string): string => (address.startsWith('no') ? '550 5.1.1 no' : '250 ok');
  const ends: [string, RegExp][] = [
    ['250 2.0.0 a\r\n452 4.2.2 b\r\n552 5.2.2 c', /^delivered 2.0.0,failed 5.1.1,deferred 4.2.2,failed 5.2.2$/],
    // Behind the dot 552 is no word for too many recipients.
    ['250 2.0.0 a\r\n552 over quota\r\n250 2.0.0 c', /^delivered 2.0.0,failed 5.1.1,failed 5.0.0,delivered 2.0.0$/],
    // It breaks off: what has been said counts, all else is asked again.
    ['250 2.0.0 a\r\n421 4.3.2 b', /^delivered 2.0.0,failed 5.1.1,deferred 4.4.2,deferred 4.4.2$/],
    ['250 2.0.0 a\r\nrubbish', /^delivered 2.0.0,failed 5.1.1,deferred 4.5.0,deferred 4.5.0$/],
  ];
  for (const [dot, expected] of ends) {
    const sink = await open(context, { rcpt, dot });
    const outcomes = await send(sink.port, mailOf(TEXT, { protocol: 'lmtp', envelope }));
    assert.match(outcomes.map(({ result, status }) => `${result} ${status}`).join(), expected);
    assert.equal(sink.commands[0], 'LHLO mail.test.example');
  }
  const sink = await open(context, { ehlo: '500 5.5.1 what' });
  await assert.rejects(send(sink.port, mailOf(TEXT, { protocol: 'lmtp' })), failsWith('4.4.1', /500 5\.5\.1/));
});

const STEPS = ['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'dot'] as const;

test('LMTP: what it takes is delivered, and no more relayed', async (context) => {
  const envelope = { ...ENVELOPE, recipients: [{ ...ENVELOPE.recipients[0]!, notify: ['SUCCESS'] as const }] };
  const sink = await open(context, { ehlo: '250 lmtp' });
  const [outcome] = await send(sink.port, mailOf(TEXT, { protocol: 'lmtp', envelope }));
  assert.equal(outcome!.action, 'delivered');
});

test('a host that closes at any step gets nothing a second time at that step', async (context) => {
  for (const step of STEPS) {
    const sink = await open(context, { [step]: CLOSE });
    await assert.rejects(send(sink.port), failsWith('4.4.2', /closed|broke/), step);
    assert.equal(sink.messages.length, 0);
  }
});

test('a host that falls silent at any step is given up in time', async (context) => {
  for (const step of STEPS) {
    const sink = await open(context, { [step]: SILENCE });
    await assert.rejects(send(sink.port, mailOf(TEXT), QUICK), failsWith('4.4.2', /no reply within 50 ms/), step);
  }
});

test('421 ends the conversation wherever it comes', async (context) => {
  for (const step of STEPS) {
    const sink = await open(context, { [step]: '421 4.3.2 going down' });
    await assert.rejects(send(sink.port), failsWith('4.4.2', /421 4\.3\.2 going down/), step);
  }
});

test('a host that takes no mail says so in its greeting; another one may take it', async (context) => {
  for (const greeting of ['554 no SMTP here', '450 busy', '250 hello'])
    await assert.rejects(send((await open(context, { greeting })).port), failsWith('4.4.1', /^(554|450|250) /));
});

test('replies that fit nowhere end the conversation', async (context) => {
  const odd: [keyof RemoteHostScript, RemoteAnswer][] = [
    ['mail', '354 go on'],
    ['rcpt', '354 go on'],
    ['data', '250 ok'],
    ['dot', '354 more'],
    ['mail', 'hello'],
    ['mail', '25 ok'],
    ['mail', '199 ok'],
    ['mail', '2500 ok'],
    ['rcpt', '550-one\r\n250 two'],
    ['ehlo', '250-a\r\n250'],
    ['data', '354 go on\n'],
  ];
  for (const [step, answer] of odd) {
    const sink = await open(context, { [step]: answer });
    const sent = send(sink.port, mailOf(TEXT), { ...QUICK, greeting: 5000, command: 500, data: 500, final: 500 });
    if (step === 'ehlo') assert.equal((await sent)[0]?.result, 'delivered');
    else await assert.rejects(sent, failsWith('4.5.0', /reply/), `${step} ${JSON.stringify(answer)}`);
    if (step !== 'ehlo') assert.equal(sink.messages.length, 0);
  }
});

test('a reply that comes before its command does not count', async (context) => {
  const early = '220 hi\r\n250 hi\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n';
  await assert.rejects(send(await raw(context, (socket) => socket.write(early))), failsWith('4.5.0', /not asked for/));
  // The acknowledgement of a message that has not been sent.
  const sink = await open(context, { extensions: [], data: '354 go on\r\n250 2.0.0 taken' });
  await assert.rejects(send(sink.port), failsWith('4.5.0', /not asked for: 250 2\.0\.0 taken/));
  const pipelined = await open(context, { rcpt: '250 ok\r\n250 ok' });
  await assert.rejects(send(pipelined.port), failsWith('4.5.0', /not asked for|does not fit/));
});

test('a reply without an end is cut, in bounded memory', async (context) => {
  const flood = (text: string) => (socket: Socket) => {
    socket.write('220 hi\r\n');
    socket.once('data', () => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(text));
      };
      socket.on('drain', more);
      more();
    });
  };
  await assert.rejects(send(await raw(context, flood('250-'.repeat(10_000)))), failsWith('4.5.0', /too-long/));
  await assert.rejects(send(await raw(context, flood('250-x\r\n'.repeat(10_000)))), failsWith('4.5.0', /at most 100/));
  await assert.rejects(send(await raw(context, flood('\0'.repeat(10_000)))), failsWith('4.5.0', /reply/));
});

test('a host that trickles its reply is given up in the time of one reply', async (context) => {
  const port = await raw(context, (socket) => {
    const timer = setInterval(() => socket.write('2'), 10);
    socket.on('close', () => clearInterval(timer));
  });
  await assert.rejects(send(port, mailOf(TEXT), QUICK), failsWith('4.4.2', /no reply within/));
});

test('a host that takes no data is given up; one that takes it slowly is waited for', async (context) => {
  const large = mailOf('x'.repeat(998).concat('\r\n').repeat(8_000));
  const deaf = await open(context, { deaf: true });
  // Only the wait for data is short: a busy machine may take its time to greet.
  await assert.rejects(send(deaf.port, large, { ...TIMEOUTS, block: 50 }), failsWith('4.4.2', /no data taken/));
  const sink = await open(context);
  assert.equal((await send(sink.port, large, { ...TIMEOUTS, final: 60_000 }))[0]?.result, 'delivered');
  assert.equal(sink.messages[0]?.data.length, large.sizeBytes);
});

test('no connection: refused, or cut by a stop', async (context) => {
  const sink = await open(context);
  const { port } = sink;
  await sink.close();
  const signal = new AbortController().signal;
  await assert.rejects(
    SmtpConnection.open({ address: '127.0.0.2', port: port }, 5000, signal),
    failsWith('4.4.1', /ECONNREFUSED/),
  );
  const aborted = AbortSignal.abort();
  await assert.rejects(
    SmtpConnection.open({ address: '127.0.0.2', port: port }, 5000, aborted),
    failsWith('4.4.1', /stopping/),
  );
});

test('whatever a host says, the transaction ends, and only a 2xx to the final dot is a delivery', async (context) => {
  const said = fc.constantFrom(
    '220 hi\r\n',
    '250 ok\r\n',
    '250-SIZE 100\r\n',
    '250 PIPELINING\r\n',
    '354 go\r\n',
    '550 5.1.1 no\r\n',
    '451 later\r\n',
    '421 bye\r\n',
    '2',
    '\r\n',
    '\n',
    '\0',
    'hello\r\n',
    '',
  );
  // The usual answers, one of them changed, make most of what is interesting.
  const usual = ['220 hi\r\n', '250-x\r\n250 PIPELINING\r\n', '250 ok\r\n250 ok\r\n354 go\r\n', '250 taken\r\n'];
  const changed = fc.record({ at: fc.nat(3), by: fc.array(said, { maxLength: 3 }) });
  const scripts = fc.oneof(
    changed.map(({ at, by }) => usual.map((answer, i) => (i === at ? by.join('') : answer))),
    fc.array(said, { maxLength: 8 }),
  );
  let script: readonly string[] = [];
  let sawDot = false;
  const port = await raw(context, (socket) => {
    const answers = [...script];
    const next = (): void => {
      const answer = answers.shift();
      if (answer === undefined) socket.end();
      else socket.write(answer, 'latin1');
    };
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('\r\n.\r\n')) sawDot = true;
      next();
    });
    next();
  });
  const timeouts = { ...QUICK, greeting: 20, command: 20, data: 20, block: 20, final: 20 };
  await fc.assert(
    fc.asyncProperty(scripts, async (answers) => {
      script = answers;
      sawDot = false;
      try {
        const [outcome] = await send(port, mailOf(TEXT), timeouts);
        if (outcome?.result !== 'delivered') return;
        assert.ok(sawDot);
        assert.match(outcome.words, /^2/);
      } catch (error) {
        assert.ok(error instanceof HostFailure, String(error));
      }
    }),
    { numRuns: 150 },
  );
});

test('a recipient beyond ASCII of a message that came without SMTPUTF8 keeps the others from nothing', async (context) => {
  const recipients = ['j\u00f6rg@remote.example', 'rex@remote.example'].map(parseAddress);
  const wide = await open(context, { extensions: ['PIPELINING', '8BITMIME', 'SMTPUTF8'] });
  const both = await send(wide.port, mailOf(TEXT, { envelope: to(recipients) }));
  assert.deepEqual(
    both.map(({ result }) => result),
    ['delivered', 'delivered'],
  );
  const narrow = await open(context, { extensions: ['PIPELINING', '8BITMIME'] });
  const one = await send(narrow.port, mailOf(TEXT, { envelope: to(recipients) }));
  assert.deepEqual(
    one.map(({ result, status }) => `${result} ${status}`),
    ['failed 5.6.7', 'delivered 2.0.0'],
  );
});
