// Random mail of the world for searches: charsets, encodings, folded headers, pairs of case, halves of pairs, NUL.

/** Numbers from a seed: the same seed, the same mail. */
export function drawing(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export type Draw = ReturnType<typeof drawing>;

export function pick<T>(draw: Draw, from: readonly T[]): T {
  return from[draw(from.length)]!;
}

/** What texts are made of, and what is looked for in them. */
export const WORDS: readonly string[] = [
  'quarterly',
  'quarter',
  'Straße',
  'STRASSE',
  'ẞtadt',
  'ßtadt',
  'İstanbul',
  'istanbul',
  'ıı',
  'ﬁne ﬂow',
  'Å',
  '\u212b',
  'A\u030a',
  'Σίσυφος ΣΊΣΥΦΟΣ',
  'ας',
  'e\u0301\u0323',
  '\u0301lone',
  '日本語の手紙',
  '한국어',
  'ﬗ',
  '😀🎉',
  '👩‍👩‍👧',
  '𝕏𝔶',
  'ab"cd',
  '""',
  'a*b AND c',
  'NEAR(x)',
  '-- ; drop',
  'ﷺ',
  '½ cup',
  '\u00ad soft',
  '\ufeffmark',
  '\uffff\ufffe',
  'tab\there',
  'x  y',
  '.',
  'a',
  'ǅemal Ǆ',
  'ŉot',
  'Ὀδυσσεύς',
  'עִבְרִית',
  'ไทย',
];

function text(draw: Draw, words: number): string {
  let made = '';
  for (let i = draw(words) + 1; i > 0; i--) made += pick(draw, WORDS) + pick(draw, ['', ' ', ' ', '\r\n', '-']);
  return made;
}

const CHARSETS = [
  'utf-8',
  'us-ascii',
  'iso-8859-1',
  'iso-2022-jp',
  'gb18030',
  'utf-7',
  'utf-16be',
  'koi8-r',
  'euc-kr',
  'what',
];

/** Octets that some charset has: text as it is, or anything. */
function octets(draw: Draw, words: number): { bytes: Buffer; charset: string } {
  // Some are longer than a block of the index.
  const content = text(draw, words) + (draw(6) === 0 ? 'x'.repeat(8100 + draw(90)) + text(draw, words) : '');
  switch (draw(6)) {
    case 0:
      return { bytes: Buffer.from(content, 'latin1'), charset: pick(draw, ['iso-8859-1', 'windows-1252']) };
    case 1:
      return { bytes: Buffer.from(content, 'utf16le').swap16(), charset: 'utf-16be' };
    case 2: {
      const bytes = Buffer.from(Array.from({ length: draw(60) }, () => draw(256)));
      return { bytes: Buffer.concat([bytes, Buffer.from(content)]), charset: pick(draw, CHARSETS) };
    }
    case 3:
      // Halves of pairs, by the one charset that can say them; and NUL.
      return { bytes: Buffer.from(`${pick(draw, ['+2D0-', '+3gA-', '+2D3eAA-', 'a\0b'])}tail`), charset: 'utf-7' };
    default:
      return {
        bytes: Buffer.from(content + pick(draw, ['', '', 'nul\0in', '\0'])),
        charset: pick(draw, ['utf-8', 'utf-8', '']),
      };
  }
}

function encode(draw: Draw, bytes: Buffer): { encoding: string; body: Buffer } {
  switch (draw(4)) {
    case 0:
      return { encoding: 'base64', body: Buffer.from(bytes.toString('base64').replace(/.{1,40}/g, '$&\r\n')) };
    case 1: {
      // Lines break anywhere, in the middle of a character and of a word.
      let made = '';
      for (const [at, byte] of bytes.entries()) {
        made +=
          byte < 0x21 || byte > 0x7e || byte === 0x3d
            ? `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
            : String.fromCharCode(byte);
        if (at % 11 === 10) made += '=\r\n';
      }
      return { encoding: 'quoted-printable', body: Buffer.from(made) };
    }
    default:
      return { encoding: pick(draw, ['8bit', '7bit', 'binary']), body: bytes };
  }
}

function leaf(draw: Draw): Buffer {
  const { bytes, charset } = octets(draw, 8);
  const { encoding, body } = encode(draw, bytes);
  const type = pick(draw, ['text/plain', 'text/plain', 'text/html', 'application/pdf']);
  const named = charset === '' ? '' : `; charset="${charset}"`;
  const name = pick(draw, [
    '',
    '',
    `; filename*=utf-8''${encodeURIComponent(pick(draw, WORDS))}`,
    `; filename="=?utf-8?B?${Buffer.from(pick(draw, WORDS)).toString('base64')}?="`,
  ]);
  const disposition = name === '' ? '' : `Content-Disposition: attachment${name}\r\n`;
  return Buffer.concat([
    Buffer.from(`Content-Type: ${type}${named}\r\nContent-Transfer-Encoding: ${encoding}\r\n${disposition}\r\n`),
    body,
  ]);
}

function entity(draw: Draw, depth: number): Buffer {
  const kind = depth === 0 ? 0 : draw(4);
  if (kind < 2) return leaf(draw);
  if (kind === 2) return Buffer.concat([Buffer.from('Content-Type: message/rfc822\r\n\r\n'), message(draw, depth - 1)]);
  const parts = Array.from({ length: 1 + draw(3) }, () => entity(draw, depth - 1));
  return Buffer.concat([
    Buffer.from(`Content-Type: multipart/mixed; boundary=b${depth}\r\n\r\n`),
    ...parts.flatMap((part) => [Buffer.from(`--b${depth}\r\n`), part, Buffer.from('\r\n')]),
    Buffer.from(`--b${depth}--\r\n`),
  ]);
}

/** A header value: as it is, in encoded words that cut characters, folded anywhere. */
function value(draw: Draw): string {
  const words = text(draw, 4).replaceAll('\r\n', '\r\n ');
  switch (draw(3)) {
    case 0:
      return Buffer.from(words.replaceAll('\0', '')).toString('latin1');
    case 1: {
      const bytes = Buffer.from(words.replaceAll('\r\n ', ' '));
      const cut = 1 + draw(Math.max(1, bytes.length - 1));
      return [bytes.subarray(0, cut), bytes.subarray(cut)]
        .map((piece) => `=?utf-8?B?${piece.toString('base64')}?=`)
        .join('\r\n ');
    }
    default:
      return `${pick(draw, ['quarterly', 're: a', 'Fwd'])}\r\n\t${pick(draw, ['report', 'quarterly'])}`;
  }
}

const address = (draw: Draw): string =>
  `${pick(draw, ['', `=?utf-8?Q?${pick(draw, ['Stra=C3=9Fe', 'J=C3=BCrgen'])}?= `, '"Ann (x)" '])}<${pick(draw, ['ann', 'bob', 'b"ob'])}${pick(draw, ['@', ' @ ', '(c)@'])}${pick(draw, ['acme.example', 'ACME.example', 'xn--bcher-kva.example'])}>`;

/** Bytes of a message, of some parts. */
export function message(draw: Draw, depth = 2): Buffer {
  const head = [
    `From: ${address(draw)}\r\n`,
    `To: ${address(draw)},\r\n ${address(draw)}\r\n`,
    `Subject: ${value(draw)}\r\n`,
    `X-Note: ${value(draw)}\r\n`,
    pick(draw, ['', 'no field at all\r\n', `X-Raw: ${Buffer.from(pick(draw, WORDS)).toString('latin1')}\r\n`]),
  ].join('');
  return Buffer.concat([Buffer.from(head, 'latin1'), entity(draw, depth)]);
}
