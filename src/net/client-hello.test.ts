import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import fc from 'fast-check';
import { fuzzCases, inPieces, mutatedOctets, pieceSizes } from '../../test/support/nearly-right.ts';
import { HelloReader, readServerName } from './client-hello.ts';

/** The first bytes of Node's own client. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    connect({ socket: wire, rejectUnauthorized: false, ...options }).on('error', () => {});
  });
}

const hellos = await Promise.all([
  helloOf({ servername: 'Mail.Acme.example' }),
  helloOf({ servername: 'mail.acme.example', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }),
  helloOf({ servername: 'mail.acme.example', ALPNProtocols: ['imap'] }),
]);
const nameless = await helloOf({});

/** The same message in records of at most so many bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    const head = Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]);
    records.push(head, part);
  }
  return Buffer.concat(records);
}

const parse = (bytes: Buffer) => new HelloReader().push(bytes);

test('the name of a client is found, in one record or in many, and never before all has come', () => {
  for (const hello of hellos)
    for (const size of [1, 7, 100, 16_384]) {
      const bytes = inRecords(hello, size);
      assert.deepEqual(parse(bytes), { kind: 'read', name: 'mail.acme.example' });
      for (let length = 0; length < bytes.length; length += 1 + (length % 5))
        assert.deepEqual(parse(bytes.subarray(0, length)), { kind: 'more' }, `${length} bytes`);
    }
  assert.deepEqual(parse(nameless), { kind: 'read', name: undefined });
});

test('the name is found at the same octet, whatever the pieces', () => {
  const cases = fc.tuple(
    fc.constantFrom(...hellos, nameless),
    fc.integer({ min: 1, max: 300 }),
    fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }),
  );
  fc.assert(
    fc.property(cases, ([hello, size, pieces]) => {
      const bytes = inRecords(hello, size);
      const reader = new HelloReader();
      for (let at = 0, i = 0; ; i++) {
        const end = Math.min(bytes.length, at + pieces[i % pieces.length]!);
        const found = reader.push(bytes.subarray(at, end));
        at = end;
        assert.equal(found.kind, at < bytes.length ? 'more' : 'read');
        if (found.kind === 'more') continue;
        assert.equal(found.name, hello === nameless ? undefined : 'mail.acme.example');
        return;
      }
    }),
  );
});

test('octet by octet, in the smallest records, no octet is copied again and again', (context) => {
  let copied = 0;
  const { concat } = Buffer;
  context.mock.method(Buffer, 'concat', (parts: readonly Uint8Array[]) => {
    const whole = concat(parts);
    copied += whole.length;
    return whole;
  });
  // A message of 16 KiB, but for its last octets.
  const bytes = inRecords(Buffer.concat([Buffer.alloc(5), Buffer.from('01004000', 'hex'), Buffer.alloc(3000)]), 1);
  copied = 0;
  const reader = new HelloReader();
  for (const octet of bytes) assert.equal(reader.push(Buffer.of(octet)).kind, 'more');
  assert.ok(copied < bytes.length, `${copied} octets were copied`);
});

test('bytes that are changed anywhere give a name or none, and no error; the same however they are cut', () => {
  const some = [...hellos, nameless].flatMap((hello) => [hello, inRecords(hello, 100)]);
  const octets = mutatedOctets([...some, Buffer.from('a001 LOGIN')]);
  fc.assert(
    fc.property(octets, pieceSizes, (bytes, sizes) => {
      const whole = parse(bytes);
      const reader = new HelloReader();
      let read = 0;
      for (const piece of inPieces(bytes, sizes)) {
        const found = reader.push(piece);
        read += piece.length;
        if (found.kind === 'more') continue;
        // Beyond its bound it is none, wherever a piece ends there.
        if (read <= 20 * 1024) assert.deepEqual(found, whole);
        return;
      }
      if (bytes.length <= 20 * 1024) assert.equal(whole.kind, 'more');
    }),
    fuzzCases(2000),
  );
  assert.deepEqual(parse(Buffer.from('a001 LOGIN')), { kind: 'read', name: undefined });
});

test('what was read is put back, with what came behind it', async () => {
  const wire = new PassThrough();
  const reading = readServerName(wire);
  const hello = hellos[0]!;
  const said = Buffer.concat([hello, Buffer.from('behind it')]);
  for (const octet of said.subarray(0, 20)) wire.write(Buffer.from([octet]));
  wire.write(said.subarray(20));
  assert.equal(await reading, 'mail.acme.example');
  assert.deepEqual(wire.read(), said);
  const gone = new PassThrough();
  const none = readServerName(gone);
  gone.write('\x16');
  gone.destroy();
  assert.equal(await none, undefined);
  const endless = new PassThrough();
  endless.write(Buffer.concat([Buffer.from('16030140000100ffff', 'hex'), Buffer.alloc(40_000)]));
  assert.equal(await readServerName(endless), undefined);
});
