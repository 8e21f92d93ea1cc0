// Templates and patterns from their text: printed again the same, or a column.
//
// In      WAYPOST_FUZZ_SEED, a number, for other random templates than the usual ones; WAYPOST_FUZZ_TEMPLATES, how many

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../../test/support/nearly-right.ts';
import { Failure } from '../../base/failure.ts';
import { LOCAL_PART_BYTES } from '../../base/limits.ts';
import { parseAddress, tryParseDomain } from '../../message/address.ts';
import { parseDestination } from '../destination.ts';
import { applyRule } from './apply.ts';
import { parseTemplate } from './parse-template.ts';
import { parsePattern } from './pattern.ts';
import { initialProbe, probesOf } from './probe.ts';
import { printTemplate } from './template.ts';

const SEED = Number(process.env['WAYPOST_FUZZ_SEED'] ?? 1);
const TEMPLATES = Number(process.env['WAYPOST_FUZZ_TEMPLATES'] ?? 1_000_000);

/** What the failure says; undefined where the text parses. */
function refusal(parse: (text: string) => unknown, text: string): string | undefined {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.kind !== 'syntax') assert.fail(text);
    return error.message;
  }
}

const templates = [
  '$U%$H@smtp',
  '$U%acme.example',
  '$U@$D@[192.0.2.9]:2525@smtp',
  '$A$E$F$U%$H$V$H@store',
  '$U%[$L]@smtp',
  '$0U+$1U%$&0.$!1.$*0.$#2.example',
  '$Msmtp$Mlmtp$Nsubmission$U%$H@partner',
  '$U@$H@[a.example],[192.0.2.1]:2525@relay$Zacme.example',
  '$Zold.$H$D$?there is no such domain any more, $U%$H is text here',
  '$?closed',
  '$U$$$%$@x%$D',
  '$A',
  '',
];

test('a template is printed as it was written', () => {
  for (const text of templates) assert.equal(printTemplate(parseTemplate(text)), text);
});

test('a template that does not parse names the column', () => {
  for (const [text, words] of [
    ['$U%$q', 'column 4: unknown control sequence $q'],
    ['$u%x', 'column 1: unknown control sequence $u'],
    ['$U%$', 'column 4: unknown control sequence $'],
    ['$U%$1X', 'column 4: unknown control sequence $1X'],
    ['$U%$B', 'column 4: unknown control sequence $B'],
    ['$U%$]ldap:///$[', 'column 4: unknown control sequence $]'],
    ['$U', 'column 3: expected % or @ behind the local part'],
    ['$U$?text', 'column 3: expected % or @ behind the local part'],
    ['%x.example', 'column 1: expected a local part'],
    ['$A%x.example', 'column 3: expected a local part'],
    ['$U%', 'column 4: expected a domain'],
    ['$U%@smtp', 'column 4: expected a domain'],
    ['$U%x@', 'column 6: expected the name of a channel'],
    ['$U@x.example', 'column 13: expected @ and a next hop, as in A@B@H@C'],
    ['$U@x.example@[h]', 'column 17: expected @ and a channel, as in A@B@H@C'],
    ['$U%x%y', 'column 5: unexpected %'],
    ['$U%x@y@z', 'column 7: unexpected @'],
    ['$U %x', 'column 3: unexpected  '],
    ['$U%x é', 'column 5: unexpected  '],
    ['$U%x@$D', 'column 6: a channel is named as it is, without substitutions'],
    ['$U%$&x', 'column 6: expected a digit, which counts labels from 0'],
    ['$Mpop3$U%x', 'column 3: a door is one of smtp, submission, lmtp, sendmail, api, internal'],
    ['$V$U%x', 'column 3: expected the name of a domain'],
    ['$U%x$?', 'column 7: expected the text of a reply'],
    ['$?a\r\nb', 'column 4: a reply has printable ASCII characters'],
    [`$?${'a'.repeat(481)}`, 'column 483: a reply has at most 480 characters'],
    [`$U%${'a'.repeat(998)}`, 'column 1001: a template has at most 1000 characters'],
  ] as const)
    assert.equal(refusal(parseTemplate, text), words, text);
});

test('a million random templates are printed again the same, or refused with a column', () => {
  const words = [
    ...'$%@UDHLAEFMNVZ0129&!*#?.-_[]:, aé',
    ...['$U', '$0U', '$1U', '$D', '$H', '$L', '$&0', '$!1', '$*2', '$#3', '$$', '$%', '$@', '$A', '$E', '$F', '$?'],
    ...['$Msmtp', '$Napi', '$M', '$V$H', '$Zacme.example', '%', '@', 'acme', '.example', '[192.0.2.1]:25', 'smtp'],
  ];
  let state = SEED >>> 0;
  const below = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  let parsed = 0;
  // A million stacks would be most of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (let run = 0; run < TEMPLATES; run++) {
    let text = '';
    // Every second one is near the grammar.
    if (run % 2 === 0) for (let count = below(12); count > 0; count--) text += words[below(words.length)];
    else {
      const part = (): string => words[33 + below(words.length - 33)]!;
      text = `${part()}$U${part()}%${part()}$D`;
      if (below(2) === 0) text += `${part()}@smtp${part()}`;
    }
    const said = refusal((each) => {
      if (printTemplate(parseTemplate(each)) !== each) assert.fail(each);
    }, text);
    if (said === undefined) parsed++;
    else if (!/^column \d+: ./.test(said)) assert.fail(`${text}: ${said}`);
  }
  Error.stackTraceLimit = stackTraceLimit;
  assert.ok(parsed > TEMPLATES / 20, `only ${parsed} of ${TEMPLATES} parsed`);
});

test('a pattern has one spelling', () => {
  for (const [text, pattern] of [
    ['$*', '$*'],
    ['.', '.'],
    ['ACME.example', 'acme.example'],
    ['.Acme.Example', '.acme.example'],
    ['*.*.siroe.edu', '*.*.siroe.edu'],
    ['*.*.*.*', '*.*.*.*'],
    ['*', '*'],
    ['[]', '[]'],
    ['[192.]', '[192.]'],
    ['[192.0.2.]', '[192.0.2.]'],
    ['[192.0.2.7]', '[192.0.2.7]'],
    ['[ipv6:2001:DB8:0::1]', '[IPv6:2001:db8::1]'],
    ['_x.example', '_x.example'],
  ] as const)
    assert.equal(parsePattern(text), pattern);
});

test('a pattern that does not parse names the column', () => {
  for (const [text, words] of [
    ['', 'column 1: expected a label'],
    ['$%', 'column 1: the only pattern with $ is $*'],
    ['..', 'column 2: expected a label'],
    ['a..b', 'column 3: expected a label'],
    ['a.', 'column 3: expected a label'],
    ['a.*.b', 'column 3: * stands left of all labels only'],
    ['*a.b', 'column 2: expected a dot: * is one label'],
    ['*.', 'column 3: expected a label'],
    ['a b', 'column 2: expected a dot or the end of the pattern'],
    ['a@b', 'column 2: expected a dot or the end of the pattern'],
    [`${'a'.repeat(64)}.b`, 'column 64: a label has at most 63 characters'],
    ['192.0.2.7', 'column 1: this is not the name of a domain'],
    ['[192', 'column 5: this is no address literal, nor the beginning of one with a dot at its end'],
    ['[300.]', 'column 2: this is no address literal, nor the beginning of one with a dot at its end'],
    ['[192.0.2]', 'column 9: this is no address literal, nor the beginning of one with a dot at its end'],
    ['[192.0.2.7', 'column 10: this is no address literal, nor the beginning of one with a dot at its end'],
    ['[*.*.*.*]', 'column 2: this is no address literal, nor the beginning of one with a dot at its end'],
    ['.'.padEnd(1001, 'a.'), 'column 1001: a pattern has at most 1000 characters'],
  ] as const)
    assert.equal(refusal(parsePattern, text), words, text);
});

test('a rule whose next hop is what the pattern leaves open fails where that is nothing', () => {
  const address = parseAddress('ann@b.acme.example');
  const doors = { door: 'smtp', hasDomainEntry: () => true } as const;
  const applied = probesOf(address.domain).map((probe) =>
    applyRule(parseTemplate('$U@acme.example@$H@smtp'), address, probe, doors),
  );
  assert.deepEqual(applied[0], { result: 'failed', why: 'the next hop is empty' });
  assert.ok(applied[2]?.result === 'applied' && applied[2].hop === 'b');
});

test('what a template makes ends soon behind what a domain may have: a thousand rules that fail are tried for one recipient', () => {
  const domain = tryParseDomain(Array.from({ length: 126 }, () => 'a').join('.'))!;
  const probe = probesOf(domain).at(-1)!;
  const applied = applyRule(parseTemplate(`$U%${'$H'.repeat(400)}`), { localPart: 'x', domain }, probe, {
    door: 'smtp',
    hasDomainEntry: () => false,
  });
  assert.ok(applied.result === 'failed');
  assert.ok(applied.why.length < 5000, `${applied.why.length}`);
});

test('any text is a rule that is printed as it was written and applies within its limits, or names a column', () => {
  const patterns = [
    '$*',
    '.',
    'acme.example',
    '*.*.siroe.edu',
    '.Acme.Example',
    '[192.0.2.]',
    '[IPv6:2001:db8::1]',
    '[]',
  ];
  const seeds = templates.flatMap((template, at) => `${patterns[at % patterns.length]} ${template}`);
  const addresses = ['ann+sub@a.b.acme.example', '"a b"@[192.0.2.7]', 'x@[IPv6:2001:db8::1]', '+x@edu'].map(
    parseAddress,
  );
  const doors = {
    door: 'smtp',
    hasDomainEntry: (domain: string) => (domain.length % 3 === 0 ? undefined : domain.length % 3 === 1),
  } as const;
  fc.assert(
    fc.property(mutatedText(seeds), fc.constantFrom(...addresses), (text, address) => {
      const space = text.indexOf(' ');
      const written = text.slice(space + 1);
      for (const [parse, part] of [
        [parsePattern, text.slice(0, Math.max(0, space))],
        [parseTemplate, written],
      ] as const) {
        const said = refusal(parse, part);
        if (said === undefined) assert.ok(part.length <= 1000);
        else assert.match(said, /^column \d+: ./);
      }
      if (refusal(parsePattern, text.slice(0, Math.max(0, space))) === undefined) {
        const pattern = parsePattern(text.slice(0, space));
        assert.equal(parsePattern(pattern), pattern);
      }
      if (refusal(parseTemplate, written) !== undefined) return;
      const template = parseTemplate(written);
      assert.equal(printTemplate(template), written);
      for (const probe of [initialProbe(address.domain), ...probesOf(address.domain)]) {
        const applied = applyRule(template, address, probe, doors);
        if (applied.result !== 'applied') continue;
        const { localPart, domain } = applied.address;
        assert.ok(
          localPart !== '' && localPart.length <= LOCAL_PART_BYTES && tryParseDomain(domain) === domain,
          written,
        );
        if (applied.hop !== undefined) assert.notEqual(parseDestination(applied.hop), undefined);
      }
    }),
    fuzzCases(1000),
  );
});
