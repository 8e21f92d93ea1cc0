// `sendmail` without a server: what it writes into the folder.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { parseTextHead } from '../../transfer/text-form.ts';
import { parseSendmail } from './arguments.ts';
import { MessageLines } from './message-lines.ts';
import { sendmailArguments } from './name.ts';
import { sendmail } from './sendmail.ts';
import { submitFile } from './submit-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-sendmail-'));
after(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});

interface Ran {
  readonly code: number;
  readonly printed: string;
  readonly complained: string;
  readonly asked: readonly (readonly string[])[];
}

async function run(argv: readonly string[], ...input: readonly string[]): Promise<Ran> {
  let printed = '';
  let complained = '';
  const asked: (readonly string[])[] = [];
  const code = await sendmail(argv, {
    input: (async function* () {
      for (const text of input) yield Buffer.from(text);
    })(),
    print: (text) => (printed += text),
    complain: (text) => (complained += text),
    login: 'ann',
    place: () => ({ folder, hostname: 'mail.acme.example' }),
    run: async (words) => {
      asked.push(words);
      return 0;
    },
  });
  return { code, printed, complained, asked };
}

/** The only file, as text. */
function written(): string {
  const names = readdirSync(folder);
  assert.equal(names.length, 1);
  return readFileSync(join(folder, names[0]!), 'utf8');
}

const BOUNDARY = '\x01\x01\r\n';
const HEAD = `MAIL FROM:<ann@mail.acme.example>\r\nRCPT TO:<bob@acme.example>\r\n${BOUNDARY}`;

test('a text without a header gets an author, an empty line, and lines that end in CRLF', async () => {
  assert.equal((await run(['bob@acme.example'], 'Hello\n', 'Bob')).code, 0);
  assert.equal(written(), `${HEAD}From: ann@mail.acme.example\r\n\r\nHello\r\nBob\r\n`);
  const [name] = readdirSync(folder);
  assert.match(name!, /^[0-9a-f]{32}$/);
  assert.equal(statSync(join(folder, name!)).mode & 0o777, 0o644);
});

test('the end is a line that is a dot, but for -i', async () => {
  await run(['-f', 'ann', 'bob@acme.example'], 'From: x@acme.example\n\none\n.\ntwo\n');
  assert.equal(written(), `${HEAD}From: x@acme.example\r\n\r\none\r\n`);
  rmSync(join(folder, readdirSync(folder)[0]!));
  await run(['-oi', '-fann', 'bob@acme.example'], 'From: x@acme.example\n\none\n.\ntwo\n');
  assert.equal(written(), `${HEAD}From: x@acme.example\r\n\r\none\r\n.\r\ntwo\r\n`);
});

test('-t takes those of To, Cc and Bcc, those of groups too, each once; of a message that is sent again the Resent ones', async () => {
  const text =
    'To: Bob <bob@acme.example>, "a b"@y.example,\n local\nCc: Team: dave@z.example, bob@acme.example;\nBcc: eve@x.example\n\nx\n';
  await run(['-t', 'carol@x.example'], text);
  const { form } = parseTextHead(Buffer.from(written()), Date.now());
  assert.deepEqual(
    form.envelope.recipients.map(({ address }) => `${address.localPart}@${address.domain}`),
    [
      'carol@x.example',
      'bob@acme.example',
      'a b@y.example',
      'local@mail.acme.example',
      'dave@z.example',
      'eve@x.example',
    ],
  );
  rmSync(join(folder, readdirSync(folder)[0]!));
  await run(['-t'], `Resent-To: fay@x.example\n${text}`);
  assert.deepEqual(
    parseTextHead(Buffer.from(written()), Date.now()).form.envelope.recipients.map(({ address }) => address.localPart),
    ['fay'],
  );
});

test('-F names the author, -G adds nothing, -f <> is the null sender', async () => {
  await run(['-F', 'Ann "A" Smith', 'bob@acme.example'], '\nx\n');
  assert.match(written(), /\r\nFrom: "Ann \\"A\\" Smith" <ann@mail\.acme\.example>\r\n\r\nx\r\n$/);
  rmSync(join(folder, readdirSync(folder)[0]!));
  await run(['-G', '-f', '<>', 'bob@acme.example'], 'Subject: x\n\ny\n');
  assert.equal(written(), `MAIL FROM:<>\r\nRCPT TO:<bob@acme.example>\r\n${BOUNDARY}Subject: x\r\n\r\ny\r\n`);
});

test('options as programs write them', () => {
  const asked = parseSendmail([
    '-ti',
    '-oem',
    '-odb',
    '-FCronDaemon',
    '-O',
    'X=y',
    '-X',
    'log',
    '-B8BITMIME',
    '-N',
    'success,delay',
    '-R',
    'hdrs',
    '-Vq1',
    '-r',
    'x',
    '--',
    '-dash',
  ]);
  assert.deepEqual(
    { ...asked, data: 0, config: 0 },
    {
      mode: 'message',
      recipients: ['-dash'],
      isFromHeader: true,
      isDotText: true,
      sender: 'x',
      fullName: 'CronDaemon',
      isGateway: false,
      isVerbose: false,
      notify: ['SUCCESS', 'DELAY'],
      ret: 'HDRS',
      envid: 'q1',
      body: '8BITMIME',
      data: 0,
      config: 0,
    },
  );
  assert.deepEqual(parseSendmail(['-N', 'never', 'a']).notify, []);
  assert.equal(parseSendmail(['-q30m']).mode, 'retry');
});

test('what is wanted of reports, and addresses beyond ASCII, stand in the envelope', async () => {
  await run(['-N', 'success', '-R', 'hdrs', '-V', 'q=1', '-f', 'ann', 'jürgen@acme.example'], '\nx\n');
  const { form } = parseTextHead(Buffer.from(written()), Date.now());
  assert.match(
    written(),
    /^MAIL FROM:<ann@mail\.acme\.example> SMTPUTF8 RET=HDRS ENVID=q\+3D1\r\nRCPT TO:<jürgen@acme\.example> NOTIFY=SUCCESS\r\n/,
  );
  assert.equal(form.envelope.envid, 'q=1');
  assert.deepEqual(form.envelope.recipients[0]!.notify, ['SUCCESS']);
  assert.equal(form.envelope.recipients[0]!.address.localPart, 'jürgen');
});

test('what is no option, no recipient or no address ends with its code and leaves nothing', async () => {
  for (const [argv, code] of [
    [['-z', 'bob'], 64],
    [['-bd'], 64],
    [['-N', 'often', 'bob'], 64],
    [['-f'], 64],
    [[], 64],
    [['-t'], 65],
    [['bob@a..b'], 65],
    [['-f', 'a b@c', 'bob'], 65],
  ] as const) {
    const ran = await run(argv, 'x\n');
    assert.equal(ran.code, code, argv.join(' '));
    assert.match(ran.complained, /^sendmail: [^\n]+\n$/);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('a folder that cannot be written for another reason is named, with the reason, and tried again later', async () => {
  const folder = join(tmpdir(), 'x'.repeat(300));
  await assert.rejects(
    submitFile(folder, async () => {}),
    { kind: 'unavailable', message: `${folder} cannot be written (ENAMETOOLONG), try again later` },
  );
});

test('by another name', () => {
  assert.deepEqual(sendmailArguments('mailq', ['-v']), ['-bp', '-v']);
  assert.deepEqual(sendmailArguments('sendmail', ['bob']), ['bob']);
  assert.deepEqual(sendmailArguments('waypost', ['sendmail', 'bob']), ['bob']);
  assert.equal(sendmailArguments('waypost', ['status']), undefined);
});

test('-bp and -q are the queue commands', async () => {
  assert.deepEqual((await run(['-bp', '--data', 'd'])).asked, [['queue', 'list', '--data', 'd']]);
  assert.deepEqual((await run(['-q'])).asked, [['queue', 'retry', '--all']]);
});

describe('-bs', () => {
  const MAIL = 'EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@acme.example>\r\nDATA\r\n';

  test('a message by SMTP is a file, whatever the chunks', async () => {
    const text = `${MAIL}Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n`;
    for (const size of [1, 7, 1000]) {
      const chunks = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
      const { printed } = await run(['-bs'], ...chunks);
      assert.match(
        printed,
        /^220 .*\r\n(250-.*\r\n)+250 HELP\r\n250 2\.1\.0.*\r\n250 2\.1\.5.*\r\n354.*\r\n250 2\.0\.0.*\r\n221 .*\r\n$/,
      );
      assert.equal(
        written(),
        `MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@acme.example>\r\n${BOUNDARY}Subject: x\r\n\r\n.dot\r\n`,
      );
      rmSync(join(folder, readdirSync(folder)[0]!));
    }
  });

  test('a bare LF, and an input that ends too early, leave nothing', async () => {
    assert.match((await run(['-bs'], `${MAIL}a\nb\r\n.\r\nQUIT\r\n`)).printed, /\r\n550 5\.6\.0 .*\r\n221 /);
    assert.match((await run(['-bs'], `${MAIL}a\r\n`)).printed, /354 .*\r\n451 /);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('order and syntax', async () => {
    const { printed } = await run(
      ['-bs'],
      'MAIL FROM:<>\r\nDATA\r\nXX\r\nEHLO c\r\nMAIL FROM:<a\r\nDATA\r\nRCPT TO:<a@b.example>\r\n',
    );
    assert.deepEqual(printed.match(/^\d{3}(?= )/gm), ['220', '503', '503', '500', '250', '501', '503', '503']);
  });
});

/** The same, by lines of the whole text. */
function naiveLines(text: string, isDotText: boolean): string {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const clean = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (clean[0]?.startsWith('From ')) clean.shift();
  const dot = isDotText ? -1 : clean.indexOf('.');
  return (dot < 0 ? clean : clean.slice(0, dot)).map((line) => `${line}\r\n`).join('');
}

test('lines are those of the whole text, however it is cut', () => {
  const piece = fc.constantFrom('\n', '\r\n', '.', 'a', 'From ', 'F', '\r', 'text ', '..');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      (pieces, isDotText, size) => {
        const text = pieces.join('');
        // A CR at the very end may be the half of a line's end, or text.
        fc.pre(!text.endsWith('\r'));
        const lines = new MessageLines(isDotText);
        const out: Buffer[] = [];
        for (let at = 0; at < text.length; at += size) out.push(...lines.push(Buffer.from(text.slice(at, at + size))));
        out.push(...lines.end());
        assert.equal(Buffer.concat(out).toString(), naiveLines(text, isDotText));
      },
    ),
    { numRuns: 2000 },
  );
});
