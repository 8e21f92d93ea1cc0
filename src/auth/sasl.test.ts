import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import { findMechanism, SaslExchange, type SaslMechanism } from './sasl.ts';

const b64 = (text: string | Buffer) => Buffer.from(text).toString('base64');

function kindOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    assert.ok(error instanceof Failure);
    return error.kind;
  }
}

describe('SASL PLAIN', () => {
  it('takes the initial response', () => {
    const step = new SaslExchange('PLAIN').start(b64('\0ann@acme.example\0sécret'));
    assert.deepEqual(step, { kind: 'credentials', login: 'ann@acme.example', password: Buffer.from('sécret') });
  });

  it('asks with an empty challenge when there is none', () => {
    const exchange = new SaslExchange('PLAIN');
    assert.deepEqual(exchange.start(undefined), { kind: 'challenge', text: '' });
    assert.equal(exchange.receive(b64('\0a\0b')).kind, 'credentials');
  });

  it('takes an authorization identity only when it is the same', () => {
    assert.equal(new SaslExchange('PLAIN').start(b64('a\0a\0b')).kind, 'credentials');
    assert.equal(
      kindOf(() => new SaslExchange('PLAIN').start(b64('root\0a\0b'))),
      'unauthenticated',
    );
  });

  const malformed = [
    '',
    '=',
    'a',
    'YQ',
    'YQ=',
    'YR==',
    'YQ==\0',
    ' YQ==',
    'AGEAYg==\r',
    b64('a'),
    b64('a\0b'),
    b64('\0\0b'),
  ];
  malformed.push(b64('\0a\0'), b64('\0a\0b\0c'), b64(`\0${'a'.repeat(256)}\0b`), b64(`\0a\0${'b'.repeat(1025)}`));
  malformed.push(b64(Buffer.from([0, 0xff, 0, 0x61])), 'A'.repeat(20_000));
  for (const response of malformed) {
    it(`refuses ${JSON.stringify(response.slice(0, 20))}`, () => {
      assert.equal(
        kindOf(() => new SaslExchange('PLAIN').start(response)),
        'syntax',
      );
    });
  }
});

describe('SASL LOGIN', () => {
  it('asks for the name, then for the password', () => {
    const exchange = new SaslExchange('LOGIN');
    assert.deepEqual(exchange.start(undefined), { kind: 'challenge', text: 'VXNlcm5hbWU6' });
    assert.deepEqual(exchange.receive(b64('ann')), { kind: 'challenge', text: 'UGFzc3dvcmQ6' });
    assert.deepEqual(exchange.receive(b64('x y')), { kind: 'credentials', login: 'ann', password: Buffer.from('x y') });
  });

  it('takes the name as the initial response', () => {
    const exchange = new SaslExchange('LOGIN');
    assert.equal(exchange.start(b64('ann')).kind, 'challenge');
    assert.equal(exchange.receive(b64('p')).kind, 'credentials');
  });

  it('ends when the client gives up', () => {
    const exchange = new SaslExchange('LOGIN');
    exchange.start(undefined);
    assert.deepEqual(exchange.receive('*'), { kind: 'cancelled' });
  });

  it('refuses an empty name and an empty password', () => {
    assert.equal(
      kindOf(() => new SaslExchange('LOGIN').start('=')),
      'syntax',
    );
    const exchange = new SaslExchange('LOGIN');
    exchange.start(b64('ann'));
    assert.equal(
      kindOf(() => exchange.receive('')),
      'syntax',
    );
  });
});

describe('a SASL exchange', () => {
  it('knows its mechanisms in any case', () => {
    assert.equal(findMechanism('plain'), 'PLAIN');
    assert.equal(findMechanism('CRAM-MD5'), undefined);
    assert.equal(findMechanism('__proto__'), undefined);
  });

  it('answers any lines with a step or a failure', () => {
    const mechanism = fc.constantFrom<SaslMechanism>('PLAIN', 'LOGIN');
    const line = fc.oneof(fc.string({ unit: 'binary' }), fc.base64String());
    fc.assert(
      fc.property(
        mechanism,
        fc.option(line, { nil: undefined }),
        fc.array(line, { maxLength: 3 }),
        (name, initial, lines) => {
          const exchange = new SaslExchange(name);
          const kinds = [
            kindOf(() => exchange.start(initial)),
            ...lines.map((text) => kindOf(() => exchange.receive(text))),
          ];
          for (const kind of kinds) assert.ok(['none', 'syntax', 'unauthenticated'].includes(kind));
        },
      ),
    );
  });
});
