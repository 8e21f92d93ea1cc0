// Messages that can be recognized: an id in a header field, and a body made from the id alone.
//
// Out  octets with CRLF line ends, as they must come back after the trace fields of the server that took them

export const ID_FIELD = 'X-Crash-Id';

/** Small mostly; one in fifty is too large for a shared segment's buffer. */
function someSize(random: () => number): number {
  const chance = random();
  return chance < 0.02 ? 1_200_000 : chance < 0.2 ? 20_000 : 200 + Math.floor(random() * 3000);
}

export function makeMessage(
  id: string,
  random: () => number,
  to = 'undisclosed',
  size: number = someSize(random),
): Buffer {
  const line = `${id} the quick brown fox jumps over the lazy dog 0123456789\r\n`;
  const body = line.repeat(Math.ceil(size / line.length));
  const header = [`${ID_FIELD}: ${id}`, 'From: sender@load.example', `To: ${to}`, `Message-ID: <${id}@load.example>`];
  return Buffer.from(`${header.join('\r\n')}\r\nSubject: crash test\r\n\r\n${body}`, 'latin1');
}

/** The id, and the octets from its field on: what stands before are trace fields of the way. */
export function recognize(octets: Buffer): { readonly id: string; readonly sent: Buffer } | undefined {
  const at = octets.indexOf(`${ID_FIELD}: `);
  if (at < 0) return undefined;
  const end = octets.indexOf('\r\n', at);
  return { id: octets.toString('latin1', at + ID_FIELD.length + 2, end), sent: octets.subarray(at) };
}

/** A small generator of the same numbers for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
