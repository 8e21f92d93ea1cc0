import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { srsMissing } from '../../test/support/peers.ts';
import { type Address, formatAddress, parseAddress, tryParseAddress } from '../message/address.ts';
import { srsAddress, srsOriginal } from './srs.ts';
import { isSrs } from './tokens.ts';

const key = Buffer.from('a secret of this site');
const day = 20_783;
const made = (sender: string, of = day): Address | undefined =>
  srsAddress(parseAddress(sender), 'acme.example', { key, day: of });
const back = (localPart: string, on = day, keys: readonly Uint8Array[] = [key]): string | undefined => {
  const original = srsOriginal(localPart, { keys, day: on });
  return original && formatAddress(original);
};

test('a sender is named in an address of the forwarder, and found in it again', () => {
  const address = made('Carol.Smith@remote.example')!;
  assert.match(address.localPart, /^SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=remote\.example=Carol\.Smith$/);
  assert.equal(address.domain, 'acme.example');
  assert.equal(back(address.localPart), 'Carol.Smith@remote.example');
  assert.equal(back(address.localPart.toLowerCase()), 'carol.smith@remote.example');
  for (const sender of ['a=b=c', 'prvs=1234abcd=carol', 'btv1==1f==carol', '"a b"', 'bounce+ann=acme.example', 'zoë'])
    assert.equal(back(made(`${sender}@remote.example`)!.localPart), `${sender}@remote.example`);
  assert.equal(back(made('carol@[192.0.2.1]')!.localPart), 'carol@[192.0.2.1]');
});

test('the day is that of base32 by five bits, modulo 1024', () => {
  const day0 = made('a@b.example', 1024 * 3)!.localPart.split('=')[2];
  const day33 = made('a@b.example', 1024 * 3 + 33)!.localPart.split('=')[2];
  assert.deepEqual([day0, day33], ['AA', 'BB']);
});

test('an address is good for 21 days, and not before its day', () => {
  const { localPart } = made('carol@remote.example')!;
  assert.equal(back(localPart, day + 21), 'carol@remote.example');
  assert.equal(back(localPart, day + 22), undefined);
  assert.equal(back(localPart, day - 1), undefined);
  const beforeTurn = made('carol@remote.example', 1023)!.localPart;
  assert.equal(back(beforeTurn, 1024 + 20), 'carol@remote.example');
  assert.equal(back(beforeTurn, 1024 + 21), undefined);
});

test('another key has not made it, a former one has', () => {
  const { localPart } = made('carol@remote.example')!;
  assert.equal(back(localPart, day, [Buffer.from('other')]), undefined);
  assert.equal(back(localPart, day, [Buffer.from('other'), key]), 'carol@remote.example');
});

test('an address of another forwarder is passed on to that one', () => {
  const first = made('SRS0=HASH=TT=remote.example=carol@first.example')!;
  assert.match(first.localPart, /^SRS1=[A-Z2-7]{8}=first\.example==HASH=TT=remote\.example=carol$/);
  assert.equal(back(first.localPart), 'SRS0=HASH=TT=remote.example=carol@first.example');
  const second = made('srs1=OTHER=first.example==HASH=TT=r.example=carol@second.example')!;
  assert.match(second.localPart, /^SRS1=[A-Z2-7]{8}=first\.example==HASH=TT=r\.example=carol$/);
  assert.equal(back(second.localPart), 'SRS0=HASH=TT=r.example=carol@first.example');
  const plus = made('SRS0+HASH=TT=remote.example=carol@first.example')!;
  assert.equal(back(plus.localPart), 'SRS0+HASH=TT=remote.example=carol@first.example');
});

test('what only looks like one of another forwarder is an address as any', () => {
  const address = made('SRS1=nothing@first.example')!;
  assert.match(address.localPart, /^SRS0=/);
  assert.equal(back(address.localPart), 'SRS1=nothing@first.example');
  const oneSign = 'srs1=7g4y=f.example=3g=r.example=al@x.example';
  assert.equal(back(made(oneSign)!.localPart), oneSign);
});

test('a local part over 64 octets is not made', () => {
  const fits = 64 - 'SRS0=HHHHHHHH=TT=b.example='.length;
  assert.equal(made(`${'x'.repeat(fits)}@b.example`)!.localPart.length, 64);
  assert.equal(made(`${'x'.repeat(fits + 1)}@b.example`), undefined);
});

test('whatever is changed in one, it leads nowhere', () => {
  const { localPart } = made('carol@remote.example')!;
  const change = fc.tuple(fc.nat(localPart.length - 1), fc.constantFrom(...'abcXYZ234=@.+'));
  fc.assert(
    fc.property(change, ([at, letter]) => {
      const changed = localPart.slice(0, at) + letter + localPart.slice(at + 1);
      // Its tag is not looked at here, and letters in another case are the same letters.
      if (at < 5 || changed.toLowerCase() === localPart.toLowerCase()) return;
      assert.equal(back(changed), undefined);
    }),
  );
  for (const text of ['', 'SRS0', 'SRS0=', 'SRS0=A', 'SRS1=AAAAAAAA=', 'SRS0=AAAAAAAA=ZZ=a=b'])
    assert.equal(back(text), undefined);
});

test('what one tag has signed the other does not lead anywhere', () => {
  const { localPart } = made('carol@remote.example')!;
  assert.equal(back(localPart.replace('SRS0', 'SRS1')), undefined);
  // A domain that begins with a sign reads as an address of another forwarder.
  for (const sender of ['carol@-remote.example', 'carol@--x.example'])
    assert.equal(back(made(sender)!.localPart.replace('SRS0', 'SRS1')), undefined, sender);
  const passedOn = made('SRS0=HASH=TT=remote.example=carol@first.example')!.localPart;
  assert.equal(back(passedOn.replace('SRS1', 'SRS0')), undefined);
});

/** What Mail::SRS says, a line for each given. */
function mailSrs(program: string, lines: readonly string[]): string[] {
  const script = `use Mail::SRS; my $s = new Mail::SRS(Secret => 'theirs', HashLength => 6); while (<STDIN>) { chomp; print eval { ${program} } // "none", "\\n"; }`;
  return execFileSync('perl', ['-e', script], { input: `${lines.join('\n')}\n`, encoding: 'utf8' })
    .trim()
    .split('\n');
}

test('an address of Mail::SRS that we pass on comes back to it, and it finds the sender', {
  skip: srsMissing(),
}, () => {
  const senders = ['carol@remote.example', 'a=b@c.example', 'x.y-z+1@d.example'];
  const theirs = mailSrs(`$s->forward($_, 'first.example')`, senders);
  const ours = theirs.map((text) => made(text)!);
  for (const { localPart } of ours) assert.match(localPart, /^SRS1=/);
  const returned = ours.map(({ localPart }) => back(localPart)!);
  assert.deepEqual(returned, theirs);
  // Hosts on the way that write all in lower case change nothing but the letters.
  assert.deepEqual(
    ours.map(({ localPart }) => back(localPart.toLowerCase())!.toLowerCase()),
    theirs.map((text) => text.toLowerCase()),
  );
  assert.deepEqual(mailSrs('$s->reverse($_)', returned), senders);
});

test('Mail::SRS passes on what we have made, and it comes back to us', { skip: srsMissing() }, () => {
  const ours = formatAddress(made('carol@remote.example')!);
  const [theirs] = mailSrs(`$s->forward($_, 'second.example')`, [ours]);
  assert.match(theirs!, /^SRS1=\S{6}=acme\.example==/);
  const [returned] = mailSrs('$s->reverse($_)', [theirs!]);
  assert.equal(returned, ours);
  assert.equal(back(parseAddress(returned!).localPart), 'carol@remote.example');
});

test('any local part leads to whom it was made for, or nowhere', () => {
  const senders = ['carol@remote.example', 'SRS0=HASH=TT=remote.example=carol@first.example', '"a b"@[192.0.2.1]'];
  senders.push(
    'srs1=OTHER=first.example==HASH=TT=r.example=carol@second.example',
    'a=b=c@d.example',
    'zo\u00eb@b.example',
  );
  const ours = new Set(senders.map((sender) => made(sender)!.localPart.toLowerCase()));
  fc.assert(
    fc.property(mutatedText([...ours, ...senders]), fc.boolean(), (text, isReport) => {
      if (isReport) {
        // Who asks has looked at its tag.
        if (isSrs(text)) assert.equal(back(text) !== undefined, ours.has(text.toLowerCase()), text);
        return;
      }
      const sender = tryParseAddress(text);
      const address = sender && srsAddress(sender, 'acme.example', { key, day });
      if (sender === undefined || address === undefined) return;
      assert.ok(Buffer.byteLength(address.localPart) <= 64);
      const original = srsOriginal(address.localPart, { keys: [key], day })!;
      // What another forwarder has passed on goes back to the first one.
      if (address.localPart.startsWith('SRS0')) assert.deepEqual(original, sender);
      else assert.match(original.localPart, /^SRS0[=+-]/);
    }),
    fuzzCases(2000),
  );
});
