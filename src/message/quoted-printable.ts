// Quoted-printable, both ways. Decoding never throws: what is no code stays as it stands.
//
// RFC 2045 §6.7

const HEX = '0123456789ABCDEF';
const LINE_MAX = 76;
/** What an octet becomes at most: `=XX` and a soft break before it. */
const OCTET_MAX = 6;

/**
 * Octets in quoted-printable: printable ASCII and CRLF line breaks stay, lines are at most 76 characters, nothing stands at
 * a line's end that a gateway could take away, and no line begins with a dash, as a delimiter of a multipart does.
 */
export function encodeQuotedPrintable(octets: Uint8Array): Buffer {
  const pieces: Buffer[] = [];
  let encoded = Buffer.allocUnsafe(PIECE);
  let length = 0;
  let column = 0;
  for (let at = 0; at < octets.length; at++) {
    if (length > PIECE - OCTET_MAX) {
      pieces.push(encoded.subarray(0, length));
      encoded = Buffer.allocUnsafe(PIECE);
      length = 0;
    }
    const octet = octets[at]!;
    if (octet === 0x0d && octets[at + 1] === 0x0a) {
      encoded[length++] = 0x0d;
      encoded[length++] = 0x0a;
      at++;
      column = 0;
      continue;
    }
    const isLast = at + 1 === octets.length || (octets[at + 1] === 0x0d && octets[at + 2] === 0x0a);
    const isSpace = octet === 0x20 || octet === 0x09;
    let isPlain = (octet > 0x20 && octet < 0x7f && octet !== 0x3d) || (isSpace && !isLast);
    if (column + (isPlain ? 1 : 3) > (isLast ? LINE_MAX : LINE_MAX - 1)) {
      encoded[length++] = 0x3d;
      encoded[length++] = 0x0d;
      encoded[length++] = 0x0a;
      column = 0;
    }
    if (column === 0 && octet === 0x2d) isPlain = false;
    if (isPlain) encoded[length++] = octet;
    else {
      encoded[length++] = 0x3d;
      encoded[length++] = HEX.charCodeAt(octet >> 4);
      encoded[length++] = HEX.charCodeAt(octet & 15);
    }
    column += isPlain ? 1 : 3;
  }
  pieces.push(encoded.subarray(0, length));
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

const PIECE = 65_536;

/** Value of a hexadecimal digit by its char code, 255 for what is none. */
const HEX_VALUE = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  HEX_VALUE[HEX.charCodeAt(value)] = value;
  HEX_VALUE[HEX.toLowerCase().charCodeAt(value)] = value;
}

export function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const decoded = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let at = 0;
  for (;;) {
    const equals = bytes.indexOf(0x3d, at);
    const end = equals < 0 ? bytes.length : equals;
    length += bytes.copy(decoded, length, at, end);
    if (equals < 0) return decoded.subarray(0, length);
    const softBreak = endOfSoftBreak(bytes, equals + 1);
    const high = HEX_VALUE[bytes[equals + 1] ?? 0]!;
    const low = HEX_VALUE[bytes[equals + 2] ?? 0]!;
    if (softBreak > 0) at = softBreak;
    else if (high < 16 && low < 16) {
      decoded[length++] = high * 16 + low;
      at = equals + 3;
    } else {
      decoded[length++] = 0x3d;
      at = equals + 1;
    }
  }
}

/** Behind `=`: where the next line begins when only white space stands before the break, else 0. */
function endOfSoftBreak(bytes: Buffer, at: number): number {
  let end = at;
  while (end < bytes.length && end < at + LINE_MAX && (bytes[end] === 0x20 || bytes[end] === 0x09)) end++;
  if (bytes[end] === 0x0d) end++;
  return bytes[end] === 0x0a ? end + 1 : 0;
}
