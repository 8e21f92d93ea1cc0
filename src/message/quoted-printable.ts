// Quoted-printable, both ways. Decoding never throws: what is no code stays as it stands.
//
// RFC 2045 §6.7

const HEX = '0123456789ABCDEF';
const LINE_MAX = 76;

/**
 * The bytes of latin1 `text` in quoted-printable: printable ASCII and CRLF line breaks stay, lines are at most 76
 * characters, nothing stands at a line's end that a gateway could take away.
 */
export function encodeQuotedPrintable(text: string): string {
  return text.split('\r\n').map(encodeLine).join('\r\n');
}

function encodeLine(line: string): string {
  let encoded = '';
  let length = 0;
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at);
    const isLast = at === line.length - 1;
    const isSpace = code === 0x20 || code === 0x09;
    const isPlain = (code > 0x20 && code < 0x7f && code !== 0x3d) || (isSpace && !isLast);
    const piece = isPlain ? line.charAt(at) : `=${HEX.charAt(code >> 4)}${HEX.charAt(code & 15)}`;
    if (length + piece.length > (isLast ? LINE_MAX : LINE_MAX - 1)) {
      encoded += '=\r\n';
      length = 0;
    }
    encoded += piece;
    length += piece.length;
  }
  return encoded;
}

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
