// The judge of the soak test, told of mail that is right and of mail that is not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha } from '../crash/ledger.ts';
import { makeMessage, recognize } from '../crash/message.ts';
import { Ledger, type SentMessage } from './ledger.ts';

const [ANN, BOB, FAR] = ['ann@acme.example', 'bob@acme.example', 'far@acme.example'] as const;
const ABROAD = 'm1@remote.example';

class Scene {
  readonly problems: string[] = [];
  readonly ledger = new Ledger(new Set([FAR]), (sentence) => this.problems.push(sentence));
  readonly #mailboxes = new Map<string, Set<number>>([ANN, BOB, FAR].map((place) => [place, new Set()]));

  send(places: readonly string[], fate: SentMessage['fate'] = 'acknowledged'): Buffer {
    const id = this.ledger.nextId();
    const message = makeMessage(id, () => 0.5);
    this.ledger.open(id, places, message).fate = fate;
    return message;
  }

  /** It stands there when the ledger is checked. */
  found(place: string, uid: number, message: Buffer): void {
    const known = recognize(message);
    this.ledger.seen(place, { uid, id: known?.id, sha: known === undefined ? undefined : sha(known.sent) });
    this.#mailboxes.get(place)!.add(uid);
  }

  gone(place: string, uid: number): void {
    this.#mailboxes.get(place)!.delete(uid);
  }

  check(queue: readonly string[] = []): readonly string[] {
    this.ledger.check(this.#mailboxes, new Set(queue));
    return this.problems;
  }
}

describe('no problem is', () => {
  test('mail that is in each of its mailboxes, at the other host, or still in the queue', () => {
    const scene = new Scene();
    scene.ledger.abroad([ABROAD], scene.send([ABROAD]).toString('latin1'));
    const message = scene.send([ANN, BOB]);
    scene.found(ANN, 1, message);
    scene.found(BOB, 1, message);
    scene.send(['m3@remote.example']);
    assert.deepEqual(scene.check(['m3@remote.example']), []);
  });

  test('mail that was taken away, whether that was answered or not; mail that was never answered', () => {
    const scene = new Scene();
    for (const uid of [1, 2, 3]) scene.found(ANN, uid, scene.send([ANN]));
    scene.ledger.taking(ANN, [1, 2, 3]);
    scene.ledger.taken(ANN, [1]);
    for (const uid of [1, 2]) scene.gone(ANN, uid);
    scene.send([ANN, BOB], 'open');
    scene.found(BOB, 1, scene.send([BOB], 'open'));
    assert.deepEqual(scene.check(), []);
  });

  test('a repeat at another host or the second server; it is counted', () => {
    const scene = new Scene();
    const far = scene.send([FAR]);
    scene.found(FAR, 1, far);
    scene.found(FAR, 2, far);
    assert.deepEqual(scene.check(), []);
    assert.equal(scene.ledger.repeats, 1);
  });
});

describe('a problem is', () => {
  const cases: readonly (readonly [name: string, sentence: RegExp, (scene: Scene) => void])[] = [
    [
      'mail that is missing in one of two mailboxes',
      /m1 for bob@acme.example is lost/,
      (scene) => {
        scene.found(ANN, 1, scene.send([ANN, BOB]));
      },
    ],
    [
      'mail to another host that never came',
      /m1 for m1@remote.example is lost/,
      (scene) => {
        scene.send([ABROAD]);
      },
    ],
    [
      'mail that is there twice',
      /m1 is in ann@acme.example 2 times/,
      (scene) => {
        const message = scene.send([ANN]);
        scene.found(ANN, 1, message);
        scene.found(ANN, 2, message);
      },
    ],
    [
      'a second copy of what was taken away',
      /m1 is in ann@acme.example 2 times/,
      (scene) => {
        const message = scene.send([ANN]);
        scene.found(ANN, 1, message);
        scene.ledger.taking(ANN, [1]);
        scene.ledger.taken(ANN, [1]);
        scene.gone(ANN, 1);
        scene.found(ANN, 2, message);
      },
    ],
    [
      'mail that comes back',
      /UID 1 of ann@acme.example\) is there again/,
      (scene) => {
        const message = scene.send([ANN]);
        scene.found(ANN, 1, message);
        scene.ledger.taking(ANN, [1]);
        scene.ledger.taken(ANN, [1]);
        scene.found(ANN, 1, message);
      },
    ],
    [
      'mail that was seen and is gone',
      /m1 \(UID 1 of ann@acme.example\) is gone/,
      (scene) => {
        scene.found(ANN, 1, scene.send([ANN]));
        scene.gone(ANN, 1);
      },
    ],
    [
      'mail that was refused',
      /m1 for ann@acme.example was refused, and is there/,
      (scene) => {
        scene.found(ANN, 1, scene.send([ANN], 'refused'));
      },
    ],
    [
      'mail in a mailbox that it was not for',
      /m1 for bob@acme.example is where it was not sent/,
      (scene) => {
        const message = scene.send([ANN]);
        scene.found(ANN, 1, message);
        scene.found(BOB, 1, message);
      },
    ],
    [
      'mail that nobody has sent',
      /UID 7 of ann@acme.example was never sent \(no id\)/,
      (scene) => {
        scene.found(ANN, 7, Buffer.from('Subject: a report\r\n\r\n'));
      },
    ],
    [
      'mail with other octets',
      /m1 in ann@acme.example is not what was sent/,
      (scene) => {
        scene.found(ANN, 1, Buffer.concat([scene.send([ANN]), Buffer.from('more\r\n')]));
      },
    ],
  ];
  for (const [name, sentence, arrange] of cases)
    test(name, () => {
      const scene = new Scene();
      arrange(scene);
      const problems = scene.check();
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0]!, sentence);
    });
});
